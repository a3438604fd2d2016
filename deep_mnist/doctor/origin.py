"""Where a call of fit stands in its source: the names and lines of its variables, and findings told in them.

A fix for `train_images` becomes one for `x_train`, set at train.py:9. Names come from the call's own arguments; a
function's parameter is followed to the module's variable of the same object.
"""

from __future__ import annotations

import ast
import functools
import linecache
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.draw import Drawn, is_pipeline
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.fit_call import FitCall

ROLE = re.compile(r"\b(train|test)_(images|labels)\b")
MOST_NAMES = 400  # of one namespace or object, searched for a value
LONGEST_CALL = 100  # characters of the call shown
FIT = ("x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data")
POSITIONS = {"fit": FIT, "check": ("model", "x", "y"), "assert_fit": ("model", "x", "y")}


@dataclass(frozen=True)
class Variable:
    """What one of the roles train_images, train_labels, test_images, test_labels, model is called in the source.

    Attributes:
        name: What a statement may assign to: `x_train`, `x_train[-6000:]`; a parameter of fit where there is none.
        expression: As it stands in the call, such as `x_train / 255`.
        line: Where it was last set before the call, None when that could not be found.
    """

    name: str
    expression: str
    line: int | None = None


@dataclass(frozen=True)
class Origin:
    """The call in its source.

    Attributes:
        path: File, "" when there is no source.
        line: Of the call, None when unknown.
        call: Its text, shortened.
        variables: By role.
        notes: What part of the data was judged.
        compiled_at: Line of the model's compile(), None when unknown.
    """

    path: str = ""
    line: int | None = None
    call: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    compiled_at: int | None = None

    @property
    def file(self) -> str:
        name = Path(self.path).name
        return "the notebook" if name.startswith("<ipython") or "ipykernel_" in self.path else name

    def place(self, role: str) -> str:
        """Return "x_train (train.py:9)" for a role, "" for one that the call does not name."""
        variable = self.variables.get(role)
        if variable is None:
            return ""
        where = f"{self.file}:{variable.line}" if variable.line else ""
        return f"{variable.expression} ({where})" if where else variable.expression

    def places(self, finding: Finding) -> str:
        """Return where the cause of a finding lies, "" when that is unknown."""
        if finding.field.startswith("contract.") and self.compiled_at:
            return f"{self.file}:{self.compiled_at}"
        if finding.split == "model" or finding.field.startswith(("model.", "contract.")):
            return self.place("model")
        part = "labels" if finding.field.startswith(("labels.", "splits.order")) else "images"
        splits = ("train", "test") if finding.split == "both" else (finding.split,)
        roles = [f"{split}_{part}" for split in splits]
        if len(roles) == 2 and _is_shared(self.variables, roles[1]):
            roles.pop()
        found = [self.place(role) for role in roles]
        return ", ".join(dict.fromkeys(each for each in found if each))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        variables = {role: {"name": each.expression, "line": each.line} for role, each in self.variables.items()}
        return {"file": self.path, "line": self.line, "call": self.call, "variables": variables, "notes": [*self.notes]}


def origin_of(call: FitCall, frame: FrameType | None, train: Drawn, test: Drawn | None, cut: int | None) -> Origin:
    """Return the origin of a call made in `frame`.

    Args:
        call: What was called.
        frame: Of the caller; None without source.
        train, test: What was drawn, for the notes.
        cut: Index from which validation_split takes examples, None without one.
    """
    notes = tuple(
        told
        for split, each in (("train", train), ("test", test))
        if each is not None and (told := each.sentence(split))
    )
    if frame is None:
        return Origin(notes=notes)
    source = Source(frame)
    node = source.call_of(call.verb)
    expressions = dict(_expressions(call, node))
    variables = {role: source.variable(role, each, value) for role, each, value in _roles(call, expressions)}
    if cut is not None and train.images is not None:
        variables |= _tails(variables, len(train.images) - cut)
    receiver = expressions.get("model")
    if call.verb in ("fit", "train_on_batch", "evaluate") and node is not None and isinstance(node.func, ast.Attribute):
        receiver = node.func.value
    variables["model"] = source.variable("model", receiver, call.model)
    text = source.text(node)
    return Origin(
        source.path, frame.f_lineno, text, variables, notes, source.compile_line(variables["model"].expression)
    )


def _roles(call: FitCall, found: Mapping[str, ast.expr]) -> Iterator[tuple[str, ast.expr | None, Any]]:
    joint = is_pipeline(call.x)
    yield "train_images", found.get("x"), call.x
    if call.y is not None or joint:
        yield "train_labels", found.get("x" if joint else "y"), call.x if joint else call.y
    if call.validation is None:
        return
    held = found.get("validation_data")
    pair = isinstance(call.validation, tuple | list) and len(call.validation) >= 2
    elements = held.elts if isinstance(held, ast.Tuple | ast.List) and len(held.elts) >= 2 else [held, held]
    for part, index in (("images", 0), ("labels", 1)):
        yield f"test_{part}", elements[index], call.validation[index] if pair else call.validation


def _expressions(call: FitCall, node: ast.Call | None) -> Iterator[tuple[str, ast.expr]]:
    """Yield (parameter, expression) of the call's arguments."""
    if node is None or not call.direct:
        return
    for name, argument in zip(POSITIONS.get(call.verb, ("x", "y")), node.args, strict=False):
        if isinstance(argument, ast.Starred):
            return
        yield name, argument
    for keyword in node.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value


def _tails(variables: Mapping[str, Variable], count: int) -> dict[str, Variable]:
    """The last examples, which validation_split takes for validation."""
    tails = {}
    for part in ("images", "labels"):
        train = variables.get(f"train_{part}")
        if train is not None:
            text = f"{train.name}[-{count}:]"
            tails[f"test_{part}"] = Variable(text, text, train.line)
    return tails


# --- source ----------------------------------------------------------------------------------------


class Source:
    """The source of a frame: its call, and where its names were set."""

    def __init__(self, frame: FrameType) -> None:
        self.frame = frame
        self.path = frame.f_code.co_filename
        self.lines = linecache.getlines(self.path, frame.f_globals)
        self.tree = _parsed("".join(self.lines))

    def call_of(self, verb: str) -> ast.Call | None:
        """Return the call that the frame is in: by its columns where Python knows them, else by its line."""
        where = _position(self.frame.f_code, self.frame.f_lasti)
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        for node in calls:
            if where == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
                return node
        line = self.frame.f_lineno
        near = [node for node in calls if node.lineno <= line <= (node.end_lineno or node.lineno)]
        named = [node for node in near if isinstance(node.func, ast.Attribute) and node.func.attr == verb]
        return named[0] if named else None

    def text(self, node: ast.Call | None) -> str:
        line = self.frame.f_lineno
        plain = ast.unparse(node) if node is not None else "".join(self.lines[line - 1 : line]).strip()
        return plain if len(plain) <= LONGEST_CALL else plain[: LONGEST_CALL - 2] + " …"

    def variable(self, role: str, expression: ast.expr | None, value: Any) -> Variable:
        """Return what `value` is called: its expression, or a name of this frame or module for the same object."""
        parameter = {"train_images": "x", "train_labels": "y", "test_images": "x_val", "test_labels": "y_val"}
        if isinstance(expression, ast.Name) and self._is_parameter(expression.id):
            outer = self._name_of(value, self.frame.f_globals)
            expression = ast.Name(outer) if outer else expression
        if expression is None:
            found = self._name_of(value, self.frame.f_locals) or self._name_of(value, self.frame.f_globals)
            if found is None:
                return Variable(parameter.get(role, role), parameter.get(role, role))
            expression = ast.Name(found)
        text = ast.unparse(expression)
        assignable = isinstance(expression, ast.Name | ast.Attribute)
        root = next((node.id for node in ast.walk(expression) if isinstance(node, ast.Name)), None)
        return Variable(text if assignable else parameter.get(role, role), text, self._set_at(root) if root else None)

    def _name_of(self, value: Any, space: Mapping[str, Any]) -> str | None:
        """Return the name of a value in a namespace: `x_train`, or `mnist.train.images` of the objects in it."""
        if value is None:
            return None
        own = {name: each for name, each in space.items() if not name.startswith("_")}
        return next((name for depth in range(3) if (name := _path_to(value, own, depth)) is not None), None)

    def _is_parameter(self, name: str) -> bool:
        code = self.frame.f_code
        return name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    def _set_at(self, name: str) -> int | None:
        """Return the last line before the call on which a name is set."""
        before = [line for line in self._assignments(name) if line <= self.frame.f_lineno]
        return max(before, default=None)

    def _assignments(self, name: str) -> Iterator[int]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                yield node.lineno
            elif isinstance(node, ast.arg) and node.arg == name:
                yield node.lineno

    def compile_line(self, model: str) -> int | None:
        """Return the line of the model's last compile() before the call."""
        lines = [
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "compile"
            and ast.unparse(node.func.value) == model
        ]
        return max((line for line in lines if line <= self.frame.f_lineno), default=max(lines, default=None))


def _path_to(value: Any, space: Mapping[str, Any], depth: int) -> str | None:
    for name, each in list(space.items())[:MOST_NAMES]:
        if depth == 0 and each is value:
            return name
        below = _path_to(value, attributes_of(each), depth - 1) if depth else None
        if below is not None:
            return f"{name}.{below}"
    return None


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the plain attributes of an object that a script may keep its data in."""
    if isinstance(value, ModuleType | type) or callable(value):
        return {}
    held = (
        dict(zip(value._fields, value, strict=True)) if isinstance(value, tuple) and hasattr(value, "_fields") else {}
    )
    held |= getattr(value, "__dict__", None) or {}
    return {name: each for name, each in held.items() if not name.startswith("_")}


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # a notebook cell with a magic, or no source at all
        return ast.Module([], [])


def _position(code: CodeType, offset: int) -> tuple[int | None, int | None, int | None, int | None] | None:
    positions = list(code.co_positions())
    return positions[offset // 2] if 0 <= offset // 2 < len(positions) else None


# --- findings ---------------------------------------------------------------------------------------


def named(finding: Finding, origin: Origin) -> Finding:
    """Return a finding told in the source's names."""
    variables = origin.variables
    if not variables:
        return finding
    fix = _one_statement(finding, variables)

    def name(match: re.Match[str]) -> str:
        variable = variables.get(match.group())
        return variable.name if variable is not None else match.group()

    expected, received, why = (ROLE.sub(name, text) for text in (finding.expected, finding.received, finding.why))
    return replace(finding, expected=expected, received=received, why=why, fix=ROLE.sub(name, fix))


def _one_statement(finding: Finding, variables: Mapping[str, Variable]) -> str:
    """Leave out the second of two statements where both splits are one variable of the source."""
    body, mark, comment = finding.fix.partition("  # ")
    kept: list[str] = []
    for statement in body.split("; "):
        role = statement.partition(" ")[0]
        if not (finding.split == "both" and role.startswith("test_") and _is_shared(variables, role)):
            kept.append(statement)
    return "; ".join(kept) + mark + comment


def _is_shared(variables: Mapping[str, Variable], role: str) -> bool:
    """Whether a role of the test split is train's own variable, or a part of it."""
    train, test = variables.get(role.replace("test_", "train_")), variables.get(role)
    return train is not None and test is not None and test.name.partition("[")[0] == train.name
