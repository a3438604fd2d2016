"""One fault of the data or the network, what a person accepts of it, and the verdict on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from deep_mnist.doctor.rule import Rule

SEVERITIES = ("error", "warning", "accepted", "note")
FIELDS = (
    *(f"files.{name}" for name in (
        "train_images", "train_labels", "validation_images", "validation_labels", "test_images", "test_labels")),
    *(f"images.{name}" for name in (
        "rank", "shape", "layout", "dtype", "range", "finite", "distribution", "orientation", "polarity", "count")),
    *(f"labels.{name}" for name in (
        "encoding", "width", "rank", "dtype", "values", "finite", "mapping", "count", "alignment")),
    *(f"model.{name}" for name in (
        "input_shape", "data_format", "normalization", "output_units", "output_rank", "output_activation",
        "norm_axis", "optimizer", "initializers", "hidden_activation", "trainable")),
    *(f"contract.{name}" for name in ("loss", "from_logits", "num_classes")),
    *(f"splits.{name}" for name in ("leakage", "class_coverage", "order")),
    *(f"fit.{name}" for name in ("epochs", "batch_size", "shuffle", "validation")),
    *(f"rehearsal.{name}" for name in (
        "initial_loss", "gradients", "updates", "memorizes", "outputs", "loss", "cost")),
)  # fmt: skip


class FaultKind(StrEnum):
    """What lies behind a finding where its field alone does not tell.

    Findings of one field and kind in several splits are one fault; those of kind PLAIN are when they
    expect the same. `judge.py` names the kinds that only follow from another finding.
    """

    PLAIN = "plain"
    FILE = "file"
    OBJECTS = "objects"
    HEADER = "header"
    EMPTY = "empty"
    RECORD = "record"
    RANGE = "range"
    SCALES_DIFFER = "scales differ"
    NOT_FINITE = "not finite"
    LOST = "lost"
    BLANK = "blank"
    RESOLUTION = "resolution"
    COUNT = "count"
    NUMBERS = "numbers"
    VALUES = "values"
    TOO_FEW_UNITS = "too few units"
    ONE_VALUE = "one value"
    ROWS = "rows"
    UNPACKED = "unpacked"
    SWAPPED = "swapped"
    LEAKAGE = "leakage"
    NEAR_COPIES = "near copies"
    UNSEEN = "unseen"
    UNTESTED = "untested"
    MISSING = "missing"
    ORDER = "order"
    MISALIGNED = "misaligned"
    MISALIGNED_PART = "misaligned part"
    NOISY_LABELS = "noisy labels"
    MAPPING = "mapping"
    TRANSFORMED = "transformed"
    ROTATED = "rotated"
    INVERTED = "inverted"
    OTHER_IMAGES = "other images"
    UNLIKE = "unlike"
    DISPLACED = "displaced"
    GIVEAWAY = "giveaway"
    CORRUPTED = "corrupted"
    WRONG_BYTES = "wrong bytes"


MAX_WHERE = 10  # indices shown of the examples that are wrong


def first_of(wrong: np.ndarray | np.bool) -> tuple[int, ...]:
    """Return the first indices of what is wrong, of bool (n,)."""
    import numpy as np  # who has an array has it: verdicts are read without

    return tuple(int(index) for index in np.flatnonzero(wrong)[:MAX_WHERE])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        field: What is wrong, one of FIELDS.
        severity: "error" makes the data unfit; "warning" and "note" do not, nor does "accepted": an error or
            warning that a person took responsibility for.
        split: "train", "test", "validation", "both" or "model".
        expected, received: One phrase each.
        fix: The one-line fix, a Python statement wherever one can.
        why: What would have happened in training.
        where: First indices of what is wrong.
        kind: What lies behind it, where the field alone does not tell.
        part: Which input or output of several it is about, "" of the first or only one.
        because: Why a person accepted it; empty unless the severity is "accepted".
    """

    field: str
    severity: str
    split: str
    expected: str
    received: str
    fix: str
    why: str
    where: tuple[int, ...] = ()
    kind: FaultKind = dataclasses.field(default=FaultKind.PLAIN, compare=False)
    because: str = ""
    part: str = dataclasses.field(default="", compare=False)
    rule: Rule | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; "because" only of an accepted finding."""
        names = ("field", "severity", "split", "expected", "received")
        values: dict[str, Any] = {} if self.rule is None else {"rule": self.rule.code, "name": self.rule.name}
        values |= {name: getattr(self, name) for name in names}
        values |= {"where": list(self.where), "fix": self.fix, "why": self.why}
        return values | ({"because": self.because} if self.because else {})

    def sentence(self) -> str:
        """Return the finding in one line for a log."""
        where = f" First at {', '.join(map(str, self.where))}." if self.where else ""
        head = f"{self.severity.upper()} {self.field} ({self.split}): "
        accepted = f" Accepted because: {self.because}" if self.because else ""
        return f"{head}Expected {self.expected}. Received: {self.received}.{where} Fix: {self.fix}{accepted}"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order of severity, with one fault in several splits reported once as "both"."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        fault = each.expected if each.kind is FaultKind.PLAIN else ""
        groups.setdefault((each.field, each.kind, fault, each.severity, each.part), []).append(each)
    joined = [one for group in groups.values() for one in _joined(group)]
    return sorted(joined, key=lambda each: (SEVERITIES.index(each.severity), FIELDS.index(each.field)))


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order of severity, otherwise in their own order."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def _joined(group: Sequence[Finding]) -> list[Finding]:
    by_split = {each.split: each for each in group}
    train, test = by_split.get("train"), by_split.get("test")
    if not (train and test) or len(group) != len(by_split):
        return list(group)
    received = train.received if train.received == test.received else f"{train.received} (test: {test.received})"
    fix = _one_line([by_split[name].fix for name in ("train", "validation", "test") if name in by_split])
    rest = [each for each in group if each.split not in ("train", "validation", "test")]
    return [replace(train, split="both", received=received, fix=fix), *rest]


def _one_line(fixes: Sequence[str]) -> str:
    """Return statements as one line, their comment (the same for all) at its end."""
    statements, comments = zip(*(fix.partition("  # ")[::2] for fix in fixes), strict=True)
    comment = next((each for each in comments if each), "")
    return "; ".join(dict.fromkeys(statements)) + (f"  # {comment}" if comment else "")


def verdict(findings: Iterable[Finding]) -> str:
    """Return "unfit" when there is an error among the findings, else "fit"."""
    return "unfit" if any(each.severity == "error" for each in findings) else "fit"
