"""A value of Python that is used as one of another kind: joined with a text, gone through, called, asked by a name."""

from __future__ import annotations

import ast
import builtins
import re
from types import ModuleType
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.operands import operands_at
from deep_mnist.doctor.checks.crashes.values.rules import KIND_OTHER
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

JOINED = re.compile(
    r'can only concatenate str \(not "(\w+|numpy\.\w+)"\) to str|ufunc \'add\' did not contain a loop .*<U\d+'
)
NOT_ITERABLE = re.compile(r"^'(?:numpy\.)?(int|float)\d*' object is not iterable")
NOT_CALLABLE = re.compile(r"^'([\w.]+)' object is not callable")
COUNTED = re.compile(r"object of type '(?:numpy\.)?(int|float)\d*' has no len\(\)")
BY_NAME = re.compile(r"(?:list|string) indices must be integers(?: or slices)?, not '?str")
TEXTS = ("str", "repr", "format", "join", "strip", "lower", "upper", "replace", "input")
OF_TENSORS = ("Tensor", "EagerTensor", "KerasTensor", "SymbolicTensor")


def explain_kind(crash: Crash) -> Finding | None:
    """Name the value, and the user's line with what was meant."""
    step = crash.user
    if step is None or not isinstance(crash.error, TypeError):
        return None
    for says, way in WAYS:
        if says.search(crash.text) is not None:
            return way(crash, step)
    return None


def _joined(crash: Crash, step: TraceStep) -> Finding | None:
    """A number behind a text and a plus."""
    node = operands_at(step)
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    whole = max((each for each in ast.walk(step.tree) if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add)
                 and any(part is node for part in _parts_of(each))), key=lambda each: len(ast.unparse(each)),
                default=node)  # fmt: skip
    parts = [each for each in _parts_of(whole) if not (isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add))]
    numbers = [each for each in parts if not _is_text(each, step)]
    if not numbers or _is_text(node.right, step):
        return None
    told = ", ".join(map(ast.unparse, numbers))
    fix = line_changed(step, [(each, f"str({ast.unparse(each)})") for each in numbers])
    return crash.found(
        KIND_OTHER,
        f"texts on both sides of +, or an f-string: {told} as str({told})"
        if len(numbers) == 1
        else "texts on both sides of each +",
        f"{told}, which is no text",
        fix,
    )


def _is_text(node: ast.expr, step: TraceStep) -> bool:
    value = node.value if isinstance(node, ast.Constant) else held_by(node, step.frame)
    return (
        isinstance(node, ast.JoinedStr)
        or isinstance(value, str)
        or (isinstance(node, ast.Call) and called(node) in TEXTS)
    )


def _parts_of(node: ast.expr) -> list[ast.expr]:
    """Return a sum and all that it is the sum of."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [node, *_parts_of(node.left), *_parts_of(node.right)]
    return [node]


def _is_number(node: ast.expr, step: TraceStep) -> bool:
    value = node.value if isinstance(node, ast.Constant) else held_by(node, step.frame)
    return isinstance(value, int | float) or type(value).__module__ == "numpy"


def _gone_through(crash: Crash, step: TraceStep) -> Finding | None:
    """A number behind the `in` of a loop."""
    nodes = ProgramText(step.frame, step.file).nodes
    loops = [each.iter for each in nodes if isinstance(each, ast.For | ast.comprehension)]
    found = [each for each in loops if each.lineno == step.line and _is_count(each, step)]
    if len(found) != 1:
        return None
    text = ast.unparse(found[0])
    whole = text if NOT_ITERABLE.findall(crash.text) == ["int"] else f"int({text})"
    return crash.found(
        KIND_OTHER,
        f"range({whole}), each number below it",
        f"{text}, which is one number",
        line_changed(step, [(found[0], f"range({whole})")]),
    )


def _is_count(node: ast.expr, step: TraceStep) -> bool:
    is_length = isinstance(node, ast.Call) and called(node) == "len"
    return is_length or _is_number(node, step) or (isinstance(node, ast.Subscript) and ".shape" in ast.unparse(node))


def _counted(crash: Crash, step: TraceStep) -> Finding | None:
    """len() of what is a count already."""
    calls = [each for each in step.on_line(ast.Call) if called(each) == "len" and len(each.args) == 1
             and _is_number(each.args[0], step)]  # fmt: skip
    if len(calls) != 1:
        return None
    text = ast.unparse(calls[0].args[0])
    return crash.found(
        KIND_OTHER, f"{text} itself, which is a number", f"len({text})", line_changed(step, [(calls[0], text)])
    )


def _called(crash: Crash, step: TraceStep) -> Finding | None:
    """Something with parentheses behind it that is no function."""
    call = step.call
    value = held_by(call.func, step.frame) if call is not None else None
    if call is None or value is None or callable(value) or type(value).__name__ in OF_TENSORS:
        return None
    name, kind = ast.unparse(call.func), type(value).__name__
    leaf = name.rpartition(".")[2]
    if isinstance(value, ModuleType):
        own = getattr(value, leaf, None)
        fix = line_changed(step, [(call.func, f"{name}.{leaf}")])
        return (
            crash.found(KIND_OTHER, f"{name}.{leaf}, which the module has", f"the module {name}", fix)
            if callable(own)
            else None
        )
    if isinstance(call.func, ast.Name) and callable(getattr(builtins, name, None)):
        fix = f"from builtins import {name}  # before {crash.place}; and give the program's own {name} another name"
        return crash.found(
            KIND_OTHER, f"{name} of Python", f"a value of the program that has its name, of type {kind}", fix
        )
    if not call.args and not call.keywords:
        return crash.found(
            KIND_OTHER,
            f"{name} without ()",
            f"{name}(), where {name} is of type {kind}",
            line_changed(step, [(call, name)]),
        )
    if call.keywords or not hasattr(value, "__getitem__"):
        return None
    inner = ", ".join(map(ast.unparse, call.args))
    return crash.found(
        KIND_OTHER,
        f"{name}[{inner}], in square brackets",
        f"{name}({inner}), where {name} is of type {kind}",
        line_changed(step, [(call, f"{name}[{inner}]")]),
    )


def _by_name(crash: Crash, step: TraceStep) -> Finding | None:
    """A list of dictionaries, or a text, that is asked by a name."""
    asked = [(each, held_by(each.value, step.frame)) for each in step.on_line(ast.Subscript)]
    found = [(each, value) for each, value in asked if isinstance(value, list | str)]
    if len({ast.unparse(each.value) for each, _ in found}) != 1:
        return None
    node, value = found[0]
    name, key = ast.unparse(node.value), ast.unparse(node.slice)
    if isinstance(value, list):
        first = value[0] if value else None
        literal = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if not isinstance(first, dict) or literal not in first:
            return None
        fix = line_changed(step, [(node, f"[each[{key}] for each in {name}]")])
        return crash.found(KIND_OTHER, f"{key} of each of its {len(value)} dictionaries", f"{name}, a list", fix)
    loops = [each for each in ProgramText(step.frame, step.file).loops_around(step.line)
             if ast.unparse(each.target) == name]  # fmt: skip
    if not loops:
        return None
    return _of_keys(crash, step, loops[-1], held_by(loops[-1].iter, step.frame))


def _of_keys(crash: Crash, step: TraceStep, loop: ast.For, owner: Any) -> Finding | None:
    """A loop over a dictionary or table, which gives its keys or columns and not its values or rows."""
    name, through = ast.unparse(loop.target), ast.unparse(loop.iter)
    if type(owner).__name__ == "DataFrame":
        fix = line_changed(step, [(loop.target, f"_, {name}"), (loop.iter, f"{through}.iterrows()")])
        return crash.found(
            KIND_OTHER, f"a row of {through}", f"{name}, the name of a column: a loop over a table gives those", fix
        )
    if not isinstance(owner, dict):
        return None
    fix = line_changed(step, [(loop.iter, f"{through}.values()")])
    return crash.found(KIND_OTHER, f"a value of {through}", f"{name}, a key: a loop over a dictionary gives those", fix)


WAYS = (
    (JOINED, _joined), (NOT_ITERABLE, _gone_through), (NOT_CALLABLE, _called), (BY_NAME, _by_name), (COUNTED, _counted),
)  # fmt: skip
