"""Where a call of fit stands in its source: the names and lines of its variables, and findings reported in them.

A fix for `train_images` becomes one for `x_train`, set at train.py:9. Names come from the call's own arguments; a
function's parameter is followed to the module's variable of the same object.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from deep_mnist.doctor.capture.draw import Drawn, is_pipeline
from deep_mnist.doctor.capture.fit_call import METHODS, FitCall, Verb
from deep_mnist.doctor.capture.source import Source, Variable, cell_at
from deep_mnist.doctor.case import slug
from deep_mnist.doctor.evidence.live.statements.call_line import (
    calls_method_of,
    line_of_class,
)
from deep_mnist.doctor.finding import Finding

FIT = ("x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data")
POSITIONS = {Verb.FIT: FIT, Verb.CHECK: ("model", "x", "y"), Verb.ASSERT_FIT: ("model", "x", "y")}


@dataclass(frozen=True)
class Origin:
    """The call in its source.

    Attributes:
        path: File, "" when there is no source; of a notebook's cell, the name of its code.
        line: Of the call, None when unknown.
        call: Its text, shortened.
        variables: By role.
        notes: What part of the data was judged.
        compiled_at: Line of the model's compile(), None when unknown.
        compiled_in: Name of the code that holds it, where that is another than the call's: an earlier cell.
        is_own: The line is the call itself, and no library's function that makes it.
        later: The call behind it that tests on what is judged as the test split, None where the call is given that.
        may_repeat: The call stands in a loop or a function, or its source is not known.
    """

    path: str = ""
    line: int | None = None
    call: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    compiled_at: int | None = None
    may_repeat: bool = True
    compiled_in: str = ""
    tree: ast.AST | None = field(default=None, repr=False, compare=False)
    node: ast.Call | None = field(default=None, repr=False, compare=False)
    is_own: bool = True
    later: ast.Call | None = field(default=None, repr=False, compare=False)

    def at(self, line: int | None, path: str = "") -> str:
        """Return a line in words: "train.py:9", or "cell 7, line 3, In [12]" of a notebook; without one, the file."""
        path = path or self.path
        cell = cell_at(path)
        if cell is not None:
            return cell.at(line)
        return f"{Path(path).name}:{line}" if line else Path(path).name

    @property
    def file(self) -> Path:
        """The file that holds the call."""
        cell = cell_at(self.path)
        return cell.notebook if cell is not None and cell.number is not None else Path(self.path)

    def place(self, role: str) -> str:
        """Return "x_train (train.py:9)" for a role, "" for one that the call does not name."""
        variable = self.variables.get(role)
        if variable is None:
            return ""
        where = self.at(variable.line, variable.path) if variable.line else ""
        return f"{variable.expression} ({where})" if where else variable.expression

    def places(self, finding: Finding) -> str:
        """Return where the cause of a finding lies, "" when that is unknown."""
        if finding.line and self.line:
            return self.at(finding.line)
        of_compile = finding.field.startswith("contract.") or "of compile()" in finding.expected
        if of_compile and self.compiled_at:
            return self.at(self.compiled_at, self.compiled_in)
        if finding.field == "fit.callbacks" and self.line:
            return self.at(self.line_of(finding))
        if finding.split == "model" or finding.field.startswith(("model.", "contract.")):
            return self.place("model")
        part = "labels" if finding.field.startswith(("labels.", "splits.order")) else "images"
        splits = ("train", "test") if finding.split == "both" else (finding.split,)
        roles = [self._role(f"{split}_{part}", finding) for split in splits]
        if len(roles) == 2 and is_shared(self.variables, roles[1]):
            roles.pop()
        found = [self.place(role) for role in roles]
        return ", ".join(dict.fromkeys(each for each in found if each))

    def _role(self, role: str, finding: Finding) -> str:
        """Return the role of what a finding is about, where that is a further input or output."""
        further = f"{role}_{slug(finding.part.partition(' ')[2])}"
        return further if finding.part and further in self.variables else role

    def line_of(self, finding: Finding) -> int | None:
        """Return the line where the cause of a finding lies, else that of the call."""
        if finding.line:
            return finding.line
        if finding.field.startswith("contract.") and self.compiled_at:
            return self.compiled_at
        if finding.field == "fit.callbacks":
            return line_of_class(self.tree, finding.received) or self.line
        roles = ["model"] if finding.split == "model" else [f"{finding.split}_images", f"{finding.split}_labels"]
        roles = [self._role(each.replace("both_", "train_"), finding) for each in roles]
        if finding.field.startswith(("labels.", "splits.order")):
            roles.reverse()
        found = [self.variables[each].line for each in roles if each in self.variables]
        return next((line for line in found if line), self.line)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        variables = {
            role: {"name": each.expression, "line": each.line, **_cell(each.path)}
            for role, each in self.variables.items()
        }
        place = {"file": str(self.file) if self.path else "", "line": self.line, **_cell(self.path)}
        return {**place, "call": self.call, "variables": variables, "notes": [*self.notes]}


def _cell(path: str) -> dict[str, Any]:
    """Return the numbers of a notebook's cell, {} of any other code."""
    cell = cell_at(path)
    return {} if cell is None else {"cell": cell.number, "execution_count": cell.execution}


def origin_of(call: FitCall, frame: FrameType | None, train: Drawn, test: Drawn | None, cut: int | None) -> Origin:
    """Return the origin of a call made in `frame`.

    Args:
        call: What was called.
        frame: Of the caller; None without source.
        train, test: What was drawn, for the notes.
        cut: Index from which validation_split takes examples, None without one.
    """
    notes = tuple(
        words
        for split, each in (("train", train), ("test", test))
        if each is not None and (words := each.sentence(split))
    )
    if frame is None:
        return Origin(notes=notes)
    source = Source(frame)
    node = source.call_of(call.verb)
    is_own = not call.by_library or calls_method_of(node, call.verb, call.model, frame)
    expressions = dict(_expressions(call, node)) if is_own else {}
    variables = {
        role: source.variable(role, each, value)
        for whole in _roles(call, expressions)
        for role, each, value in _each_of_multiple(*whole, train)
    }
    if cut is not None and train.images is not None:
        variables |= _tails(variables, len(train.images) - cut)
    receiver = expressions.get("model")
    if is_own and call.verb in METHODS and node is not None and isinstance(node.func, ast.Attribute):
        receiver = node.func.value
    variables["model"] = source.variable("model", receiver, call.model)
    text = source.text(node)
    compiled_in, compiled_at = source.compile_place(variables["model"].expression)
    repeats = source.may_repeat(node)
    return Origin(
        source.path,
        source.line,
        text,
        variables,
        notes,
        compiled_at,
        repeats,
        compiled_in,
        source.tree,
        node,
        is_own,
        call.later.call if call.later is not None else None,
    )


def _roles(call: FitCall, found: Mapping[str, ast.expr]) -> Iterator[tuple[str, ast.expr | None, Any]]:
    joint = is_pipeline(call.x)
    yield "train_images", found.get("x"), call.x
    if call.y is not None or joint:
        yield "train_labels", found.get("x" if joint else "y"), call.x if joint else call.y
    if call.held_out is None:
        return
    held = found.get("validation_data")
    pair = isinstance(call.held_out, tuple | list) and len(call.held_out) >= 2
    elements = held.elts if isinstance(held, ast.Tuple | ast.List) and len(held.elts) >= 2 else [held, held]
    if call.later is not None:
        elements = [call.later.at[0], call.later.at[1] or call.later.at[0]]
    for part, index in (("images", 0), ("labels", 1)):
        yield f"test_{part}", elements[index], call.held_out[index] if pair else call.held_out


def _each_of_multiple(
    role: str, node: ast.expr | None, value: Any, train: Drawn
) -> Iterator[tuple[str, ast.expr | None, Any]]:
    """Yield a role, or one for each of multiple inputs or targets: train_images_<name>, the first also as it is."""
    held = train.inputs if role.endswith("images") else train.targets
    if not held or not isinstance(value, dict | list | tuple) or len(value) != len(held):
        yield role, node, value
        return
    for index, name in enumerate(held):
        key: Any = name if isinstance(value, dict) else index
        if key not in (value if isinstance(value, dict) else range(len(value))):
            continue
        element = _element(node, key, index, isinstance(value, tuple))
        yield f"{role}_{slug(name)}", element, value[key]
        if index == 0:
            yield role, element, value[key]


def _element(node: ast.expr | None, key: Any, index: int, is_tuple: bool) -> ast.expr | None:
    """Return the expression of one element of a list, tuple or dictionary as it stands in the call."""
    if isinstance(node, ast.List | ast.Tuple) and index < len(node.elts):
        return node.elts[index]
    if isinstance(node, ast.Dict):
        keys = [each.value if isinstance(each, ast.Constant) else None for each in node.keys]
        return node.values[keys.index(key)] if key in keys else None
    if isinstance(node, ast.Call):  # dict(frame) holds the frame's columns; what another call returns has no name
        copied = ast.unparse(node.func) == "dict" and len(node.args) == 1 and not node.keywords
        node = node.args[0] if copied and isinstance(node.args[0], ast.Name) else None
    if node is None or is_tuple:
        return None
    return ast.parse(f"{ast.unparse(node)}[{key!r}]", mode="eval").body


def _expressions(call: FitCall, node: ast.Call | None) -> Iterator[tuple[str, ast.expr]]:
    """Yield (parameter, expression) of the call's arguments."""
    if node is None or not call.direct:
        return
    for name, argument in zip(POSITIONS.get(call.verb, ("x", "y")), node.args, strict=False):
        if isinstance(argument, ast.Starred):
            break
        yield name, argument
    for keyword in node.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value


def _tails(variables: Mapping[str, Variable], count: int) -> dict[str, Variable]:
    """The last examples, which validation_split takes for validation."""
    tails = {}
    for role, train in variables.items():
        if role.startswith("train_"):
            text = f"{train.name}[-{count}:]"
            tails[role.replace("train_", "test_")] = Variable(text, text, train.line, train.path)
    return tails


def is_shared(variables: Mapping[str, Variable], role: str) -> bool:
    """Whether a role of the test split is train's own variable, or a part of it."""
    train, test = variables.get(role.replace("test_", "train_")), variables.get(role)
    return train is not None and test is not None and test.name.partition("[")[0] == train.name
