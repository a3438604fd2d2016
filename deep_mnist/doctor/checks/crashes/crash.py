"""An error that ended a program, with what its traceback still holds: lines, frames, the layer and what it was given.

Nothing here imports TensorFlow or Keras: an error of theirs brings them.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, TypeVar

from deep_mnist.doctor.evidence.live.own_code import is_of_a_library, is_of_library_file
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Rule

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OF_LAYER = re.compile(
    r"of layer \"?'?([\w/.-]+)'?\"? is incompatible|calling (\w+)\.call\(\)|Layer \"?'?([\w/.-]+)'?\"? "
)
MOST_LAYERS = 2000  # of one model, searched for a name
Node = TypeVar("Node", ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Assign)
CONTAINERS = ("Sequential", "Functional", "Model")


@dataclass(frozen=True)
class TraceStep:
    """One frame of a traceback: where it was, and what it held.

    Attributes:
        converted_from: File that AutoGraph has made the frame's code from, "" of any other code.
    """

    frame: FrameType
    line: int
    offset: int = -1
    converted_from: str = ""

    @property
    def file(self) -> str:
        return self.converted_from or self.frame.f_code.co_filename

    @property
    def function(self) -> str:
        name = self.frame.f_code.co_name
        return name.removeprefix("tf__") if self.converted_from else name

    @cached_property
    def held(self) -> Mapping[str, Any]:
        """Its variables; names of the module where it is no function."""
        return dict(self.frame.f_locals)

    def named(self, name: str) -> Any:
        """Return what a name stood for there, of its own or of its module; None where it stood for nothing."""
        return self.held.get(name, self.frame.f_globals.get(name))

    @cached_property
    def is_own(self) -> bool:
        """Whether it is the user's own code."""
        return not is_of_library_file(self.converted_from) if self.converted_from else not is_of_a_library(self.frame)

    @cached_property
    def tree(self) -> ast.Module:
        try:
            return ast.parse("".join(linecache.getlines(self.file, self.frame.f_globals)))
        except (SyntaxError, ValueError):
            return ast.Module([], [])

    def on_line(self, kind: type[Node]) -> list[Node]:
        """Return the expressions or statements of a kind that begin on its line."""
        return [each for each in ast.walk(self.tree) if isinstance(each, kind) and each.lineno == self.line]

    @cached_property
    def call(self) -> ast.Call | None:
        """The call that it was in, by its columns; None where that is not known."""
        positions = list(self.frame.f_code.co_positions())
        where = positions[self.offset // 2] if 0 <= self.offset // 2 < len(positions) else None
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                if where == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
                    return node
        return None

    @property
    def text(self) -> str:
        return linecache.getline(self.file, self.line, self.frame.f_globals).strip()


@dataclass(frozen=True)
class Crash:
    """An error that ended a program, and what is known of it.

    Attributes:
        error: As it was raised.
        script: The program's file, None where there is none.
        given_model: Of a fit that is only tried; the traceback tells it otherwise.
        caller: Of a fit that is only tried, the frame of its line.
    """

    error: BaseException
    script: Path | None = None
    given_model: Any = field(default=None, compare=False)
    caller: FrameType | None = field(default=None, compare=False)

    @cached_property
    def text(self) -> str:
        """The error's message without color."""
        return COLOUR.sub("", str(self.error))

    @cached_property
    def steps(self) -> tuple[TraceStep, ...]:
        own = [TraceStep(self.caller, self.caller.f_lineno, self.caller.f_lasti)] if self.caller is not None else []
        return (*own, *_steps(self.error.__traceback__))

    @cached_property
    def user(self) -> TraceStep | None:
        """The innermost frame of the user's own code."""
        return next((each for each in reversed(self.steps) if each.is_own), None)

    @cached_property
    def outer(self) -> TraceStep | None:
        """The outermost frame of the user's own code that has a source: the script's line."""
        return next((each for each in self.steps if each.is_own and each.tree.body), None)

    @property
    def place(self) -> str:
        """Return "train.py:12", "" where no line is the user's."""
        return f"{Path(self.user.file).name}:{self.user.line}" if self.user is not None else ""

    def found(self, rule: Rule, expected: str, received: str, fix: str) -> Finding:
        """Return the finding of a rule, with the place of the user's line behind what was received."""
        return rule.found(expected=expected, received=f"{received}, at {self.place}", fix=fix)

    @cached_property
    def model(self) -> Any:
        """The model whose method or call the error went through, the outermost; None without."""
        if self.given_model is not None:
            return self.given_model
        return next((each for step in self.steps for each in _owners(step) if is_model(each)), None)

    @cached_property
    def layer(self) -> Any:
        """The innermost layer that was called or built, and is no model; None where none is known."""
        named = self._named_layer()
        if named is not None:
            return named
        for step in reversed(self.steps):
            for each in _owners(step):
                if is_layer(each) and not is_model(each):
                    return each
        return None

    @cached_property
    def received(self) -> Any:
        """The shape, or list of shapes, that the layer was given; None where that is not known."""
        for step in reversed(self.steps):
            if any(each is self.layer for each in _owners(step)):
                for value in _inputs(step, self.layer):
                    if (shape := shapes_of(value)) is not None:
                        return shape
        return None

    @cached_property
    def symbol(self) -> Any:
        """The tensor that the layer was given, where it is one."""
        for step in reversed(self.steps):
            if any(each is self.layer for each in _owners(step)):
                for value in _inputs(step, self.layer):
                    if hasattr(value, "shape"):
                        return value
        return None

    @cached_property
    def is_inside_a_layer(self) -> bool:
        """Whether the error arose in a layer or model of Keras that the user's line calls, and not in that line."""
        place = self.steps.index(self.user) + 1 if self.user is not None else 0
        return any(is_layer(each) for step in self.steps[place:] for each in _owners(step))

    def find(self, name: str, *functions: str) -> Any:
        """Return the innermost value of a name in the frames of these functions, None where there is none."""
        for step in reversed(self.steps):
            if (not functions or step.function in functions) and name in step.held:
                return step.held[name]
        return None

    def _named_layer(self) -> Any:
        for match in OF_LAYER.finditer(self.text):
            name = next(each for each in match.groups() if each)
            for top in (self.model, *(each for step in self.steps for each in _owners(step))):
                for layer in layers_of(top):
                    if layer.name == name and not is_model(layer):
                        return layer
        return None


def _steps(trace: TracebackType | None) -> Iterator[TraceStep]:
    origins: dict[tuple[str, int], Any] = {}  # of the lines that AutoGraph has written, in the program
    while trace is not None:
        frame, line = trace.tb_frame, trace.tb_lineno
        if frame.f_code.co_name == "converted_call":
            made = getattr(frame.f_locals.get("converted_f"), "ag_source_map", {})
            origins |= {(each.filename, each.lineno): of.loc for each, of in made.items()}
        origin = origins.get((frame.f_code.co_filename, line))
        if origin is None:
            yield TraceStep(frame, line, trace.tb_lasti)
        else:
            yield TraceStep(frame, origin.lineno, converted_from=origin.filename)
        trace = trace.tb_next


def _owners(step: TraceStep) -> Iterator[Any]:
    """Yield the objects whose method a frame is of, or whose method it wraps."""
    if "self" in step.held:
        yield step.held["self"]
    if step.function in ("error_handler", "build_wrapper", "wrapper", "method") and not step.is_own:
        arguments = step.held.get("args")
        if isinstance(arguments, tuple) and arguments:
            yield arguments[0]
    if "obj" in step.held:
        yield step.held["obj"]


def _inputs(step: TraceStep, layer: Any) -> Iterator[Any]:
    arguments = step.held.get("args")
    if isinstance(arguments, tuple):
        yield from (each for each in arguments if each is not layer)
    if step.held.get("self") is layer:
        for name in ("inputs", "sequences", "sequence", "x", "arg_0", "input_shape", "inputs_shape", "input"):
            if step.held.get(name) is not None:
                yield step.held[name]


def is_kind_of(value: Any, name: str) -> bool:
    """Whether a class of this name, of Keras, is among those of a value."""
    kinds = type(value).__mro__
    return any(each.__name__ == name and each.__module__.partition(".")[0] in ("keras", "tf_keras") for each in kinds)


def is_layer(value: Any) -> bool:
    return is_kind_of(value, "Layer")


def is_model(value: Any) -> bool:
    return is_kind_of(value, "Model")


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of those inside of it, in their order."""
    if not is_layer(model):
        return
    flatten = getattr(model, "_flatten_layers", None)
    try:
        found = list(flatten(include_self=False)) if flatten is not None else []
    except Exception:  # a half-made model may raise anything
        found = []
    yield from found[:MOST_LAYERS]


def shape_of(value: Any) -> tuple[int | None, ...] | None:
    """Return the shape of an array or tensor, or the value itself where it is a shape."""
    if isinstance(value, tuple) and all(each is None or isinstance(each, int) for each in value) and value:
        return value
    shape = getattr(value, "shape", None)
    if shape is None or isinstance(value, ModuleType | type):
        return None
    try:
        return tuple(None if each is None else int(each) for each in shape)
    except (TypeError, ValueError):
        return None


def shapes_of(value: Any) -> Any:
    """Return a shape, or a list of them, None where the value has none."""
    if (shape := shape_of(value)) is not None:
        return shape
    if isinstance(value, list | tuple) and value:
        found = [shape_of(each) for each in value]
        return found if all(each is not None for each in found) else None
    if isinstance(value, dict) and value:
        return shapes_of(list(value.values()))
    return None
