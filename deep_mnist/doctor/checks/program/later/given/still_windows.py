"""Check of forecasts made step by step behind the fit, in a loop of predict() whose window never moves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, Setting, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers
from deep_mnist.doctor.evidence.live.source_text import argument_of, called, holds
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SHAPING = ("reshape", "array", "asarray", "expand_dims", "astype", "float32", "copy", "squeeze", "stack", "cast")
JOINING = ("append", "concatenate", "concat", "hstack", "vstack")
CHANGING = ("fit", "train_on_batch", "load_weights", "set_weights", "reset_states", "reset_state", "time",
            "perf_counter", "process_time")  # calls in loops that train, or that measure times  # fmt: skip
Loop = ast.For | ast.While

STILL = Rule(
    code="P159",
    name="window-never-moves",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit a loop predicts step by step, and its window is the same in every round.",
    why="Every forecast is the first one: a flat line, whatever the network has learned.",
)


@check(STILL)
def check_still_windows(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    shape = getattr(call.model, "input_shape", None) if call is not None else None
    if call is None or call.verb != "fit" or not isinstance(shape, tuple) or not _is_plain(call.model):
        return
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, "predict")
        given = argument_of(node, 0, "x") if node is not None else None
        loop = _loop_around(use)
        if node is None or given is None or loop is None or calls_in(loop.body, *CHANGING) or not _kept(use, loop):
            continue
        old = _old_part(use, loop, node, given, shape)
        if old is None and not _is_still(use, loop, given):
            continue
        told = f"{ast.unparse(old)} cuts the prediction off" if old is not None else "never set"
        text = use.scope.text
        yield STILL.found(
            expected="a window that each prediction moves on by a step",
            received=f"{ast.unparse(given)[:60]} in the loop at {text.at(loop)}, in {ast.unparse(node)[:60]}: {told}"
            + (f" at {text.at(old)}" if old is not None else " there"),
            fix=_later_part(use, old) if old is not None else _moved_on(use, node, given, shape),
        )
        return


def _is_plain(model: Any) -> bool:
    """Whether a network answers alike whenever it is asked: no layer keeps states, or is the user's own."""
    layers = all_layers(model)[1:]
    return bool(layers) and not any(
        getattr(each, "stateful", False) or type(each).__name__ == "Lambda"
        or not type(each).__module__.startswith(OF_KERAS) for each in layers
    )  # fmt: skip


def _loop_around(use: Use) -> Loop | None:
    """Return the innermost loop around an expression, where it counts; None of one that goes over data."""
    loops = [each for each in use.scope.text.nodes if isinstance(each, Loop) and holds(each, use.node)]
    loop = max(loops, key=lambda each: each.lineno, default=None)
    if isinstance(loop, ast.For) and not (isinstance(loop.iter, ast.Call) and called(loop.iter) == "range"):
        return None
    return loop


def _kept(use: Use, loop: Loop) -> bool:
    """Whether a loop keeps its predictions: in a list, or in the places of an array."""
    lineage = Lineage(use.scope.text, loop.body)
    kept = [each for each in calls_in(loop.body, "append", "extend") if isinstance(each.func, ast.Attribute)]
    values = [part for each in kept for part in each.args]
    sets = [each for of in loop.body for each in ast.walk(of) if isinstance(each, ast.Assign)]
    values += [each.value for each in sets if isinstance(each.targets[0], ast.Subscript)]
    return any(_is_made_of(lineage, each, use.node) for each in values)


def _is_made_of(lineage: Lineage, value: ast.expr, node: ast.expr) -> bool:
    return any(holds(each, node) for each in lineage.of(value, place_of(value)))


def _is_still(use: Use, loop: Loop, given: ast.expr) -> bool:
    """Whether nothing that a window is made of changes in a loop."""
    nodes = [
        each for of in (*loop.body, *([loop.target] if isinstance(loop, ast.For) else [])) for each in ast.walk(of)
    ]
    changed = {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    stored = [
        each for each in nodes if isinstance(each, ast.Subscript | ast.Attribute) and isinstance(each.ctx, ast.Store)
    ]
    called_on = [each.func for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    calls = [each for each in ast.walk(given) if isinstance(each, ast.Call)]
    changed |= {name for each in stored for name in names_in(each.value)}
    inside = {id(each.func) for each in calls}
    changed |= {
        name for each in called_on if id(each) not in inside and each.attr != "predict" for name in names_in(each)
    }
    handed = [each for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    changed |= {name for each in handed for part in each.args for name in names_in(part)}
    names = [each for each in ast.walk(given) if isinstance(each, ast.Name)]
    data = {each.id for each in names if not isinstance(use.value(each), ModuleType)}
    return bool(data) and not data & changed and all(called(each) in SHAPING for each in calls)


def _old_part(
    use: Use, loop: Loop, node: ast.Call, given: ast.expr, shape: tuple[int | None, ...]
) -> ast.Subscript | None:
    """Return the part [:steps] of the old window and the prediction behind it that the window is set to; else None."""
    lineage = Lineage(use.scope.text, loop.body)
    for name in names_in(given):
        settings = [each for each in lineage.settings if each.name == name]
        if not settings or settings[0].at < place_of(node) or not all(each.replaces for each in settings):
            continue
        last = settings[-1]
        values = [last.value, *lineage.of(last.follows, last.at)]
        for part in (each for value in values for each in ast.walk(value) if isinstance(each, ast.Subscript)):
            upper = _upper(part)
            steps = use.value(upper) if upper is not None else None
            if (steps == shape[1] or _is_last(upper)) and _is_joined(lineage, part, last, node):
                return part
    return None


def _upper(part: ast.Subscript) -> ast.expr | None:
    """Return the end of the only slice that has one, and no beginning; None of any other part."""
    slices = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
    cuts = [each for each in slices if isinstance(each, ast.Slice) and (each.lower or each.upper or each.step)]
    return cuts[0].upper if len(cuts) == 1 and cuts[0].lower is None and cuts[0].step is None else None


def _is_last(node: ast.expr | None) -> bool:
    return node is not None and ast.unparse(node) == "-1"


def _is_joined(lineage: Lineage, part: ast.Subscript, setting: Setting, node: ast.Call) -> bool:
    """Whether what a part is of joins the window as it was and a prediction, in this order."""
    at = place_of(part) if isinstance(part.value, ast.Name) else setting.at
    for value in [part.value, *lineage.of(part.value, at)]:
        for each in ast.walk(value):
            sides: list[ast.expr] = []
            if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add):
                sides = [each.left, each.right]
            elif isinstance(each, ast.Call) and called(each) in JOINING and each.args:
                first = each.args[0]
                sides = list(first.elts) if isinstance(first, ast.Tuple | ast.List) else list(each.args[:2])
            if len(sides) == 2 and setting.name in names_in(sides[0]):
                old, new = (_is_made_of(lineage, side, node) for side in sides)
                return new and not old
    return False


def _later_part(use: Use, part: ast.Subscript) -> str:
    """Return the statement with the last steps in the place of the first ones."""
    upper = _upper(part)
    if upper is None:
        return ""
    last = ast.UnaryOp(ast.USub(), upper) if not _is_last(upper) else ast.Constant(1)
    slices = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
    cut = [ast.Slice(last) if isinstance(each, ast.Slice) and each.upper is upper else each for each in slices]
    new = ast.Subscript(part.value, ast.Tuple(cut, ast.Load()) if len(cut) > 1 else cut[0], part.ctx)
    return use.scope.text.with_expression(part, new) or f"Keep the last steps: {ast.unparse(new)}."


def _moved_on(use: Use, node: ast.Call, given: ast.expr, shape: tuple[int | None, ...]) -> str:
    """Return the statement that predicts and then moves the window on, in words where it is no plain one."""
    text, statement = use.scope.text, use.statement
    units = (getattr(use.scope.model, "output_shape", None) or (None,))[-1]
    features = shape[2] if len(shape) == 3 else 1
    plain = isinstance(statement, ast.Assign) and statement.value is node and isinstance(statement.targets[0], ast.Name)
    if not plain or not isinstance(statement, ast.Assign) or not isinstance(given, ast.Name) or units != features:
        return "Put each prediction behind the window and leave out its first step, before the next round predicts."
    step = "(1, 1, -1)" if len(shape) == 3 else "(1, -1)"
    window, made = given.id, ast.unparse(statement.targets[0])
    again = f"{window} = np.append({window}[:, 1:], np.reshape({made}, {step}), axis=1)"
    return text.in_place(f"{ast.unparse(statement)}; {again}", statement)
