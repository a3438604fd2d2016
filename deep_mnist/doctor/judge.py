"""Judge a case: run every check whose needs are met, and finish what was found."""

from __future__ import annotations

import importlib
import re
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.acceptance import Acceptance, read_acceptances, with_acceptances
from deep_mnist.doctor.case import Case, Split, read_splits, with_channel_axis
from deep_mnist.doctor.catalogue import checks
from deep_mnist.doctor.diagnosis import Broken, Diagnosis
from deep_mnist.doctor.evidence.background import Beside
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.finding import SEVERITIES, FaultKind, Finding, merged
from deep_mnist.doctor.multiple import judge_further
from deep_mnist.doctor.rule import Check, Follows, Need, On, Rule, Scope
from deep_mnist.doctor.settings import read_settings

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
    judged = run_checks(case)
    findings = finish(judged.findings, case, entries)
    return Diagnosis(findings, time.perf_counter() - started, case, broken=judged.broken)


@dataclass
class Judged:
    """What the checks of a case found, and which of them broke."""

    findings: list[Finding]
    broken: list[Broken]


def judge(case: Case, accept: Sequence[Acceptance | Mapping[str, Any]] = ()) -> list[Finding]:
    """Return every finding on a case, errors first; what `accept` covers has the severity "accepted".

    Raises:
        NotUsableError: An entry of `accept` is none.
    """
    return finish(run_checks(case).findings, case, read_acceptances(accept))


def run_checks(case: Case) -> Judged:
    """Return what every check whose needs are met finds, consequences and all, and which checks broke."""
    broken: list[Broken] = []
    # Numbers beyond all range are judged, not warned of on the side; the matrices are too small for threads of BLAS.
    with np.errstate(all="ignore"), threadpool_limits(limits=1, user_api="blas"):
        ahead = Beside(lambda: _in_background(case, broken)) if _is_large(case) else None
        found = {each: _run(each, case, broken) for each in checks() if not (ahead and each.in_background)}
        legacy = _legacy(case, None)
        found |= ahead.result() if ahead else {}
        case.release_hashes()
        further = list(
            judge_further(case, lambda own: _run_all(own, INPUTS, broken), lambda own: _run_all(own, OUTPUTS, broken))
        )
    whole = [finding for each in checks() for finding in found.get(each, ())]
    return Judged([*whole, *legacy, *further], broken)


INPUTS = (Scope.NETWORK_INPUT, Scope.INPUT)
OUTPUTS = (Scope.NETWORK_OUTPUT, Scope.TARGET)


def _run_all(case: Case, scopes: Collection[Scope], broken: list[Broken]) -> list[Finding]:
    """Return what the checks of these scopes find in the case of one further input or output."""
    found = [finding for each in checks() if each.scope in scopes for finding in _run(each, case, broken)]
    return [*found, *_legacy(case, scopes)]


def _in_background(case: Case, broken: list[Broken]) -> dict[Check, list[Finding]]:
    """Return the findings of the checks that run beside the others, when the surveys leave them a core."""
    if case.train.ahead is not None:
        case.train.ahead.wait()
    return {each: _run(each, case, broken) for each in checks() if each.in_background}


def _run(check: Check, case: Case, broken: list[Broken]) -> list[Finding]:
    """Return what one check finds of the rules that apply, on the case or on each split."""
    splits: list[Split | None] = [*case.splits.values()] if check.scope.is_of_split else [None]
    found: list[Finding] = []
    for split in splits:
        codes = {rule.code for rule in check.rules if applies(rule, case, split)}
        if not codes:
            continue
        try:
            each = list(check.run(case) if split is None else check.run(case, split))
        except (OSError, MemoryError):
            raise  # of the machine, whichever rule
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            names = tuple(rule.code for rule in check.rules)
            broken.append(Broken(check.run.__name__, names, f"{type(error).__name__}: {error}", trace))
            continue
        found += [finding for finding in each if finding.rule is None or finding.rule.code in codes]
    return found


def applies(rule: Rule, case: Case, split: Split | None) -> bool:
    """Whether what a rule needs is there, and the inputs are of a kind that it speaks of."""
    if rule.inputs and case.input_kind not in rule.inputs:
        return False
    return all(is_met(need, case, split or case.train) for need in rule.needs)


def is_met(need: Need, case: Case, split: Split) -> bool:
    """Whether a case has what a rule needs."""
    contract = case.contract
    met: dict[Need, Callable[[], bool]] = {
        Need.IMAGES: lambda: split.images is not None,
        Need.LABELS: lambda: split.labels is not None,
        Need.PAIRS: lambda: split.paired,
        Need.SURVEY: lambda: split.survey is not None,
        Need.TEST: lambda: case.test is not None,
        Need.CLASSES: lambda: case.task.has_classes,
        Need.LOSS: lambda: contract.loss is not None,
        Need.RECORD: lambda: case.record is not None,
        Need.WHOLE: lambda: split.is_whole,
        Need.LIVE_MODEL: lambda: False,
    }
    return met[need]()


def finish(found: Sequence[Finding], case: Case, accept: Sequence[Acceptance]) -> list[Finding]:
    """Return findings as they are reported: without mere consequences, accepted ones marked, one fault once."""
    kept = [_worded(each, case) for each in without_consequences(_without_consequences(found, case), case)]
    return merged(with_acceptances(kept, accept))


def _is_large(case: Case) -> bool:
    """Whether a thread is worth its start."""
    return sum(split.images.nbytes for split in case.splits.values() if split.images is not None) > LARGE


def _worded(finding: Finding, case: Case) -> Finding:
    """Return a finding on columns or sequences that speaks of inputs, not of images; names of arrays stay."""
    if case.input_kind not in (InputKind.COLUMNS, InputKind.SEQUENCES):
        return finding
    expected, received, fix, why = (
        IMAGES.sub("input", text) for text in (finding.expected, finding.received, finding.fix, finding.why)
    )
    return replace(finding, expected=expected, received=received, fix=fix, why=why)


LEGACY = (
    ("inputs.form", "check_files", Scope.CASE), ("network.network", "check_model", Scope.NETWORK),
    ("program.fit_arguments", "check_training", Scope.NETWORK), ("labels.shortcut", "check_giveaway", Scope.CASE),
    ("inputs.record", "check_record", Scope.CASE), ("splits.splits", "check_splits", Scope.CASE),
    ("splits.relations", "check_relations", Scope.CASE), ("inputs.form", "check_form", Scope.INPUT),
    ("inputs.arrangement", "check_arrangement", Scope.INPUT), ("labels.labels", "check_labels", Scope.TARGET),
    ("inputs.columns", "check_columns", Scope.INPUT), ("inputs.pixels", "check_pixels", Scope.INPUT),
    ("inputs.outliers", "check_outliers", Scope.INPUT), ("inputs.wrong_bytes", "check_wrong_bytes", Scope.INPUT),
    ("inputs.ranges", "check_range", Scope.INPUT), ("network.network", "check_input", Scope.NETWORK_INPUT),
    ("network.output", "check_output", Scope.NETWORK_OUTPUT),
    ("program.fit_arguments", "check_classes", Scope.NETWORK_OUTPUT),
)  # fmt: skip


def _legacy(case: Case, scopes: Collection[Scope] | None) -> list[Finding]:
    found: list[Finding] = []
    for module, name, scope in LEGACY:
        run = getattr(importlib.import_module(f"deep_mnist.doctor.checks.{module}"), name, None)
        if run is None or hasattr(run, "check") or (scopes is not None and scope not in scopes):
            continue
        if scopes is None and scope in (Scope.NETWORK_INPUT, Scope.NETWORK_OUTPUT):
            parent = importlib.import_module("deep_mnist.doctor.checks.network.network")
            if name != "check_classes" and hasattr(parent, "check_model") and not hasattr(parent.check_model, "check"):
                continue  # check_model calls it
            if name == "check_classes":
                continue
        if scope.is_of_split:
            found += [each for split in case.splits.values() for each in run(case, split)]
        else:
            found += list(run(case))
    return found


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


def without_consequences(found: Sequence[Finding], case: Case) -> list[Finding]:
    """Leave out what only follows from another finding of the same part, by the rules' own word."""
    return [each for each in found if not any(_holds(row, each, found, case) for row in _rows(each))]


MIXED_UP = Follows(rules=("S101", "S102"), on=On.BOTH)  # labels and images are not each other's: all else follows


def _rows(finding: Finding) -> tuple[Follows, ...]:
    if finding.rule is None:
        return ()
    of_arrays = finding.field.startswith(("images.", "labels.")) and finding.split != "both"
    return (*finding.rule.follows, MIXED_UP) if of_arrays else finding.rule.follows


def _holds(row: Follows, finding: Finding, found: Sequence[Finding], case: Case) -> bool:
    """Whether a cause that a row names was found."""
    causes = [
        each for each in found if each is not finding and each.part == finding.part and _is_cause(each, row, case)
    ]
    splits = {each.split for each in causes}
    return {
        On.SAME_SPLIT: finding.split in splits,
        On.SAME_OR_TRAIN: bool({finding.split, "train"} & splits),
        On.ANY_SPLIT: bool(splits),
        On.ONE_SPLIT: len(splits & {"train", "test"}) == 1,
        On.TRAIN: "train" in splits,
        On.BOTH: "both" in splits,
        On.MODEL: "model" in splits,
    }[row.on]


def _is_cause(finding: Finding, row: Follows, case: Case) -> bool:
    if SEVERITIES.index(finding.severity) > SEVERITIES.index(row.least):
        return False
    if finding.field not in row.fields and (finding.rule is None or finding.rule.code not in row.rules):
        return False
    return not (row.unless_paired and _one_for_one(case, finding.split))


def _one_for_one(case: Case, name: str) -> bool:
    """Whether a split has as many images as labels: its first axis then is the examples'."""
    split = case.splits.get(name)
    if split is None or split.images is None or split.labels is None:
        return True
    if not (split.images.ndim and split.labels.ndim):
        return True
    return len(split.images) == len(split.labels)
