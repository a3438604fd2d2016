"""Check of metrics that a loop of one's own updates over all epochs and never resets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, holds, texts_around
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

EPOCH = "epoch"  # in the text of a loop that goes over epochs
UPDATE, RESULT = "update_state", "result"
RESETTING = ("reset_state", "reset_states", "reset_metrics", "reset")
DEEPEST = 2  # functions that an update lies within, one of another
MOST_NAMED = 4

NEVER_RESET = Rule(
    code="P156",
    name="metric-never-reset",
    field="contract.metrics",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A loop over epochs updates a metric in each of them, reads its result and never resets it.",
    why="Each epoch's number is the mean since the first one: it lags behind the model and hides overfitting.",
)


@check(NEVER_RESET)
def check_never_reset(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of all metrics of the first such loop."""
    if case.call is None or case.frame is None:
        return
    for text in texts_around(case.frame):
        for loop in (each for each in text.nodes if isinstance(each, ast.For) and _is_over_epochs(text, each)):
            reset = _reset(case, text)
            updated = [each for each in _updated(case, text, loop) if _is_read(loop, each)]
            kept = [each for each in updated if reset is not None and each not in reset]
            if kept:
                yield _found(text, loop, kept)
                return


def _is_over_epochs(text: ProgramText, loop: ast.For) -> bool:
    """Whether a loop goes over several epochs, and has one over batches in it."""
    if EPOCH not in f"{ast.unparse(loop.target)} {ast.unparse(loop.iter)}".lower():
        return False
    counted = loop.iter.args if isinstance(loop.iter, ast.Call) and called(loop.iter) == "range" else []
    count = counted[0].value if counted and isinstance(counted[0], ast.Constant) else None
    count = text.value_of(counted[0]) if counted and count is None else count
    return not (len(counted) == 1 and count == 1) and bool(_inner(loop))


def _inner(loop: ast.For) -> list[ast.For | ast.While]:
    return [each for of in loop.body for each in ast.walk(of) if isinstance(each, ast.For | ast.While)]


def _updated(case: Case, text: ProgramText, loop: ast.For) -> list[str]:
    """Return the texts of the metrics that the batches of an epoch update, and that were made before the loop."""
    found = dict.fromkeys(name for each in _inner(loop) for of in each.body for name in _updates(case, text, of, 0))
    stored = (ast.Name, ast.Attribute)
    made = {
        ast.unparse(each) for each in ast.walk(loop) if isinstance(each, stored) and isinstance(each.ctx, ast.Store)
    }
    return [each for each in found if each not in made]


def _updates(case: Case, text: ProgramText, code: ast.AST, depth: int) -> Iterator[str]:
    """Yield the texts of metrics of Keras that code updates, in functions that it calls too."""
    for call in (each for each in ast.walk(code) if isinstance(each, ast.Call)):
        is_method = isinstance(call.func, ast.Attribute) and call.func.attr == UPDATE
        owner = call.func.value if is_method and isinstance(call.func, ast.Attribute) else call.func
        if _is_metric(case, owner):
            yield ast.unparse(owner)
        elif depth < DEEPEST:
            for function in text.functions(called(call)):
                for statement in function.body:
                    yield from _updates(case, text, statement, depth + 1)


def _is_metric(case: Case, node: ast.expr) -> bool:
    """Whether a name, or an attribute of one, stands for a metric of Keras."""
    for frame in users_frames(case.frame):
        value = _value(node, {**frame.f_globals, **frame.f_locals})
        if value is not None:
            return any(each.__name__ == "Metric" and "keras" in each.__module__ for each in type(value).__mro__)
    return False


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return getattr(names.get(node.value.id), "__dict__", {}).get(node.attr)
    return names.get(node.id) if isinstance(node, ast.Name) else None


def _is_read(loop: ast.For, name: str) -> bool:
    """Whether the result of a metric is read within a loop."""
    calls = [each for each in ast.walk(loop) if isinstance(each, ast.Call) and called(each) == RESULT]
    return any(isinstance(each.func, ast.Attribute) and ast.unparse(each.func.value) == name for each in calls)


def _reset(case: Case, text: ProgramText) -> set[str] | None:
    """Return the texts of the metrics that a program resets one by one, None where it may reset any of them."""
    owners = [each.func.value if isinstance(each.func, ast.Attribute) else each.func for each in text.calls(*RESETTING)]
    loops = [each.target for each in text.nodes if isinstance(each, ast.For | ast.comprehension)]
    drawn = {name.id for each in loops for name in ast.walk(each) if isinstance(name, ast.Name)}
    drawn |= {each.arg for each in text.nodes if isinstance(each, ast.arg)} - {"self"}
    if any(not _is_metric(case, each) or ast.unparse(each) in drawn for each in owners):
        return None
    return {ast.unparse(each) for each in owners}


def _found(text: ProgramText, loop: ast.For, kept: list[str]) -> Finding:
    place = f"before {text.at(loop.body[0])}"
    calls = "; ".join(f"{each}.reset_state()" for each in kept)
    read = next(each for each in ast.walk(loop) if isinstance(each, ast.Call) and called(each) == RESULT
                and holds(loop, each) and ast.unparse(each.func).startswith(f"{kept[0]}."))  # fmt: skip
    return NEVER_RESET.found(
        expected="a metric of each epoch's own: reset_state() where it begins",
        received=f"{', '.join(kept[:MOST_NAMED])} in the loop at {text.at(loop)}, read at {text.at(read)}, never reset",
        fix=f"{calls}  # {place}",
    )
