"""What is None where a value was meant: a file that imread did not read, a method that changes in place, no return."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import VALUE_NONE
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding

NONE = re.compile(r"'?NoneType'? object|\bNone\b.*(unsupported|argument)|!\w+\.empty\(\)")
IN_PLACE = ("sort", "reverse", "append", "extend", "insert", "shuffle", "update", "compile", "build", "summary", "fill")
READERS = ("imread",)
KINDS = ("AttributeError", "TypeError", "error")  # the last is OpenCV's


def explain_nothing(crash: Crash) -> Finding | None:
    """Name the variable of the user's line that is None, and the statement that made it so."""
    step = crash.user
    if step is None or not NONE.search(crash.text) or type(crash.error).__name__ not in KINDS:
        return None
    name = next((each for each in _names_on(step) if each in step.held and step.held[each] is None), None)
    made = _last_assignment(step, name) if name is not None else None
    if name is None or made is None:
        return None
    place = f"{Path(step.file).name}:{made.lineno}"
    received, fix = _cause(step, name, made)
    return VALUE_NONE.found(
        expected=f"a value in {name} at {crash.place}", received=f"None: {received}, at {place}", fix=fix
    )


def _names_on(step: TraceStep) -> list[str]:
    """Return the names that the failing line reads, those before a dot or a bracket first."""
    nodes = [node for node in ast.walk(step.tree) if getattr(node, "lineno", -1) == step.line]
    used = [each.value for each in nodes if isinstance(each, ast.Attribute | ast.Subscript)]
    return [each.id for each in (*used, *nodes) if isinstance(each, ast.Name)]


def _last_assignment(step: TraceStep, name: str) -> ast.Assign | None:
    found = [
        node for node in ast.walk(step.tree)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and node.lineno <= step.line
        and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]  # fmt: skip
    before = [each for each in found if each.lineno < step.line]  # in a loop, a later line may have run before
    return max(before or found, key=lambda each: each.lineno, default=None)


def _cause(step: TraceStep, name: str, made: ast.Assign) -> tuple[str, str]:
    """Return what gave None, in words, and the fix."""
    call = made.value
    if not isinstance(call, ast.Call):
        return f"{name} = {ast.unparse(call)[:60]}", f"Give {name} a value before this line."
    function, text = called(call), ast.unparse(call)
    if function in READERS and call.args:
        return _unread(step, call)
    if (inplace := keyword_of(call, "inplace")) is not None and ast.unparse(inplace) == "True":
        again = ast.Call(call.func, call.args, [each for each in call.keywords if each.value is not inplace])
        return f"{function}(…, inplace=True) changes its table and returns None", f"{name} = {ast.unparse(again)}"
    if any(isinstance(each, ast.FunctionDef) and each.name == function and not _returns(each)
           for each in ast.walk(step.tree)):  # fmt: skip
        return f"{function}() has no return with a value", f"End {function} by return, with what {name} is to be."
    if function in IN_PLACE and isinstance(call.func, ast.Attribute):
        changed = call.args[0] if function == "shuffle" and call.args else call.func.value
        return f"{function}() works in place and returns None", f"{text}  # and go on with {ast.unparse(changed)}"
    return f"{text[:60]} returned it", f"Look at why {function}() returned None before {name} is used."


def _unread(step: TraceStep, call: ast.Call) -> tuple[str, str]:
    """A file that was not read: the path, where a name or a text says it, and whether something is there."""
    stated = call.args[0]
    path = step.held.get(stated.id) if isinstance(stated, ast.Name) else getattr(stated, "value", None)
    received = f"{called(call)} returns None for a file that it cannot read"
    if isinstance(path, str | Path):
        state = "no image that it can read" if Path(path).is_file() else f"not there (from {Path.cwd()})"
        received = f"{called(call)} returns None, for {path} is {state}"
    return received, "Correct the path, or leave out what is no image: if image is None: continue"


def _returns(function: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Return | ast.Yield) and each.value is not None for each in ast.walk(function))
