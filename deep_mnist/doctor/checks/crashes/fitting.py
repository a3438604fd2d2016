"""What stops the first step of fit, or a call of predict: the data against the model's inputs, outputs and loss."""

from __future__ import annotations

import ast
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, is_model, layers_of, shape_of
from deep_mnist.doctor.checks.crashes.inputs import data_of, given, is_numpy
from deep_mnist.doctor.checks.crashes.layers import parsed_shape
from deep_mnist.doctor.checks.crashes.names.words import words_found
from deep_mnist.doctor.checks.crashes.rules import (
    BATCH_FIXED,
    BEFORE_COMPILE,
    DTYPE_REFUSED,
    INDEX_RANGE,
    MADE_IN_CALL,
)
from deep_mnist.doctor.checks.crashes.source_code import (
    argument,
    assigned,
    at_line,
    made_at,
    receiver,
    told,
    with_first,
)
from deep_mnist.doctor.evidence.live.text_inputs import listed_texts, takes_text
from deep_mnist.doctor.finding import Finding

LABEL = re.compile(r"Received a label value of (-?\d+) which is outside the valid range of \[(\d+), (\d+)\)")
ROW = re.compile(r"indices\[[\d, ]*\] = (-?\d+) is not in \[0, (\d+)\)")
STATIC = re.compile(r"Incompatible shapes: (\[[\d,]*\]) vs\. (\[[\d,]*\])")
OBJECTS = re.compile(
    r"Unsupported object type (\w+)|[Ii]nvalid dtype: (object|<U\d+|str\d*)|"
    r"could not convert string to float: '?([^'\n]*)|(Unrecognized data type: x=\[)"
)
ONLY_CALL = re.compile(r"only supports singleton tf\.Variables|Variables? (?:created|creation).*non-first call", re.S)
COMPILE = re.compile(r"You must call `compile\(\)` before using the model|must compile your model before", re.S)


def explain_compile(crash: Crash) -> Finding | None:
    """Name a call that needs compile() first."""
    if COMPILE.search(crash.text) is None:
        return None
    return BEFORE_COMPILE.found(
        expected=f"{receiver(crash)}.compile(…) before {receiver(crash)}.{_method(crash)}(…)",
        received="a model that was not compiled",
        fix=f'{receiver(crash)}.compile(optimizer="adam", loss="{_likely_loss(crash)}")',
    )


def _method(crash: Crash) -> str:
    call = crash.user.call if crash.user is not None else None
    return call.func.attr if call is not None and isinstance(call.func, ast.Attribute) else "fit"


def _likely_loss(crash: Crash) -> str:
    last = last_layer(crash.model)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    labels = shape_of(given(crash, 1, "y"))
    if activation == "softmax":
        return (
            "categorical_crossentropy"
            if labels and len(labels) > 1 and (labels[-1] or 0) > 1
            else "sparse_categorical_crossentropy"
        )
    return "binary_crossentropy" if activation == "sigmoid" else "mse"


def last_layer(model: Any) -> Any:
    """Return the last layer with an output of its own, None where it is not known."""
    held = [each for each in layers_of(model) if not is_model(each)]
    return held[-1] if held else None


def explain_static_batch(crash: Crash) -> Finding | None:
    """Name a batch of another size than the model's input states."""
    size = _static_batch(crash.model)
    match = STATIC.search(crash.text)
    if size is None or match is None:
        return None
    sizes = {parsed_shape(each)[:1] for each in match.groups() if parsed_shape(each)}
    if (size,) not in sizes or len(sizes) != 2:
        return None
    other = next(each[0] for each in sizes if each != (size,))
    x, y = argument(crash, 0, "x"), argument(crash, 1, "y")
    rows = (shape_of(given(crash, 0, "x")) or (None,))[0]
    stated = given(crash, 2, "batch_size")
    if stated not in (None, size) or (stated is None and rows is not None and rows % size == 0):
        fix = f"batch_size={size}  # in {receiver(crash)}.{_method(crash)}"
    else:
        kept = f"{rows // size * size}" if rows else f"len({x}) // {size} * {size}"
        fix = f"{assigned(x, f'{x}[:{kept}]')}; {assigned(y, f'{y}[:{kept}]')}  # whole batches of {size}"
    return BATCH_FIXED.found(
        expected=f"every batch of {size}, as the model's input states", received=f"one of {other}", fix=fix
    )


def _static_batch(model: Any) -> int | None:
    try:
        shape = model.inputs[0].shape
    except (AttributeError, TypeError, IndexError):
        return None
    return int(shape[0]) if shape and shape[0] is not None else None


def explain_index(crash: Crash) -> Finding | None:
    """Name a class number or an Embedding's index that is not there."""
    if (match := LABEL.search(crash.text)) is not None:
        value, low, high = map(int, match.groups())
        last = last_layer(crash.model)
        y = argument(crash, 1, "y")
        if value < 0:
            fix = f"{assigned(y, f'{y} - {value}')}  # class numbers from 0"
        elif value == high:
            fix = f"{_units(crash, last, value + 1)}  # classes 0..{value}; or {y} - 1 where they begin at 1"
        else:
            fix = f"{_units(crash, last, value + 1)}  # a unit for each class, 0..{value} at least"
        return INDEX_RANGE.found(
            "train",
            field="labels.values",
            expected=f"class numbers from {low} to {high - 1}: {_told_output(last)} has {high} units",
            received=f"{value}",
            fix=fix,
        )
    if (match := ROW.search(crash.text)) is None:
        return None
    value, rows = map(int, match.groups())
    layer = next((each for each in layers_of(crash.model) if getattr(each, "input_dim", None) == rows), None)
    if layer is None:
        return None
    x, data = data_of(crash)
    most = int(data.max()) if is_numpy(data) and data.dtype.kind in "iuf" and data.size else value
    return INDEX_RANGE.found(
        "train",
        expected=f"numbers from 0 to {rows - 1}: {told(layer)}{at_line(made_at(crash, layer))} has {rows} rows",
        received=f"{value}",
        fix=f"{with_first(crash, layer, max(most, value) + 1)}  # a row for each number up to {max(most, value)}"
        if value >= 0
        else f"{assigned(x, f'{x} - {value}')}  # numbers from 0",
    )


def _units(crash: Crash, last: Any, count: int) -> str:
    return with_first(crash, last, count) if hasattr(last, "units") else f"{count} units"


def _told_output(last: Any) -> str:
    return told(last) if last is not None else "the output"


def explain_made_in_call(crash: Crash) -> Finding | None:
    """Name a layer or variable that call() makes."""
    if ONLY_CALL.search(crash.text) is None:
        return None
    line = crash.user.text if crash.user is not None and crash.user.function == "call" else ""
    made = re.search(r"([\w.]+\([^()]*(?:\([^()]*\)[^()]*)*\))\(", line)
    what = made.group(1) if made else "the layer"
    name = re.sub(r"\W.*", "", what.rpartition("(")[0].rpartition(".")[2] or "layer").lower() if made else "layer"
    return MADE_IN_CALL.found(
        expected="layers made once, in __init__",
        received=f"{what} made in call(){', ' + crash.place if crash.place else ''}, at every step",
        fix=f"self.{name} = {what}  # in __init__; self.{name}(…) in call()"
        if made
        else "Make every layer in __init__ and only use it in call().",
        why="fit stops: a step may not make variables; and what it made would be new, untrained, each time.",
    )


def explain_objects(crash: Crash) -> Finding | None:
    """Name data that hold Python objects or words."""
    match = OBJECTS.search(crash.text)
    if match is None:
        return None
    if match.group(3) is not None:
        return words_found(crash, match.group(3))
    x, value = data_of(crash)
    if takes_text(crash.model) and (found := _texts(x, value)) is not None:
        return found
    if match.group(4):
        return None
    kind = next((each for each in match.groups() if each), "objects")
    if kind == "object" and is_numpy(value) and value.size and isinstance(value.flat[0], list | tuple):
        kind = type(value.flat[0]).__name__
    whole = shape_of(value)
    if kind in ("list", "tuple", "numpy", "ndarray"):
        stacked = f'np.stack([np.asarray(row, "float32") for row in {x}])'
        fix = f"{assigned(x, stacked)}  # rows of one length; else pad_sequences"
    else:
        fix = assigned(x, f'np.asarray({x}).astype("float32")')
    return DTYPE_REFUSED.found(
        "train",
        expected="one array of numbers",
        received=f"{f'{whole} of ' if whole else ''}{kind}",
        fix=fix,
    )


def _texts(x: str, value: Any) -> Finding | None:
    """Return the finding on texts, for a network that takes them, in a form that Keras refuses; None of other data."""
    if isinstance(value, list) and listed_texts(value) is not None:
        fix, received = f"keras.ops.convert_to_tensor({x})", "a list of texts"
    elif is_numpy(value) and value.dtype.kind in "USO":
        fix, received = f"keras.ops.convert_to_tensor({x}.astype(object))", f"{value.shape} of {value.dtype}"
    else:
        return None
    return DTYPE_REFUSED.found("train", expected="a tensor of strings", received=received, fix=assigned(x, fix))
