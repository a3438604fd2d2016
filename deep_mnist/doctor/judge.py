"""Judge a case: run every check whose rules' needs are met; a check that breaks costs its own rules alone."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import SHARDS_FILE, Preprocessing
from deep_mnist.doctor.acceptance import Choices, choices_of
from deep_mnist.doctor.case import Case, Split, read_splits, with_channel_axis
from deep_mnist.doctor.checks.catalogue import checks
from deep_mnist.doctor.checks.multiple import judge_further
from deep_mnist.doctor.diagnosis import Broken, Diagnosis
from deep_mnist.doctor.evidence.background import BackgroundCall
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.finish import finish
from deep_mnist.doctor.report.own_fault import is_own_fault
from deep_mnist.doctor.rule import Check, Need, Rule, Scope
from deep_mnist.doctor.settings import contract_for, known_record, read_settings

Result = TypeVar("Result")
LARGE = 1 << 22  # bytes of images, from which on a thread is worth its start
OF_INPUT = (Scope.NETWORK_INPUT, Scope.INPUT)
OF_OUTPUT = (Scope.NETWORK_OUTPUT, Scope.TARGET)
OF_CASE = (Scope.CASE, Scope.SPLIT, Scope.NETWORK, *OF_INPUT, *OF_OUTPUT)
OF_NETWORK = (Scope.NETWORK, Scope.NETWORK_INPUT, Scope.NETWORK_OUTPUT)
NO_DATA = "No data were given, so the network was judged by its structure alone. --data FOLDER judges data against it."


def diagnose(
    folder: Path,
    contract: Contract,
    *,
    fit: Mapping[str, Any] | None = None,
    record: Preprocessing | None = None,
    choices: Choices | None = None,
    splits: Mapping[str, Split] | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return every finding on the arrays in `folder` against `contract`.

    Args:
        folder: Holds {train,validation,test}_{images,labels} as `.npy`, IDX (plain or gz) or in one `.npz`.
        contract: What the network demands.
        fit: What is known of the call to fit: {"shuffle": bool, "validation_split": float}.
        record: What preprocess did, when it wrote the folder.
        choices: What a person takes responsibility for, or switches off; `settings.choices_for` reads the folder's.
        splits: What `read_splits(folder)` returned, when it was called before.
        started: time.perf_counter() to count the seconds from.

    Raises:
        NotUsableError: There is nothing to judge.
    """
    started = time.perf_counter() if started is None else started
    splits = with_shards(folder, read_splits(folder)) if splits is None else with_shards(folder, splits)
    whole = {name: with_channel_axis(split, contract) for name, split in splits.items()}
    case = Case(folder, whole, contract, record, fit or contract.fit)
    choices = choices or Choices()
    judged = run_checks(case, choices.ignore)
    findings = finish(judged.findings, case, choices)
    return Diagnosis(findings, time.perf_counter() - started, case, broken=judged.broken, ignored=choices.ignore)


def with_shards(folder: Path, splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return the splits, train with the survey of its shards where the folder has their manifest.

    Its images and labels are those that preprocess drew over all shards and put beside the manifest, every class among
    them, or else those drawn here.

    Raises:
        DamagedShardError: A shard is missing or altered; the message names it.
    """
    if not (folder / SHARDS_FILE).is_file():
        return dict(splits)  # and what reads stores is not loaded
    from deep_mnist.data.shards.shard_set import shards_in
    from deep_mnist.doctor.evidence.sharded import draw_and_survey, images_at, survey_shards

    shards = shards_in(folder)
    if shards is None or not shards.count("train"):
        return dict(splits)
    drawn = splits["train"]
    if drawn.images is None or drawn.labels is None:
        images, labels, found = draw_and_survey(shards)
        drawn = Split("train", images, labels)
    else:
        found = survey_shards(shards, "train")
    drawn.is_whole, drawn.whole_images = False, partial(images_at, shards)
    vars(drawn)["survey"] = found  # in the place of the cached property's: of all, not of the drawn
    return {**splits, "train": drawn}


def judge_folder(
    folder: Path,
    *,
    model: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
    splits: Mapping[str, Split] | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return the diagnosis of a folder as a user leaves it: arrays, and optionally model.keras and contract.json.

    Args:
        folder: May also be one file of images or rows.
        model: A model or contract file to use instead of the folder's own.
        overrides: loss, from_logits, num_classes of the caller; they win.
        choices: What the caller accepts and ignores; contract.json may name more.
        splits, started: As in `diagnose`.

    Raises:
        NotUsableError: There is nothing to judge, or contract.json or the model cannot be read.
        DatasetError: The folder's manifest is damaged.
    """
    settings = read_settings(folder)
    contract = contract_for(folder, model=model, overrides=overrides, settings=settings)
    own = choices_of(settings.get("accept"), settings.get("ignore") or ())
    choices = (choices or Choices()) + own
    record = known_record(folder)
    return diagnose(folder, contract, record=record, choices=choices, splits=splits, started=started)


def judge_model(
    path: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return what can be said of a model or contract file without data: of its layers, output, loss and optimizer.

    Args:
        path: Of the file or the SavedModel's folder; nothing in it is run.
        overrides, choices, started: As in `judge_folder`.

    Raises:
        NotUsableError: It is no model or contract.
    """
    started = time.perf_counter() if started is None else started
    contract = contract_for(path.parent, model=path, overrides=overrides, settings={})
    case, choices = Case(path.parent, {"train": Split("train")}, contract), choices or Choices()
    judged = run_checks(case, choices.ignore, OF_NETWORK)
    findings, seconds = finish(judged.findings, case, choices), time.perf_counter() - started
    return Diagnosis(findings, seconds, case, broken=judged.broken, ignored=choices.ignore, not_judged=(NO_DATA,))


def judge(case: Case, choices: Choices | None = None) -> list[Finding]:
    """Return every finding on a case, gravest first; those of checks that broke are missing."""
    choices = choices or Choices()
    return finish(run_checks(case, choices.ignore).findings, case, choices)


@dataclass
class Judged:
    """What the checks of a case found, mere consequences too, and which of them broke."""

    findings: list[Finding]
    broken: list[Broken]


def run_checks(case: Case, ignore: Collection[str] = (), scopes: Collection[Scope] = OF_CASE) -> Judged:
    """Return what every check finds whose rules apply.

    Args:
        case: What is judged.
        ignore: Codes of rules; a check whose rules are all among them does not run.
        scopes: Of the checks that run.
    """
    run = CheckRun(frozenset(ignore))
    # Numbers beyond all range are judged, not warned of on the side; the matrices are too small for threads of BLAS.
    with np.errstate(all="ignore"), threadpool_limits(limits=1, user_api="blas"), _built(case):
        wanted = [each for each in checks(live=case.call is not None) if each.scope in scopes]
        background = BackgroundCall(lambda: _in_background(run, wanted, case)) if _is_large(case) else None
        found = {each: run.of(each, case) for each in wanted if not (background and each.in_background)}
        found |= background.result() if background else {}
        case.release_hashes()
        of_input, of_output = ([each for each in group if each in scopes] for group in (OF_INPUT, OF_OUTPUT))
        further = judge_further(case, partial(run.all, scopes=of_input), partial(run.all, scopes=of_output))
        return Judged([*(each for check in wanted for each in found[check]), *further], run.broken)


def _built(case: Case) -> AbstractContextManager[None]:
    if case.call is None:
        return nullcontext()
    from deep_mnist.doctor.checks.training_code.live_batch import built  # not loaded for arrays alone

    return built(case)


def _in_background(run: CheckRun, wanted: Iterable[Check], case: Case) -> dict[Check, list[Finding]]:
    """Return the findings of the checks that run in a second thread, when the surveys leave them a core."""
    if case.train.background is not None:
        case.train.background.wait()
    return {each: run.of(each, case) for each in wanted if each.in_background}


def _is_large(case: Case) -> bool:
    return sum(split.images.nbytes for split in case.splits.values() if split.images is not None) > LARGE


class CheckRun:
    """Runs checks one by one, and keeps those that raise.

    Attributes:
        ignore: Codes of rules that are not judged.
        broken: One entry a check that raised.
    """

    def __init__(self, ignore: frozenset[str] = frozenset()) -> None:
        self.ignore = ignore
        self.broken: list[Broken] = []

    def all(self, case: Case, scopes: Collection[Scope]) -> list[Finding]:
        """Return what the checks of these scopes find in the case of one further input or output."""
        wanted = [each for each in checks(live=case.call is not None) if each.scope in scopes]
        return [finding for each in wanted for finding in self.of(each, case)]

    def of(self, check: Check, case: Case) -> list[Finding]:
        """Return what one check finds of the rules that apply, on the case or on each split.

        Raises:
            OSError, MemoryError: Of the machine, whichever the check.
        """
        splits: list[Split | None] = [*case.splits.values()] if check.scope.is_of_split else [None]
        found: list[Finding] = []
        for split in splits:
            try:
                codes = {rule.code for rule in check.rules if applies(rule, case, split)} - self.ignore
                each = self._found(check, case, split) if codes else []
            except (OSError, MemoryError):
                raise
            except Exception as error:
                self.broken.append(broken_of(check, error))
                return []
            found += [finding for finding in each if finding.rule.code in codes]
        return found

    def _found(self, check: Check, case: Case, split: Split | None) -> list[Finding]:
        return list(check.run(case) if split is None else check.run(case, split))


def broken_of(check: Check, error: Exception) -> Broken:
    """Return what is kept of a check that raised."""
    codes = tuple(rule.code for rule in check.rules)
    trace = "".join(traceback.format_exception(error))
    return Broken(check.run.__name__, codes, f"{type(error).__name__}: {error}", trace)


def isolated(
    broken: list[Broken], part: str, judged: Sequence[str], act: Callable[[], Result], instead: Result
) -> Result:
    """Return what a part of the doctor returns, or `instead` when it breaks, which costs that part alone.

    Args:
        broken: Where it is kept then.
        part: Its name.
        judged: What is not judged then: codes of rules, or words.
        act: The part; what the user's own code raises in it, comes out.
        instead: Returned when it breaks.
    """
    try:
        return act()
    except Exception as error:
        if not is_own_fault(error):
            raise
        trace = "".join(traceback.format_exception(error))
        broken.append(Broken(part, tuple(judged), f"{type(error).__name__}: {error}", trace))
        return instead


def applies(rule: Rule, case: Case, split: Split | None = None) -> bool:
    """Whether what a rule needs is there, and the inputs are of a kind that it speaks of.

    Args:
        rule: Of a case.
        case: What is judged.
        split: The one that the check is to look at; None for the case as a whole, whose needs train must meet.
    """
    if rule.inputs and case.input_kind not in rule.inputs:
        return False
    return all(MET[need](case, split or case.train) for need in rule.needs)


MET: Mapping[Need, Callable[[Case, Split], bool]] = {
    Need.IMAGES: lambda _, split: split.images is not None,
    Need.LABELS: lambda _, split: split.labels is not None,
    Need.PAIRS: lambda _, split: split.paired,
    Need.SURVEY: lambda _, split: split.survey is not None,
    Need.TEST: lambda case, _: case.test is not None,
    Need.CLASSES: lambda case, _: case.task.has_classes,
    Need.LOSS: lambda case, _: case.contract.loss is not None,
    Need.RECORD: lambda case, _: case.record is not None,
    Need.WHOLE: lambda _, split: split.is_whole,
    Need.LIVE_MODEL: lambda case, _: case.call is not None,
}
