"""The work of validate: judge a folder of arrays against a network's contract, write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.contract import Contract, ContractError, load_contract, read_json, with_settings
from components.dataset import MANIFEST, DatasetError, Preprocessing, open_dataset
from components.validate.case import Case, NotUsable, Split, read_splits, with_channel_axis
from components.validate.finding import Finding, merged, verdict
from components.validate.form_checks import check_files, check_form
from components.validate.label_checks import check_labels
from components.validate.model_checks import check_model
from components.validate.pixel_checks import check_pixels
from components.validate.record_checks import check_record
from components.validate.relation_checks import check_relations
from components.validate.split_checks import check_splits

CASE_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    check_files, check_model, check_record, check_splits, check_relations)  # fmt: skip
SPLIT_CHECKS: tuple[Callable[[Case, Split], Iterator[Finding]], ...] = (check_form, check_labels, check_pixels)
NO_MODEL = ("input_shape: no model was given", "input scaling: no model was given", "loss: no model was given")
ODD_LABELS = ("labels.values", "labels.width", "labels.rank", "labels.finite", "labels.dtype")
ODD_AXES = ("images.rank", "images.layout", "images.shape", "images.count")
SETTINGS = ("loss", "from_logits", "num_classes")


class InvalidData(ValueError):
    """Raised with every error found in the data, not only the first."""


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
        NotUsable: There is nothing to judge.
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


def read_settings(folder: Path) -> dict[str, Any]:
    """Return a folder's contract.json, {} without one.

    Raises:
        NotUsable: It is no object, or a field has an impossible value.
    """
    path = folder / "contract.json"
    if not path.is_file():
        return {}
    try:
        told = read_json(path)
    except ContractError as error:
        raise NotUsable(str(error)) from error
    if not isinstance(told, dict):
        raise NotUsable(f"Expected an object in {path}. Received: {type(told).__name__}.")
    _check_types(told, path)
    return told


def _check_types(told: Mapping[str, Any], path: Path) -> None:
    kinds: dict[str, Any] = {"loss": str, "from_logits": bool, "num_classes": int, "fit": dict}
    for name, kind in kinds.items():
        value = told.get(name)
        wrong = value is not None and (not isinstance(value, kind) or (kind is int and (value is True or value < 1)))
        if wrong:
            raise NotUsable(f"Expected {name} of type {kind.__name__} in {path}. Received: {str(value)[:80]}.")


def contract_for(folder: Path, *, model: Path | None = None, told: Mapping[str, Any] | None = None) -> Contract:
    """Return the contract a folder is judged by: the model's, with what contract.json and the caller tell.

    Args:
        folder: May hold model.keras and contract.json.
        model: A model or contract file to use instead of the folder's own.
        told: loss, from_logits, num_classes of the caller; they win.

    Raises:
        NotUsable: A file is no model or contract.
    """
    settings = {**read_settings(folder), **{name: value for name, value in (told or {}).items() if value is not None}}
    path = model or next((each for each in _models_in(folder) if each.exists()), None)
    try:
        if path is not None:
            contract = load_contract(path)
        else:
            contract = Contract(name="none given", unknown=NO_MODEL)
    except ContractError as error:
        raise NotUsable(str(error)) from error
    contract = _with_conflicts(contract, settings)
    contract = with_settings(contract, **{name: settings.get(name) for name in SETTINGS})
    return replace(contract, fit=settings.get("fit") or contract.fit)


def _models_in(folder: Path) -> list[Path]:
    return [folder / name for name in ("model.keras", "model.h5", "model.json", "contract.yaml")]


def _with_conflicts(contract: Contract, settings: Mapping[str, Any]) -> Contract:
    """Name where contract.json contradicts what the model was compiled with; contract.json wins."""
    conflicts = [
        f"{name}: the model was compiled with {getattr(contract, name)}, the contract says {settings[name]}"
        for name in ("loss", "from_logits")
        if settings.get(name) is not None and getattr(contract, name) not in (None, settings[name])
    ]
    return replace(contract, conflicts=(*contract.conflicts, *conflicts))


def open_record(folder: Path) -> Preprocessing | None:
    """Return the preprocessing record of a dataset folder after checking every file's digest, None without one.

    Raises:
        DatasetError: A file is missing or altered.
    """
    return open_dataset(folder).record if (folder / MANIFEST).is_file() else None


def known_record(folder: Path) -> Preprocessing | None:
    """Return the record in a folder's manifest without reading the files for their digests.

    Raises:
        DatasetError: The manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = read_json(path)
    except ContractError as error:
        raise DatasetError(str(error)) from error
    told = manifest.get("preprocessing") if isinstance(manifest, dict) else None
    return Preprocessing.from_dict(told) if isinstance(told, dict) else None


def validate_dataset(folder: Path, contract: Contract) -> Diagnosis:
    """Judge the dataset that preprocess wrote.

    Raises:
        DatasetError: The folder was altered since, or holds nothing; the message names the step to rerun.
    """
    record = open_record(folder)
    try:
        settings = read_settings(folder)
        told = with_settings(contract, **{name: settings.get(name) for name in SETTINGS})
        return diagnose(folder, told, fit=settings.get("fit") or contract.fit, record=record)
    except NotUsable as error:
        raise DatasetError(f"{error} Rerun preprocess.") from error


def require_valid(findings: Sequence[Mapping[str, Any]], told_verdict: str) -> str:
    """Return "fit", the token that train waits for.

    Args:
        findings: As in the doctor's JSON.
        told_verdict: What validate returned.

    Raises:
        InvalidData: The verdict is not "fit"; the message tells every error.
    """
    errors = [each for each in findings if each.get("severity") == "error"]
    if told_verdict == "fit" and not errors:
        return "fit"
    lines = [
        f"{each['field']} ({each['split']})\n"
        f"    Expected: {each['expected']}\n    Received: {each['received']}\n"
        + (f"    Where: {', '.join(map(str, each['where']))}\n" if each.get("where") else "")
        + f"    Fix: {each['fix']}"
        for each in errors
    ]
    raise InvalidData("\n  ".join([f"the data are not fit to train on, {len(errors)} errors:", *lines]))
