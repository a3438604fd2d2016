"""Check for a dataset that pairs two others, of which each is shuffled into an order of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import trains_in_own_way
from deep_mnist.doctor.evidence.live.dataset_graph import below, inputs_of, is_dataset, kind_of
from deep_mnist.doctor.evidence.live.dataset_stages import PASSED_OVER
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ROWLESS = ("Range", "Counter", "Random", "Tensor")  # sources that hold no examples
READERS = ("shuffle", "list_files", "image_dataset_from_directory", "text_dataset_from_directory")

APART = Rule(
    code="D062",
    name="zipped-parts-shuffled-apart",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LOSS),
    summary="A dataset pairs examples with labels behind shuffles that do not give both one order.",
    why="Nearly every example has another one's label: nothing can be learned.",
)


@check(APART)
def check_zipped_apart(case: Case) -> Iterator[Finding]:
    """Yield a finding for each split that is a zip() of two orders."""
    call = case.call
    if call is None or call.verb != "fit" or trains_in_own_way(call.model):
        return
    for split, data in (("train", call.x), ("test", call.held_out)):
        pair = _pair(data) if is_dataset(data) and labels_differ(case, split) else None
        if pair is None:
            continue
        one, other = (_shuffles(each) for each in pair)
        if words := _how_apart(one, other):
            yield APART.found(
                split,
                expected="one order for examples and labels: shuffle() behind zip(), or one seed for both",
                received=words,
                fix=_fix(case, one, other),
            )


def labels_differ(case: Case, split: str) -> bool:
    """Whether there are labels of a split that are not all alike, so that their order counts."""
    part = case.train if split == "train" else case.test
    labels = part.labels if part is not None else None
    return labels is not None and len(labels) > 1 and bool((np.asarray(labels) != np.asarray(labels)[:1]).any())


def _pair(dataset: Any) -> tuple[Any, Any] | None:
    """Return the datasets of examples and of labels of a zip() whose pairs stay as they are up to a dataset."""
    while kind_of(dataset) != "Zip":
        held = inputs_of(dataset)
        kind = kind_of(dataset)
        is_kept = kind in PASSED_OVER or "Batch" in kind or (kind == "Map" and _keeps_apart(dataset))
        if not is_kept or len(held) != 1:
            return None
        dataset = held[0]
    parts = dataset._datasets
    if not isinstance(parts, tuple) or len(parts) != 2 or not all(map(_is_plain, parts)):
        return None
    return parts


def _is_plain(part: Any) -> bool:
    """Whether a dataset yields one tensor an element, of a chain that ends in examples."""
    if not is_dataset(part) or not hasattr(part.element_spec, "shape"):
        return False
    nodes = below(part)
    return all(len(inputs_of(each)) < 2 for each in nodes) and kind_of(nodes[-1]) not in ROWLESS


def _keeps_apart(dataset: Any) -> bool:
    """Whether a map's first result hangs on its first argument alone, and the second one on the second."""
    try:
        graph = dataset._map_func.function.graph
        given, made = graph.inputs, graph.outputs
        return len(given) == len(made) == 2 and all(
            given[1 - place].op.name not in _behind(made[place].op) for place in (0, 1)
        )
    except AttributeError:
        return False


def _behind(operation: Any) -> set[str]:
    """Return the names of the operations that one hangs on, its own too."""
    found, waiting = set[str](), [operation]
    while waiting:
        node = waiting.pop()
        if node.name not in found:
            found.add(node.name)
            waiting += [each.op for each in node.inputs]
    return found


def _shuffles(part: Any) -> list[Any]:
    return [each for each in below(part) if kind_of(each) == "Shuffle" and int(each._buffer_size) != 1]


def _how_apart(one: list[Any], other: list[Any]) -> str:
    """Return in words why two chains of shuffles do not give one order, "" where they do."""
    if bool(one) != bool(other):
        moved, left = ("examples", "labels") if one else ("labels", "examples")
        return f"{moved} that are shuffled, zipped with {left} that are not"
    pairs = list(zip(one, other, strict=False))
    if any(left is right and left._reshuffle_each_iteration is not False for left, right in pairs):
        return "examples and labels that each read one shuffle() anew, which gives each reading another order"
    if len(one) != len(other) or any(_drawn_apart(left, right) for left, right in pairs):
        return "examples and labels that are shuffled by draws of their own, and then zipped"
    return ""


def _drawn_apart(left: Any, right: Any) -> bool:
    return left is not right and (_draw(left) != _draw(right) or not any(_draw(left)[:2]))


def _draw(node: Any) -> tuple[int, int, int, bool]:
    """Return what a shuffle's order hangs on: two seeds, 0 and 0 for chance, its buffer, and whether it changes."""
    return int(node._seed), int(node._seed2), int(node._buffer_size), node._reshuffle_each_iteration is not False


def _fix(case: Case, one: list[Any], other: list[Any]) -> str:
    """Return the statements that shuffle both alike, or neither; words where they are not known."""
    words = "Zip the datasets as they are, without shuffle(), and shuffle() the pairs behind zip()."
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = [each for each in text.calls(*READERS) if keyword_of(each, "seed") is None] if text is not None else []
    shuffles = {id(each) for each in (*one, *other)}
    if text is None or not 1 <= len(calls) <= len(shuffles) <= 2:
        return words
    if len(shuffles) == 1 and one and other:
        return text.rewritten(calls[0], reshuffle_each_iteration=ast.Constant(value=False)) or words
    made = [_line(text, each, alone=len(shuffles) == 1) for each in calls]
    if not all(made):
        return words
    if len(made) == 1:
        return made[0]
    body, _, place = made[1].partition("  # ")
    return f"{made[0]}, and {place}: {body}"


def _line(text: ProgramText, call: ast.Call, *, alone: bool) -> str:
    if not alone:
        return text.rewritten(call, seed=ast.Constant(0))
    is_shuffle = isinstance(call.func, ast.Attribute) and call.func.attr == "shuffle"
    if is_shuffle and isinstance(call.func, ast.Attribute):
        return text.with_expression(call, call.func.value)
    return text.rewritten(call, shuffle=ast.Constant(value=False))
