"""Check for a dataset that is shuffled anew in every epoch and was split by take() and skip() behind that."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import below, inputs_of, is_dataset, kind_of, paths_to
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SPLITTING = ("Take", "Skip", "Shard", "Filter")
FROM_FOLDER = ("image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory")

RESHUFFLED = Rule(
    code="S160",
    name="split-behind-a-reshuffle",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Train and validation are take() and skip() of one dataset that is shuffled anew for each of them.",
    why="Each epoch draws both sides anew: examples of validation are trained on, and its score is that of train.",
)


@check(RESHUFFLED)
def check_reshuffled(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by the transformations that both sides share."""
    call = case.call
    if call is None or not (is_dataset(call.x) and is_dataset(call.held_out)):
        return
    theirs = {id(each) for each in below(call.held_out)}
    for node in below(call.x):
        if id(node) in theirs and reshuffles(node) and _splits(call.x, node) and _splits(call.held_out, node):
            how = " and ".join(dict.fromkeys(_kind_below(each, node) for each in (call.x, call.held_out)))
            yield RESHUFFLED.found(
                "test",
                expected="a fixed order where train and validation are taken apart: reshuffle_each_iteration=False",
                received=f"{how} behind one shuffle() that reorders all examples each time it is read: "
                "validation examples are trained on",
                fix=_fix(case, node),
            )
            return


def reshuffles(node: Any) -> bool:
    """Whether a node of a dataset reorders all examples each time it is read."""
    if kind_of(node) != "Shuffle" or getattr(node, "_reshuffle_each_iteration", True) is False:
        return False
    try:
        return int(node._buffer_size) != 1
    except (AttributeError, TypeError, ValueError):  # a tensor of a graph: its value is not known here
        return True


def _splits(dataset: Any, node: Any) -> bool:
    """Whether a part is taken on every way from a shuffle to a dataset, and no cache has fixed the order before.

    A cache behind it keeps what was taken, of an order that the other side does not share.
    """
    ways = list(paths_to(dataset, node))
    return bool(ways) and all(_is_taken(way) for way in ways)


def _is_taken(way: list[str]) -> bool:
    """Whether the transformations on the way down to a shuffle take a part, and none below that caches."""
    first = next((index for index, each in enumerate(way) if each in SPLITTING), None)
    return first is not None and "Cache" not in way[first:]


def _kind_below(dataset: Any, node: Any) -> str:
    for way in paths_to(dataset, node):
        return f"{[each for each in way if each in SPLITTING][-1].lower()}()"
    return "take()"


def _fix(case: Case, node: Any) -> str:
    if case.frame is None:
        return "Shuffle with reshuffle_each_iteration=False before take() and skip(), and train alone after them."
    text = ProgramText(case.frame)
    for call in text.calls("shuffle"):
        stated = keyword_of(call, "reshuffle_each_iteration")
        open_to = stated is None or (isinstance(stated, ast.Constant) and stated.value is not False)
        if isinstance(call.func, ast.Attribute) and open_to:
            fix = text.rewritten(call, reshuffle_each_iteration=ast.Constant(value=False))
            if fix:
                return fix
    for call in text.calls(*FROM_FOLDER):
        if fix := _both_subsets(text, case, call, node):
            return fix
    return "Shuffle with reshuffle_each_iteration=False before take() and skip(), and train alone after them."


def _both_subsets(text: ProgramText, case: Case, call: ast.Call, node: Any) -> str:
    """Return the call that reads both subsets of a folder at once, in the place of one that is split afterwards."""
    names = [text.name_of(each) for each in (case.call.x, case.call.held_out)] if case.call is not None else []
    statement = text.statement_of(call)
    if None in names or len(names) != 2 or not inputs_of(node) or not isinstance(statement, ast.Assign):
        return ""
    return f"{names[0]}, {names[1]} = {ast.unparse(of_both_subsets(call))}  # in place of take() and skip()"


def of_both_subsets(call: ast.Call, share: float = 0.2) -> ast.expr:
    """Return the call that reads a folder's files once as two datasets, train and validation."""
    stated: dict[str, float | str] = {"validation_split": share, "subset": "both", "seed": 0}
    kept = [each for each in call.keywords if each.arg not in stated]
    added = [ast.keyword(name, ast.Constant(value)) for name, value in stated.items()]
    return ast.Call(call.func, call.args, [*kept, *added])
