"""What yields without end: Keras's iterators of images, and generators whose code comes to a loop that nothing ends."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import math
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, kind_of, paths_to
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called

KEPT = ("Map", "Batch", "PaddedBatch", "Shuffle", "Repeat", "Cache", "MemoryCache", "Prefetch", "Options", "Unbatch")
FLOWS = ("flow", "flow_from_directory", "flow_from_dataframe")
LEAVING = ("exit", "quit", "_exit")
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
INFINITE = -1  # tf.data.INFINITE_CARDINALITY
DEEPEST = 4  # generators over generators


class Endless(NamedTuple):
    """What has no end.

    Attributes:
        words: Why.
        steps: How many batches hold each example once, None where that is not known.
    """

    words: str
    steps: int | None


def endless(value: Any, frame: FrameType, depth: int = 0) -> Endless | None:
    """Return why a value that is iterated over never ends, None where it may end.

    Args:
        value: An iterator, a generator that was not read to its end, or a dataset.
        frame: Of the program.
        depth: Of generators that were looked into.
    """
    if depth > DEEPEST:
        return None
    if _is_of_images(value):
        return Endless(f"a {type(value).__name__}, which begins again at its end", len(value))
    if isinstance(value, itertools.cycle | itertools.count):
        return Endless(f"itertools.{type(value).__name__}()", None)
    if inspect.isgenerator(value) and value.gi_frame is not None:
        names = {**value.gi_frame.f_globals, **value.gi_frame.f_locals}
        return _of_code(value.gi_code, names, frame, depth)
    return _of_dataset(value, frame, depth) if is_dataset(value) else None


def _is_of_images(value: Any) -> bool:
    """Whether a value is an iterator of Keras's ImageDataGenerator, which goes on behind its last batch."""
    return any(each.__name__ == "Iterator" and "preprocessing" in each.__module__ for each in type(value).__mro__)


def _of_dataset(dataset: Any, frame: FrameType, depth: int) -> Endless | None:
    """Return why a dataset has no end: by its own word, or by the generator that it is made from."""
    count = int(dataset.cardinality())
    if count >= 0:
        return None
    if count == INFINITE:
        return Endless("a dataset that repeats without end", _steps_before_repeat(dataset))
    for node in below(dataset):
        make = _generator_of(node)
        ways = [*paths_to(dataset, node)] if make is not None else []
        if make is None or len(ways) != 1 or not {*ways[0]} <= {*KEPT}:
            continue
        try:
            with unchanged_random_states(), contextlib.redirect_stdout(io.StringIO()):
                found = endless(iter(make()), frame, depth + 1)
        except Exception:  # what a user's function raises, it raises in fit
            return None
        sizes = [int(each._batch_size) for each in below(dataset) if kind_of(each) == "Batch"]
        if found is None or not sizes or found.steps is None:
            return found
        return found._replace(steps=math.ceil(found.steps / math.prod(sizes)))
    return None


def _steps_before_repeat(dataset: Any) -> int | None:
    """Return how many batches hold each element once that a dataset repeats, None where that is not known."""
    repeated = [each for each in below(dataset) if kind_of(each) == "Repeat"]
    ways = [*paths_to(dataset, repeated[0])] if len(repeated) == 1 else []
    if len(ways) != 1 or not {*ways[0]} <= {*KEPT} - {"Unbatch"}:
        return None
    sizes = [int(each._batch_size) for each in below(dataset)[: len(ways[0])] if "Batch" in kind_of(each)]
    count = int(repeated[0]._input_dataset.cardinality())
    return math.ceil(count / math.prod(sizes)) if count > 0 else None


def _generator_of(node: Any) -> Any:
    """Return the function that Dataset.from_generator was given, None of any other dataset."""
    inner = _held(getattr(getattr(node, "_map_func", None), "_func", None))
    states = (each for function in inner for each in _held(function) if type(each).__name__ == "_GeneratorState")
    return getattr(next(states, None), "_generator", None) if kind_of(node) == "FlatMap" else None


def _held(function: Any) -> list[Any]:
    return [each.cell_contents for each in getattr(function, "__closure__", None) or ()]


# --- code -------------------------------------------------------------------------------------------


def _of_code(code: CodeType, names: Mapping[str, Any], frame: FrameType, depth: int) -> Endless | None:
    text = ProgramText(frame, code.co_filename)
    definition = text.function_at(code)
    for statement in _in_turn(definition.body) if definition is not None else ():
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.YieldFrom):
            if found := endless_expression(statement.value.value, names, frame, depth):
                return found
        if isinstance(statement, ast.Return | ast.Raise):
            return None
        if (
            isinstance(statement, ast.For | ast.While)
            and yields(statement)
            and (found := loop_without_end(statement, _with_assigned(definition, names), frame, depth))
        ):
            known = found.steps if found.steps is not None else _steps_of(code, names)
            return Endless(f"{code.co_name}(), of which nothing ends the loop at {text.at(statement)}", known)
    return None


def _in_turn(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run in any case, one after another."""
    for each in body:
        if isinstance(each, ast.With):
            yield from _in_turn(each.body)
        else:
            yield each


def loop_without_end(
    loop: ast.For | ast.While, names: Mapping[str, Any], frame: FrameType, depth: int = 0
) -> Endless | None:
    """Return why nothing ends a loop, None where something may."""
    if any(_leaves(each) for each in _own_nodes(loop)) or any(isinstance(each, ast.Break) for each in _own(loop.body)):
        return None
    if isinstance(loop, ast.For):
        return endless_expression(loop.iter, names, frame, depth)
    return Endless("while True", None) if isinstance(loop.test, ast.Constant) and loop.test.value else None


def _leaves(node: ast.AST) -> bool:
    return isinstance(node, ast.Return | ast.Raise) or (isinstance(node, ast.Call) and called(node) in LEAVING)


def _own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield what is within a statement, but for functions and classes that are defined there."""
    for each in ast.iter_child_nodes(statement):
        if not isinstance(each, INNER):
            yield each
            yield from _own_nodes(each)


def _own(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a loop that a break would end it at: none of loops within."""
    for each in body:
        yield each
        if isinstance(each, ast.For | ast.While):
            yield from _own(each.orelse)
        elif not isinstance(each, INNER):
            for name in ("body", "orelse", "finalbody"):
                yield from _own(getattr(each, name, []))
            for part in (*getattr(each, "handlers", []), *getattr(each, "cases", [])):
                yield from _own(part.body)


def yields(statement: ast.AST) -> bool:
    """Whether a statement yields, itself or within."""
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in _own_nodes(statement))


def _with_assigned(definition: ast.FunctionDef | None, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return names with those that a function sets, where it sets each once: to the expression."""
    found: dict[str, list[ast.expr]] = {}
    for each in _own_nodes(definition) if definition is not None else ():
        if isinstance(each, ast.Assign) and len(each.targets) == 1 and isinstance(each.targets[0], ast.Name):
            found.setdefault(each.targets[0].id, []).append(each.value)
    return {**{name: each[0] for name, each in found.items() if len(each) == 1}, **names}


def endless_expression(node: ast.expr, names: Mapping[str, Any], frame: FrameType, depth: int = 0) -> Endless | None:
    """Return why what an expression gives never ends, None where it may end.

    Args:
        node: That is iterated over.
        names: Of its surroundings: values, or the expressions that they will be set to.
        frame: Of the program.
        depth: Of generators that were looked into.
    """
    if depth > DEEPEST:
        return None
    if isinstance(node, ast.Name):
        held = names.get(node.id)
        if isinstance(held, ast.expr):
            return endless_expression(held, names, frame, depth + 1)
        return endless(held, frame, depth + 1)
    if not isinstance(node, ast.Call):
        return None
    if (held := what_is_walked(node)) is not node:
        return endless_expression(held, names, frame, depth)
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.attr in FLOWS:
        if type(names.get(function.value.id)).__name__ == "ImageDataGenerator":
            return Endless(f"{ast.unparse(function)}(), which begins again at its end", None)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        held = getattr(names.get(function.value.id), function.attr, None)
    else:
        held = names.get(function.id) if isinstance(function, ast.Name) else None
    if held in (itertools.cycle, itertools.count):
        return Endless(ast.unparse(node), None)
    if isinstance(held, FunctionType) and inspect.isgeneratorfunction(held):
        return _of_code(held.__code__, {**held.__globals__, **inspect.getclosurevars(held).nonlocals}, frame, depth + 1)
    return None


def what_is_walked(node: ast.expr) -> ast.expr:
    """Return what an expression yields one by one, without enumerate() and the like around it."""
    while isinstance(node, ast.Call) and called(node) in ("enumerate", "iter", "tqdm") and node.args:
        node = node.args[0]
    return node


def _steps_of(code: CodeType, names: Mapping[str, Any]) -> int | None:
    """Return how many batches hold the longest array that a generator reads, by what it calls the size of a batch."""
    used = {each: names[each] for each in (*code.co_varnames, *code.co_freevars, *code.co_names) if each in names}
    shapes = [getattr(each, "shape", None) for each in used.values()]
    rows = max((each[0] for each in shapes if isinstance(each, tuple) and each), default=0)
    sizes = {each for name, each in used.items() if "batch" in name.lower() and type(each) is int and each > 0}
    return math.ceil(rows / sizes.pop()) if rows and len(sizes) == 1 else None
