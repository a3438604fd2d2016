"""Check for Python's or numpy's random numbers in a function that Dataset.map() traces once for all examples."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from types import FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset
from deep_mnist.doctor.evidence.live.own_code import is_function_of_a_library
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

DEEPEST = 3  # functions that a mapped one calls
SETTING = ("seed", "default_rng", "RandomState", "Random", "getstate", "setstate", "get_state", "set_state")
# Draws of one number, as TensorFlow makes them anew for each example; {0}, {1} are the arguments.
IN_TENSORFLOW = {
    ("random", 0): "{tf}.random.uniform(())",
    ("rand", 0): "{tf}.random.uniform(())",
    ("randn", 0): "{tf}.random.normal(())",
    ("uniform", 2): "{tf}.random.uniform((), {0}, {1})",
    ("normal", 2): "{tf}.random.normal((), {0}, {1})",
    ("gauss", 2): "{tf}.random.normal((), {0}, {1})",
}

TRACED = Rule(
    code="D047",
    name="random-number-traced-once",
    field="images.preparation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A function given to Dataset.map() draws by Python's random or numpy: once, when it is traced.",
    why="All examples of all epochs get the same number: nothing is augmented, every image is changed alike or none.",
)


class _Mapped(NamedTuple):
    """A function that map() traces, or that such a one calls.

    Attributes:
        function: Of the user's own code, a FunctionType.
        text: Of its file.
        body: Its definition, or that of a lambda.
    """

    function: Any
    text: ProgramText
    body: ast.FunctionDef | ast.Lambda


@check(TRACED)
def check_traced_once(case: Case) -> Iterator[Finding]:
    """Yield each statement of a mapped function of train's that draws a number once for all."""
    if case.call is None or case.frame is None or not is_dataset(case.call.x) or _runs_as_python():
        return
    told = set[tuple[str, int]]()
    for node in below(case.call.x):
        for mapped in _functions(getattr(getattr(node, "_map_func", None), "_func", None), case.frame):
            for draw in _draws(mapped):
                place = mapped.text.file, draw.lineno
                if place not in told:
                    told.add(place)
                    yield _found(case.frame, mapped, draw)


def _runs_as_python() -> bool:
    """Whether tf.data runs functions as Python for each example, as its debug mode does."""
    return bool(getattr(sys.modules.get("tensorflow.python.data.ops.debug_mode"), "DEBUG_MODE", False))


def _functions(function: Any, frame: FrameType, depth: int = 0) -> Iterator[_Mapped]:
    """Yield a function, and those of the user's own that it calls by name."""
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, FunctionType) or is_function_of_a_library(function) or depth > DEEPEST:
        return
    text = ProgramText(frame, function.__code__.co_filename)
    body = text.function_at(function.__code__) or _lambda_of(text, function)
    if body is None:
        return
    yield _Mapped(function, text, body)
    for node in _own_nodes(body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from _functions(_value_of(function, node.func), frame, depth + 1)


def _lambda_of(text: ProgramText, function: FunctionType) -> ast.Lambda | None:
    """Return the only lambda on a function's line, None of others."""
    line = function.__code__.co_firstlineno
    found = [each for each in text.nodes if isinstance(each, ast.Lambda) and each.lineno == line]
    return found[0] if len(found) == 1 and function.__name__ == "<lambda>" else None


def _own_nodes(body: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, and not those of functions within it, which py_function may be given."""
    for child in ast.iter_child_nodes(body):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _value_of(function: FunctionType, node: ast.expr) -> Any:
    """Return what a name, or an attribute of a module, stands for in a function; None where that is not known."""
    if isinstance(node, ast.Attribute):
        owner = _value_of(function, node.value)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
    if not isinstance(node, ast.Name) or node.id in function.__code__.co_varnames:
        return None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[node.id].cell_contents if node.id in cells else function.__globals__.get(node.id)
    except ValueError:  # a cell that holds nothing yet
        return None


def _draws(mapped: _Mapped) -> Iterator[ast.Call]:
    """Yield the calls that draw by Python's random, by numpy.random, or by a generator of theirs."""
    for node in _own_nodes(mapped.body):
        if not isinstance(node, ast.Call) or called(node) in SETTING:
            continue
        drawn = _value_of(mapped.function, node.func)
        owner = getattr(drawn, "__self__", None)
        if owner is None and isinstance(node.func, ast.Attribute):
            owner = _value_of(mapped.function, node.func.value)
        if isinstance(owner, np.random.Generator | np.random.RandomState) or _is_of_random(owner):
            yield node


def _is_of_random(owner: Any) -> bool:
    """Whether something is Python's module random or numpy's, or an instance of random.Random."""
    is_module = isinstance(owner, ModuleType) and owner.__name__ in ("random", "numpy.random")
    return is_module or any(each.__module__ == "random" for each in type(owner).__mro__)


def _found(frame: FrameType, mapped: _Mapped, draw: ast.Call) -> Finding:
    name = getattr(mapped.body, "name", "the lambda")
    return TRACED.found(
        "train",
        expected="numbers of tf.random in what map() is given: drawn anew for each example",
        received=f"`{ast.unparse(draw)}` in {name} at {mapped.text.at(draw)}: drawn once, when map() traces it",
        fix=_in_tensorflow(frame, mapped.text, draw)
        or f"Draw by tf.random in the place of `{ast.unparse(draw)}`, or call {name} by tf.numpy_function.",
    )


def _in_tensorflow(frame: FrameType, text: ProgramText, draw: ast.Call) -> str:
    """Return the statement around a draw of one number with one of TensorFlow's in its place; "" of any other draw."""
    form = IN_TENSORFLOW.get((called(draw), len(draw.args)))
    statement = text.statement_of(draw)
    if form is None or draw.keywords or statement is None:
        return ""
    alias, _ = alias_of(frame, "tensorflow", "tf")
    new = ast.parse(form.format(*map(ast.unparse, draw.args), tf=alias), mode="eval").body
    if not isinstance(statement, ast.If):
        return text.with_expression(draw, new)
    within = any(each is draw for each in ast.walk(statement.test))
    return text.in_place(f"if {ast.unparse(exchanged(statement.test, [(draw, new)]))}:", statement) if within else ""
