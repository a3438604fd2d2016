"""Judge a case: the order of the checks, and what only follows from another finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.case import Case, Split, read_splits, with_channel_axis
from deep_mnist.doctor.checks.form import check_files, check_form
from deep_mnist.doctor.checks.labels import check_labels
from deep_mnist.doctor.checks.network import check_model
from deep_mnist.doctor.checks.pixels import check_pixels
from deep_mnist.doctor.checks.record import check_record
from deep_mnist.doctor.checks.relations import check_relations
from deep_mnist.doctor.checks.splits import check_splits
from deep_mnist.doctor.finding import Finding, merged, verdict

CASE_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    check_files, check_model, check_record, check_splits, check_relations)  # fmt: skip
SPLIT_CHECKS: tuple[Callable[[Case, Split], Iterator[Finding]], ...] = (check_form, check_labels, check_pixels)
ODD_LABELS = ("labels.values", "labels.width", "labels.rank", "labels.finite", "labels.dtype")
ODD_AXES = ("images.rank", "images.layout", "images.shape", "images.count")


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says.

    Attributes:
        findings: Errors first.
        seconds: From the start of the work.
        case: What was judged, for the report's pictures.
    """

    findings: Sequence[Finding]
    seconds: float
    case: Case

    @property
    def verdict(self) -> str:
        return verdict(self.findings)

    @property
    def errors(self) -> int:
        return sum(each.severity == "error" for each in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        findings = [each.to_dict() for each in self.findings]
        return {"verdict": self.verdict, "seconds": round(self.seconds, 3), "findings": findings}


def diagnose(
    folder: Path,
    contract: Contract,
    *,
    fit: Mapping[str, Any] | None = None,
    record: Preprocessing | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return every finding on the arrays in `folder` against `contract`.

    Args:
        folder: Holds {train,validation,test}_{images,labels} as `.npy`, IDX (plain or gz) or in one `.npz`.
        contract: What the network demands.
        fit: What is known of the call to fit: {"shuffle": bool, "validation_split": float}.
        record: What preprocess did, when it wrote the folder.
        started: time.perf_counter() to count the seconds from.

    Raises:
        NotUsableError: There is nothing to judge.
    """
    started = time.perf_counter() if started is None else started
    splits = {name: with_channel_axis(split, contract) for name, split in read_splits(folder).items()}
    case = Case(folder, splits, contract, record, fit or contract.fit)
    return Diagnosis(judge(case), time.perf_counter() - started, case)


def judge(case: Case) -> list[Finding]:
    """Return every finding on a case, errors first."""
    with np.errstate(all="ignore"):  # numbers beyond all range are judged, not warned of on the side
        found = [finding for check in CASE_CHECKS for finding in check(case)]
        found += [each for check in SPLIT_CHECKS for split in case.splits.values() for each in check(case, split)]
    return merged(_without_consequences(found, case))


def _without_consequences(found: Sequence[Finding], case: Case) -> list[Finding]:
    """Leave out what only follows from another finding."""
    kinds = {(each.split, each.kind) for each in found}
    scaled_apart = sum((name, "range") in kinds for name in ("train", "test")) == 1
    mixed_up = any(("both", kind) in kinds for kind in ("unpacked", "swapped"))
    errors = {(each.split, each.field) for each in found if each.severity == "error"}
    odd_labels = {split for split, field in errors if field in ODD_LABELS}
    odd_axes = {split for split, field in errors if field in ODD_AXES and not _one_for_one(case, split)}
    leaking = any(each.kind == "leakage" and each.severity != "note" for each in found)
    lost = {split for split, kind in kinds if kind == "lost"}

    def follows(each: Finding) -> bool:
        if each.kind == "scales differ":
            return scaled_apart or bool(lost)
        if mixed_up and each.split in ("train", "test"):
            return each.field.startswith(("labels.", "images."))
        if each.field == "splits.class_coverage":
            return bool(odd_labels)
        if each.field == "splits.leakage":
            return bool(lost) or (leaking and each.kind == "near copies")
        if each.kind in ("misaligned", "mapping", "other", "unlike", "noise", "part"):
            return each.split in odd_labels | odd_axes | lost
        return each.kind in ("blank", "lost", "count") and each.split in odd_axes

    return [each for each in found if not follows(each)]


def _one_for_one(case: Case, name: str) -> bool:
    """Whether a split has as many images as labels: its first axis then is the examples'."""
    split = case.splits.get(name)
    if split is None or split.images is None or split.labels is None or not (split.images.ndim and split.labels.ndim):
        return True
    return len(split.images) == len(split.labels)
