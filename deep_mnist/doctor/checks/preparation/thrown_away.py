"""Check of statements that make something new of the data and let it go, as ds.map(f) alone on a line does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.parts import Parts, parts_of
from deep_mnist.doctor.checks.program.later.given.fitted_anew import LEARNING
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.lineage import data_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OF_DATASETS = ("map", "shuffle", "repeat")  # of batch() D010 speaks
OF_TABLES = ("drop", "fillna", "dropna", "interpolate", "ffill", "bfill")
OF_ARRAYS = ("astype", "reshape", "transpose", "swapaxes", "squeeze", "flatten", "ravel", "clip", "round")
OF_NUMPY = (*OF_ARRAYS, "expand_dims", "nan_to_num", "log1p", "log", "divide")

MAP_LOST = Rule(
    code="D045",
    name="map-thrown-away",
    field="images.preparation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The dataset that map() returns is thrown away, and fit is given the one that it was called on.",
    why="A dataset is never changed in place: what the function does is done to no example.",
)
RESULT_LOST = Rule(
    code="D046",
    name="result-thrown-away",
    field="images.preparation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A statement makes something new of the data and throws it away: fit is given the data as they were.",
    why="The method returns its result and leaves what it is called on as it is: the line has no effect.",
)


class _ThrownAway(NamedTuple):
    """A statement whose value nothing takes.

    Attributes:
        statement, call: Of the program.
        name: Of what the call makes something new.
        value: What the name stands for at fit.
    """

    statement: ast.Expr
    call: ast.Call
    name: str
    value: Any


@check(MAP_LOST)
def check_lost_map(case: Case) -> Iterator[Finding]:
    """Yield at most one map() whose dataset is lost."""
    parts = parts_of(case)
    for lost in _lost(parts) if parts is not None else ():
        if parts is not None and called(lost.call) == "map" and is_dataset(lost.value):
            yield _found(MAP_LOST, parts, lost)
            return


@check(RESULT_LOST)
def check_lost_result(case: Case) -> Iterator[Finding]:
    """Yield each other call whose result is lost, where it would have made a difference."""
    parts = parts_of(case)
    for lost in _lost(parts) if parts is not None else ():
        if parts is not None and (severity := _severity(case, parts, lost)):
            yield _found(RESULT_LOST, parts, lost, severity)


def _found(rule: Rule, parts: Parts, lost: _ThrownAway, severity: str = "") -> Finding:
    text, line = parts.lineage.text, ast.unparse(lost.call)
    return rule.found(
        "train",
        severity=severity,
        expected=f"`{lost.name}` set to what {called(lost.call)}() returns",
        received=f"`{line}` alone at {text.at(lost.statement)}: its result is thrown away",
        fix=text.in_place(f"{lost.name} = {line}", lost.statement),
    )


def _lost(parts: Parts) -> Iterator[_ThrownAway]:
    """Yield the calls alone on a line that leave as it is what fit's data are made of, and that are not made again."""
    lineage, names = parts.lineage, {name for part in parts.train for each in part.values for name in data_in(each)}
    for statement in lineage.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if (
            not isinstance(statement, ast.Expr)
            or not isinstance(call, ast.Call)
            or statement.lineno >= parts.fit.lineno
        ):
            continue
        name = _data_of(call)
        value = lineage.text.value_of(ast.Name(name, ast.Load()))
        if name in names and value is not None and not _in_place(call) and not _made_again(parts, call, name):
            yield _ThrownAway(statement, call, name, value)


def _data_of(call: ast.Call) -> str:
    """Return the name of what a call makes something new of: its owner, or the argument of transform() or numpy's."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    data = call.args[0] if call.args and (called(call) == "transform" or _is_of_numpy(call)) else owner
    return data.id if isinstance(data, ast.Name) else ""


def _is_of_numpy(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("np", "numpy")


def _in_place(call: ast.Call) -> bool:
    return any(keyword_of(call, each) is not None for each in ("inplace", "out", "copy"))


def _made_again(parts: Parts, call: ast.Call, name: str) -> bool:
    """Whether the program calls the same where its result is kept, or sets it in place: of that name, or likewise."""
    text = parts.lineage.text
    alone = {id(each.value) for each in text.nodes if isinstance(each, ast.Expr)}
    kept = [each for each in text.calls(called(call)) if _in_place(each) or id(each) not in alone]
    if called(call) == "drop":
        return any(_words(call) & _words(each) for each in kept)
    return any(_data_of(each) == name or _arguments(each) == _arguments(call) for each in kept)


def _arguments(call: ast.Call) -> list[str]:
    return [ast.unparse(each) for each in (*call.args, *call.keywords)]


def _words(call: ast.Call) -> set[str]:
    return {each.value for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


# --- whether it would have made a difference ---------------------------------------------------------


def _severity(case: Case, parts: Parts, lost: _ThrownAway) -> str:
    method, kind = called(lost.call), type(lost.value)
    if is_dataset(lost.value) and method in OF_DATASETS:
        stepped = case.call is not None and case.call.facts.get("steps_per_epoch") is not None
        return "warning" if method == "shuffle" or (method == "repeat" and stepped) else ""
    if kind.__name__ == "DataFrame" and method in OF_TABLES:
        return "warning" if _columns_stay(parts, lost) or (method != "drop" and _has_gaps(case)) else ""
    if isinstance(lost.value, np.ndarray) and method == "transform":
        return "warning" if _learns(parts, lost.call) else ""
    if isinstance(lost.value, np.ndarray) and method in OF_NUMPY:
        return "note" if _differs(lost) else ""
    return ""


def _has_gaps(case: Case) -> bool:
    images = case.train.images
    return images is not None and images.dtype.kind == "f" and bool(np.isnan(images).any())


def _columns_stay(parts: Parts, lost: _ThrownAway) -> bool:
    """Whether columns that were to be left out are there, and the table is read as a whole behind the statement."""
    stated: ast.expr | None = keyword_of(lost.call, "columns")
    axis = keyword_of(lost.call, "axis") or (lost.call.args[1] if len(lost.call.args) > 1 else None)
    by_axis = isinstance(axis, ast.Constant) and axis.value in (1, "columns")
    stated = lost.call.args[0] if stated is None and by_axis and lost.call.args else stated
    if called(lost.call) != "drop" or stated is None:
        return False
    named = {each.value for each in ast.walk(stated) if isinstance(each, ast.Constant)}
    whole = any(_reads_whole(each, lost) for each in parts.train[0].values)
    return whole and bool(named) and named <= {*lost.value.columns}


def _reads_whole(value: ast.expr, lost: _ThrownAway) -> bool:
    """Whether an expression reads a table, and not single columns of it alone."""
    if place_of(value) < place_of(lost.statement):
        return False
    within = [each for each in ast.walk(value) if isinstance(each, ast.Subscript | ast.Attribute | ast.Name)]
    parts = {id(each.value) for each in within if isinstance(each, ast.Subscript) or
             (isinstance(each, ast.Attribute) and each.attr in lost.value.columns)}  # fmt: skip
    return any(isinstance(each, ast.Name) and each.id == lost.name and id(each) not in parts for each in within)


def _learns(parts: Parts, call: ast.Call) -> bool:
    """Whether what transforms is a scaler, an encoder or the like."""
    owner = parts.lineage.text.value_of(call.func.value) if isinstance(call.func, ast.Attribute) else None
    return type(owner).__name__.endswith(LEARNING)


def _differs(lost: _ThrownAway) -> bool:
    """Whether a call's result, made once more on a few rows, is not what it was made of."""
    few, of_numpy = lost.value[:8], _is_of_numpy(lost.call)
    try:
        given = [ast.literal_eval(each) for each in lost.call.args[of_numpy:]]
        named = {each.arg or "": ast.literal_eval(each.value) for each in lost.call.keywords}
        function = getattr(np, called(lost.call)) if of_numpy else getattr(few, called(lost.call))
        made = function(few, *given, **named) if of_numpy else function(*given, **named)
        return made.shape != few.shape or made.dtype != few.dtype or not np.array_equal(made, few, equal_nan=True)
    except Exception:  # an argument that is no constant, a shape of the whole
        return True
