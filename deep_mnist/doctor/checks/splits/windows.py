"""Check of overlapping windows of one series that were split by chance: a test window's neighbors are train's."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.hashes import hash_rows
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import COLUMNS, SEQUENCES, Follows, Need, On, Rule, Scope, check

FEWEST_STEPS = 5
MOST_TESTED = 4000
MOST_BYTES = 1 << 28
SHARE = 0.5  # of the test windows, of which a split in time has one with a neighbor in train; of a window's steps
BY_CHANCE = 0.05

SPLIT_BY_CHANCE = Rule(
    code="S167",
    name="overlapping-windows-split-by-chance",
    field="splits.leakage",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    inputs=SEQUENCES | COLUMNS,
    follows=(Follows(rules=("S120", "S122"), on=On.ANY_SPLIT),),
    summary="Test windows of a series are train windows one step later or earlier: they were split by chance.",
    why="The network has seen nearly every value of a test window, and the target: the score is too good for a future.",
)


@check(SPLIT_BY_CHANCE)
def check_windows(case: Case) -> Iterator[Finding]:
    """Yield a finding where most test windows overlap with train's in all steps but one."""
    train, test = case.train.images, case.test.images if case.test is not None else None
    if train is None or test is None or case.contract.vocabulary is not None or not _are_windows(train, test):
        return
    places = np.linspace(0, len(test) - 1, min(len(test), MOST_TESTED)).astype(int)
    some = np.asarray(test[places])
    changes = (some[:, 1:] != some[:, :-1]).reshape(len(some), some.shape[1] - 1, -1).any(axis=2)
    moving = changes.mean(axis=1) > SHARE  # rows of one event among zeros are alike by nature
    heads, tails = (_hashes(np.asarray(train)[:, part]) for part in (slice(None, -1), slice(1, None)))
    backwards = np.isin(_hashes(some[:, :0:-1]), heads)  # as many where a few values are alike by chance
    found = np.isin(_hashes(some[:, :-1]), tails) | np.isin(_hashes(some[:, 1:]), heads)
    share = float((moving & found & ~backwards).mean())
    if share > SHARE and backwards.mean() < BY_CHANCE:
        yield SPLIT_BY_CHANCE.found(
            "test",
            expected="test windows from behind train's in time",
            received=f"{share:.0%} of the test windows are a train window, moved by one step",
            fix=_fix(case),
        )


def _are_windows(train: np.ndarray, test: np.ndarray) -> bool:
    """Whether both are rows of real numbers, long enough to tell windows of one series from rows that are alike."""
    if train.dtype.kind != "f" or test.dtype != train.dtype or train.ndim not in (2, 3) or len(test) < FEWEST_STEPS:
        return False
    if train.shape[1:] != test.shape[1:] or train.shape[1] < FEWEST_STEPS or train.nbytes > MOST_BYTES:
        return False
    return not np.isin(test[:64], (0, 1)).all()


def _hashes(rows: np.ndarray) -> np.ndarray:
    return hash_rows(np.ascontiguousarray(rows).reshape(len(rows), -1))


def _fix(case: Case) -> str:
    """Return the line that splits in time, a sentence where it is not found."""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = text.calls("train_test_split") if text is not None else []
    if text is not None and len(calls) == 1 and keyword_of(calls[0], "stratify") is None:
        if line := text.rewritten(calls[0], shuffle=ast.Constant(value=False)):
            return line
    return "Split in time, and before anything is shuffled: the first windows for train, those behind them for test."
