"""One fault of the data or the network, and the verdict on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

SEVERITIES = ("error", "warning", "note")
FIELDS = (
    *(f"files.{name}" for name in (
        "train_images", "train_labels", "validation_images", "validation_labels", "test_images", "test_labels")),
    *(f"images.{name}" for name in (
        "rank", "shape", "layout", "dtype", "range", "finite", "distribution", "orientation", "polarity", "count")),
    *(f"labels.{name}" for name in (
        "encoding", "width", "rank", "dtype", "values", "finite", "mapping", "count", "alignment")),
    *(f"model.{name}" for name in (
        "input_shape", "data_format", "normalization", "output_units", "output_rank", "output_activation",
        "norm_axis")),
    "contract.loss", "contract.from_logits",
    "splits.leakage", "splits.class_coverage", "splits.order",
)  # fmt: skip
MAX_WHERE = 10  # indices shown of the examples that are wrong


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        field: What is wrong, one of FIELDS.
        severity: "error" makes the data unfit; "warning" and "note" do not.
        split: "train", "test", "validation", "both" or "model".
        expected, received: One phrase each.
        fix: One line that mends it, a Python statement wherever one can.
        why: What would have happened in training.
        where: First indices of what is wrong.
        kind: Findings of one field and kind in several splits are one fault.
    """

    field: str
    severity: str
    split: str
    expected: str
    received: str
    fix: str
    why: str
    where: tuple[int, ...] = ()
    kind: str = dataclasses.field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        names = ("field", "severity", "split", "expected", "received")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return {**told, "where": list(self.where), "fix": self.fix, "why": self.why}

    def sentence(self) -> str:
        """Return the finding in one line for a log."""
        where = f" First at {', '.join(map(str, self.where))}." if self.where else ""
        head = f"{self.severity.upper()} {self.field} ({self.split}): "
        return f"{head}Expected {self.expected}. Received: {self.received}.{where} Fix: {self.fix}"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order of severity, with one fault in several splits told once as "both"."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.field, each.kind, each.severity), []).append(each)
    told = [one for group in groups.values() for one in _joined(group)]
    return sorted(told, key=lambda each: (SEVERITIES.index(each.severity), FIELDS.index(each.field)))


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
