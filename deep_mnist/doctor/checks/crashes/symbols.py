"""Symbols of Keras in the hands of other libraries, arrays where its symbols belong, layers without their list."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, is_layer
from deep_mnist.doctor.checks.crashes.rules import NOT_A_LAYER, VALUE_OTHER
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.evidence.live.source_text import called, statements_around
from deep_mnist.doctor.evidence.live.statements.call_line import line_with, statement_of
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged, extent_of
from deep_mnist.doctor.finding import Finding

SYMBOL = re.compile(
    r"A KerasTensor (?:is symbolic|cannot be used as input to a (\w+) function)|"
    r"KerasTensor.*?(?:numpy|Tensorflow|TensorFlow)",
    re.S,
)
ARRAYS = re.compile(r"All `inputs` values must be KerasTensors")
UNLISTED = re.compile(
    r"(?:`name` must be a string|`trainable` to be a boolean).*Received: \w+=<|object is not iterable|"
    r"positional arguments but \d+ were given"
)
ARRAY_TYPES = ("ndarray", "EagerTensor")
ADDED = re.compile(r"`add_loss\(\)` can only be called")
FUNCTIONS = {
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "concat": "concatenate",
    "l2_normalize": "normalize", "pow": "power", "div": "divide",
}  # fmt: skip
# Names of arguments, and functions whose next arguments mean something else, in TensorFlow.
ARGUMENTS = {"perm": "axes", "method": "interpolation", "depth": "num_classes", "multiples": "repeats"}
OTHER_ORDER = ("gather", "split", "pad", "max_pool", "average_pool", "conv", "moments", "dropout")
ALIKE = (
    "",
    "math",
    "nn",
    "linalg",
    "compat.v1",
    "keras.backend",
    "backend",
)  # whose functions are all named as Keras's
MOST_LINES = 5


class OnSymbol(NamedTuple):
    """A call of a function that is not Keras's on a symbol, in the code of a frame."""

    step: TraceStep
    call: ast.Call

    def place(self, step: TraceStep) -> str:
        """Return its line, with the file where that is not a frame's."""
        own = self.step.file == step.file
        return f"line {self.call.lineno}" if own else f"{Path(self.step.file).name}:{self.call.lineno}"


def explain_unlisted(crash: Crash) -> Finding | None:
    """Name layers that Sequential is given side by side, and not in one list."""
    step = crash.user
    call = step.call if step is not None else None
    if step is None or call is None or called(call) != "Sequential" or UNLISTED.search(crash.text) is None:
        return None
    layers = [each for each in call.args if isinstance(each, ast.Call) or is_layer(step.held.get(_name(each)))]
    statement = statement_of(step.tree, call)
    if not layers or len(layers) < len(call.args) or statement is None:
        return None
    again = ast.Call(call.func, [ast.List(call.args, ast.Load())], call.keywords)
    return VALUE_OTHER.found(
        expected="one list of layers",
        received=f"{len(layers)} of them without a list, at {crash.place}",
        fix=f"{ast.unparse(exchanged(statement, [(call, again)]))}  # in place of {crash.place}",
    )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def explain_symbol(crash: Crash) -> Finding | None:
    """Name a function of TensorFlow or numpy on a symbolic tensor, and the operation of Keras for it."""
    if (found := _of_arrays(crash) or _loss_of_symbols(crash)) is not None:
        return found
    if SYMBOL.search(crash.text) is None and not ("KerasTensor" in crash.text and "converted" in crash.text):
        return None
    step = crash.user
    call = step.call if step is not None else None
    if step is None or call is None:
        return None
    calls = _on_symbols(crash, step, ast.unparse(call.func).partition(".")[0])
    if len(calls) > 1 or _adds_loss(step):
        return _all_at_once(crash, step, calls)
    function, again = ast.unparse(call.func), _of_keras(call)
    if again is not None:
        fix = ast.unparse(again)
    else:
        value = ast.unparse(call.args[0]) if call.args else "x"
        rest = ", ".join(map(ast.unparse, [*call.args[1:], *(each.value for each in call.keywords)]))
        fix = f"keras.layers.Lambda(lambda t: {function}(t{', ' + rest if rest else ''}))({value})"
    return NOT_A_LAYER.found(
        expected="a layer or an operation of keras.ops on a tensor of keras.Input",
        received=f"{function}, at {crash.place}",
        fix=fix,
    )


def _of_keras(call: ast.Call) -> ast.Call | None:
    """Return the call of the operation of Keras for a function, None where none takes these arguments."""
    path = ast.unparse(call.func).partition(".")[2]
    leaf = path.rpartition(".")[2]
    ops = sys.modules.get("keras.ops") or getattr(sys.modules.get("keras"), "ops", None)
    names = (leaf, FUNCTIONS.get(leaf, "")) if path.rpartition(".")[0] in ALIKE else (path,)
    for name in names:
        operation: Any = functools.reduce(lambda held, part: getattr(held, part, None), name.split("."), ops)
        if not inspect.isfunction(operation) or (leaf in OTHER_ORDER and name == leaf):
            continue
        keywords = [ast.keyword(ARGUMENTS.get(each.arg or "", each.arg), each.value) for each in call.keywords]
        if {each.arg for each in keywords} <= {*inspect.signature(operation).parameters}:
            return ast.Call(ast.parse(f"keras.ops.{name}", mode="eval").body, call.args, keywords)
    return None


def _all_at_once(crash: Crash, step: TraceStep, found: list[OnSymbol]) -> Finding:
    """Name every function that is not Keras's of the lines that follow one another on its symbols, and the way out."""
    listed = dict.fromkeys(f"{ast.unparse(each.call.func)} ({each.place(step)})" for each in found)
    adds = _adds_loss(step)
    loss = "; add the loss there, by self.add_loss(…): a model of Keras 3 takes none from outside" if adds else ""
    way_out = f"Move all of these into call() of a keras.layers.Layer of your own, which is given real tensors{loss}."
    return NOT_A_LAYER.found(
        expected="layers, or operations of keras.ops, on tensors of keras.Input",
        received=f"{', '.join(listed)}, at {crash.place}",
        fix=("" if adds else _in_lines(found)) or way_out,
    )


def _in_lines(found: list[OnSymbol]) -> str:
    """Return each line with the operations of Keras in the place of functions; "" where one has none, or many have."""
    statements = {id(of): (each.step, of) for each in found if (of := statement_of(each.step.tree, each.call))}
    if len(statements) > MOST_LINES or any(_of_keras(each.call) is None for each in found):
        return ""
    calls = [extent_of(each.call) for each in found]
    lines = []
    for step, statement in statements.values():
        again = copy.deepcopy(statement)
        for node in ast.walk(again):
            if isinstance(node, ast.Call) and extent_of(node) in calls and (new := _of_keras(node)) is not None:
                node.func, node.keywords = new.func, new.keywords
        written = ast.unparse(ast.fix_missing_locations(again))
        known = alias_of(step.frame, "keras", "keras") == ("keras", True)
        line = line_with(step.tree, statement, written if known else f"import keras; {written}")
        if not line or "\n" in line:
            return ""
        lines.append((line, f"in place of {Path(step.file).name}:{statement.lineno}"))
    (first, place), *others = lines
    return f"{first}  # {place}{''.join(f', and {where}: {line}' for line, where in others)}"


def _on_symbols(crash: Crash, step: TraceStep, library: str) -> list[OnSymbol]:
    """Return a library's calls on symbols in the lines from an error on, and then in those that called them."""
    callers = [each for each in crash.steps[: crash.steps.index(step)] if each.is_own]
    found: dict[Any, OnSymbol] = {}
    for of in (step, *reversed(callers)):
        found |= {
            (each.step.file, extent_of(each.call)): each for each in _functions_on_symbols(of, library, of is step)
        }
    return list(found.values())


def _functions_on_symbols(step: TraceStep, library: str, is_first: bool) -> Iterator[OnSymbol]:
    """Yield the library's functions that the lines from this one on call on symbols, or on what came of them.

    Args:
        is_first: The error arose in its line; of a caller's line, what it sets comes of symbols too.
    """
    symbols = {name for name, each in step.held.items() if type(each).__name__ == "KerasTensor"}
    begun = not is_first
    for statement in _lines_from(step):
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).partition(".")[0] != library:
                continue
            if any(isinstance(each, ast.Name) and each.id in symbols for each in ast.walk(node)):
                begun = True
                yield OnSymbol(step, node)
        if begun and isinstance(statement, ast.Assign) and symbols & _names(statement.value):
            symbols |= set().union(*map(_names, statement.targets))


def _lines_from(step: TraceStep) -> list[ast.stmt]:
    """Return the statements of the function, or of the module, that a line stands in, from that line on."""
    return [each for each in statements_around(step.tree, step.line) if (each.end_lineno or 0) >= step.line]


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _adds_loss(step: TraceStep) -> bool:
    """Whether the lines from this one on add a loss to a model from outside."""
    calls = [node for each in _lines_from(step) for node in ast.walk(each) if isinstance(node, ast.Call)]
    return any(called(each) == "add_loss" and not ast.unparse(each.func).startswith("self.")
               and each.lineno >= step.line for each in calls)  # fmt: skip


def _loss_of_symbols(crash: Crash) -> Finding | None:
    """Name a loss that a functional model is given from outside."""
    is_refused = ADDED.search(crash.text) is not None or isinstance(crash.error, NotImplementedError)
    if not is_refused or crash.user is None or "add_loss(" not in crash.user.text:
        return None
    return NOT_A_LAYER.found(
        expected="self.add_loss(…) in call() of a layer of the model",
        received=f"{crash.user.text}, at {crash.place}, of a symbolic tensor",
        fix="Compute this loss in call() of a keras.layers.Layer of your own, and add it there: self.add_loss(…).",
    )


def _of_arrays(crash: Crash) -> Finding | None:
    """Name arrays that a model is given as its inputs in the place of tensors of keras.Input."""
    step = crash.user
    if ARRAYS.search(crash.text) is None or step is None:
        return None
    call = step.call
    stated = next((each.value for each in call.keywords if each.arg == "inputs"), None) if call is not None else None
    stated = stated or (call.args[0] if call is not None and call.args else None)
    names = [each.id for each in ast.walk(stated) if isinstance(each, ast.Name)] if stated is not None else []
    arrays = {name: step.held[name] for name in names if type(step.held.get(name)).__name__ in ARRAY_TYPES}
    if not arrays:
        return None
    made = "; ".join(f"{name}_in = keras.Input({_row(each)})" for name, each in arrays.items())
    return NOT_A_LAYER.found(
        expected="a tensor of keras.Input for each input of the model",
        received=f"arrays of data: {', '.join(arrays)}, at {crash.place}",
        fix=f"{made}  # in their places in the layers and in the model; the arrays belong in fit",
    )


def _row(array: Any) -> tuple[int, ...]:
    """Return the shape of one example."""
    return tuple(int(each) for each in array.shape[1:])
