"""Judge a case: the order of the checks, and one table of what only follows from another finding."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.acceptance import Acceptance, read_acceptances, with_acceptances
from deep_mnist.doctor.case import Case, Split, read_splits, with_channel_axis
from deep_mnist.doctor.checks.inputs.arrangement import check_arrangement
from deep_mnist.doctor.checks.inputs.columns import check_columns
from deep_mnist.doctor.checks.inputs.form import check_files, check_form
from deep_mnist.doctor.checks.inputs.outliers import check_outliers
from deep_mnist.doctor.checks.inputs.pixels import check_pixels
from deep_mnist.doctor.checks.inputs.ranges import check_range
from deep_mnist.doctor.checks.inputs.record import check_record
from deep_mnist.doctor.checks.inputs.wrong_bytes import check_wrong_bytes
from deep_mnist.doctor.checks.labels.labels import check_labels
from deep_mnist.doctor.checks.labels.shortcut import check_giveaway
from deep_mnist.doctor.checks.network.network import check_input, check_model
from deep_mnist.doctor.checks.network.output import check_output
from deep_mnist.doctor.checks.program.fit_arguments import check_classes, check_training
from deep_mnist.doctor.checks.splits.relations import check_relations
from deep_mnist.doctor.checks.splits.splits import check_splits
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.evidence.background import Beside
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import FaultKind, Finding, merged
from deep_mnist.doctor.multiple import judge_further
from deep_mnist.doctor.settings import read_settings

CASE_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    check_files, check_model, check_training, check_giveaway, check_record, check_splits,
    check_relations)  # fmt: skip
SplitCheck = Callable[[Case, Split], Iterator[Finding]]
SPLIT_CHECKS: tuple[SplitCheck, ...] = (
    check_form,
    check_arrangement,
    check_labels,
    check_columns,
    check_pixels,
    check_outliers,
    check_wrong_bytes,
    check_range,
)
BESIDE: tuple[SplitCheck, ...] = (check_wrong_bytes, check_arrangement)  # need no survey: in a thread of their own
LARGE = 1 << 22  # bytes of images

IMAGES = re.compile(r"(?<![\w.\"'])image(?=s?\b(?![.\w]))")
ODD_LABELS = ("labels.values", "labels.width", "labels.rank", "labels.finite", "labels.dtype")
ODD_AXES = ("images.rank", "images.layout", "images.shape", "images.count")
STATISTICAL = (
    FaultKind.MISALIGNED, FaultKind.MISALIGNED_PART, FaultKind.NOISY_LABELS, FaultKind.MAPPING,
    FaultKind.OTHER_IMAGES, FaultKind.UNLIKE,
)  # fmt: skip


def diagnose(
    folder: Path,
    contract: Contract,
    *,
    fit: Mapping[str, Any] | None = None,
    record: Preprocessing | None = None,
    accept: Sequence[Acceptance | Mapping[str, Any]] = (),
    splits: Mapping[str, Split] | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return every finding on the arrays in `folder` against `contract`.

    Args:
        folder: Holds {train,validation,test}_{images,labels} as `.npy`, IDX (plain or gz) or in one `.npz`.
        contract: What the network demands.
        fit: What is known of the call to fit: {"shuffle": bool, "validation_split": float}.
        record: What preprocess did, when it wrote the folder.
        accept: What a person takes responsibility for, {field, split, because}; the folder's contract.json adds to it.
        splits: What `read_splits(folder)` returned, when it was called before.
        started: time.perf_counter() to count the seconds from.

    Raises:
        NotUsableError: There is nothing to judge, or an entry of accept is none.
    """
    started = time.perf_counter() if started is None else started
    splits = read_splits(folder) if splits is None else splits
    whole = {name: with_channel_axis(split, contract) for name, split in splits.items()}
    case = Case(folder, whole, contract, record, fit or contract.fit)
    entries = (*read_acceptances(accept), *read_acceptances(read_settings(folder).get("accept")))
    return Diagnosis(judge(case, entries), time.perf_counter() - started, case)


def judge(case: Case, accept: Sequence[Acceptance | Mapping[str, Any]] = ()) -> list[Finding]:
    """Return every finding on a case, errors first; what `accept` covers has the severity "accepted".

    Raises:
        NotUsableError: An entry of `accept` is none.
    """
    entries = read_acceptances(accept)
    # Numbers beyond all range are judged, not warned of on the side; the matrices are too small for threads of BLAS.
    with np.errstate(all="ignore"), threadpool_limits(limits=1, user_api="blas"):
        beside = Beside(lambda: _beside(case)) if _is_large(case) else None
        found = [finding for check in CASE_CHECKS for finding in check(case)]
        found += _of_splits(case, SPLIT_CHECKS, beside.result() if beside else {})
        further = list(judge_further(case, _judge_inputs, _judge_targets))
    kept = [_worded(each, case) for each in _without_consequences(found, case)]
    return merged(with_acceptances([*kept, *further], entries))


def _worded(finding: Finding, case: Case) -> Finding:
    """Return a finding on columns or sequences that speaks of inputs, not of images; names of arrays stay."""
    if case.input_kind not in (InputKind.COLUMNS, InputKind.SEQUENCES):
        return finding
    expected, received, fix, why = (
        IMAGES.sub("input", text) for text in (finding.expected, finding.received, finding.fix, finding.why)
    )
    return replace(finding, expected=expected, received=received, fix=fix, why=why)


def _is_large(case: Case) -> bool:
    """Whether a thread is worth its start."""
    return sum(split.images.nbytes for split in case.splits.values() if split.images is not None) > LARGE


def _beside(case: Case) -> dict[SplitCheck, list[Finding]]:
    """Return the findings of the checks that run beside the others, when the surveys leave them a core."""
    if case.train.ahead is not None:
        case.train.ahead.wait()
    return {check: _of_splits(case, [check]) for check in BESIDE}


def _of_splits(
    case: Case, checks: Sequence[SplitCheck], done: Mapping[SplitCheck, Sequence[Finding]] = MappingProxyType({})
) -> list[Finding]:
    """Return the findings of checks on every split, in the checks' order; `done` has those of some."""
    found: list[Finding] = []
    for check in checks:
        own = (each for split in case.splits.values() for each in check(case, split))
        found += done[check] if check in done else own
    return found


def _judge_inputs(case: Case) -> list[Finding]:
    """Judge a case that has inputs alone."""
    checks = [each for each in SPLIT_CHECKS if each is not check_labels]
    found = _without_consequences([*check_input(case), *_of_splits(case, checks)], case)
    return [_worded(each, case) for each in found]


def _judge_targets(case: Case) -> list[Finding]:
    """Judge the targets of a case whose inputs are judged elsewhere."""
    return _without_consequences([*check_output(case), *check_classes(case), *_of_splits(case, [check_labels])], case)


# --- what only follows ---------------------------------------------------------------------------


@dataclass
class Evidence:
    """All that was found, in the forms that the table asks for."""

    found: Sequence[Finding]
    case: Case

    @cached_property
    def kinds(self) -> set[tuple[str, FaultKind]]:
        return {(each.split, each.kind) for each in self.found}

    @cached_property
    def lost(self) -> set[str]:
        """Splits whose images show nothing any more."""
        return {split for split, kind in self.kinds if kind is FaultKind.LOST}

    @cached_property
    def odd_labels(self) -> set[str]:
        return self._with_errors(ODD_LABELS)

    @cached_property
    def odd_axes(self) -> set[str]:
        """Splits whose first axis may not be the examples'."""
        return {split for split in self._with_errors(ODD_AXES) if not self._one_for_one(split)}

    def _with_errors(self, fields: Collection[str]) -> set[str]:
        return {each.split for each in self.found if each.severity == "error" and each.field in fields}

    def _one_for_one(self, name: str) -> bool:
        """Whether a split has as many images as labels: its first axis then is the examples'."""
        split = self.case.splits.get(name)
        if split is None or split.images is None or split.labels is None:
            return True
        if not (split.images.ndim and split.labels.ndim):
            return True
        return len(split.images) == len(split.labels)

    def has(self, split: str, *kinds: FaultKind) -> bool:
        return any((split, kind) in self.kinds for kind in kinds)


@dataclass(frozen=True)
class Consequence:
    """A row of the table: findings of these kinds or fields (prefixes) follow when the cause holds."""

    cause: Callable[[Evidence, Finding], bool]
    kinds: tuple[FaultKind, ...] = ()
    fields: tuple[str, ...] = ()

    def covers(self, finding: Finding, evidence: Evidence) -> bool:
        concerned = finding.kind in self.kinds or (bool(self.fields) and finding.field.startswith(self.fields))
        return concerned and self.cause(evidence, finding)


def _scaled_apart(evidence: Evidence, _: Finding) -> bool:
    """The range is reported of one split alone."""
    return sum(evidence.has(name, FaultKind.RANGE) for name in ("train", "test")) == 1


def _mixed_up(evidence: Evidence, finding: Finding) -> bool:
    return finding.split in ("train", "test") and evidence.has("both", FaultKind.UNPACKED, FaultKind.SWAPPED)


def _leaking(evidence: Evidence, _: Finding) -> bool:
    return any(each.kind is FaultKind.LEAKAGE and each.severity != "note" for each in evidence.found)


def _corrupted(evidence: Evidence, finding: Finding) -> bool:
    """Pixels far beyond all others spoil what is said of ranges there, and of one split against another."""
    return any(
        kind is FaultKind.CORRUPTED and (finding.kind is not FaultKind.RANGE or split in (finding.split, "train"))
        for split, kind in evidence.kinds
    )


CONSEQUENCES = (
    Consequence(_corrupted, kinds=(FaultKind.RANGE, FaultKind.SCALES_DIFFER, FaultKind.NEAR_COPIES, *STATISTICAL)),
    Consequence(_scaled_apart, kinds=(FaultKind.SCALES_DIFFER,)),
    Consequence(lambda evidence, _: bool(evidence.lost), kinds=(FaultKind.SCALES_DIFFER,), fields=("splits.leakage",)),
    Consequence(_mixed_up, fields=("labels.", "images.")),
    Consequence(lambda evidence, _: bool(evidence.odd_labels), fields=("splits.class_coverage",)),
    Consequence(lambda evidence, _: evidence.has("model", FaultKind.TOO_FEW_UNITS), kinds=(FaultKind.VALUES,)),
    Consequence(  # of a loss that is for another kind of target
        lambda evidence, _: evidence.has("train", FaultKind.NUMBERS),
        fields=("model.output_units", "model.output_activation", "contract.from_logits"),
    ),
    Consequence(_leaking, kinds=(FaultKind.NEAR_COPIES,)),
    Consequence(
        lambda evidence, each: each.split in evidence.odd_labels | evidence.odd_axes | evidence.lost, kinds=STATISTICAL
    ),
    Consequence(lambda evidence, _: evidence.has("train", FaultKind.GIVEAWAY), kinds=(FaultKind.DISPLACED,)),
    Consequence(
        lambda evidence, each: evidence.has(each.split, FaultKind.DISPLACED),
        kinds=(
            *STATISTICAL,
            FaultKind.TRANSFORMED,
            FaultKind.ROTATED,
            FaultKind.INVERTED,
            FaultKind.NEAR_COPIES,
            FaultKind.BLANK,
        ),
    ),
    Consequence(
        lambda evidence, each: each.split in evidence.odd_axes,
        kinds=(FaultKind.BLANK, FaultKind.LOST, FaultKind.COUNT),
    ),
)


def _without_consequences(found: Sequence[Finding], case: Case) -> list[Finding]:
    """Leave out what only follows from another finding."""
    evidence = Evidence(found, case)
    return [each for each in found if not any(row.covers(each, evidence) for row in CONSEQUENCES)]
