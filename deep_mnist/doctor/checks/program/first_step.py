"""The first step of fit, tried on two examples: what it would raise is named before fit is called.

Only what no other check reads from the network's configuration needs it: a class of one's own, a Sequential that was
never told its input, and the loss between output and labels. Nothing of the model is changed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.rules import STEP_FAILS
from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged, whole_tracebacks
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check

ROWS = 2
TRIED = ("fit", "check", "assert_fit", "train_on_batch")
SURE = (
    "E001",
    "E101",
    "E102",
    "E103",
    "E104",
    "E105",
    "E107",
    "E108",
    "E111",
    "E112",
    "E113",
    "E119",
)  # names, and errors of shapes


@check(STEP_FAILS)
def check_first_step(case: Case) -> Iterator[Finding]:
    """Yield what the first step of fit raises, where it is sure what it is."""
    call = case.call
    if call is None or call.verb not in TRIED or not steps_as_keras_does(call.model) or not is_small(call.model):
        return
    x, y = _rows(case, "inputs"), _rows(case, "targets")
    if x is None:
        return
    for inner, given in _unchecked(call.model):
        if _raises(call.model, x):
            yield STEP_FAILS.found(
                expected=f"{inner.inputs[0].shape} for the model {inner.name!r} within the network",
                received=f"{given.shape}",
                fix=_in_colours(case, inner, given) or f"Make what {inner.name!r} is called on, and it, of one shape.",
            )
            return
    found = _error_of(call.model, x, y, case)
    if found is not None and found.rule.code in SURE:
        field = found.field if found.field in (STEP_FAILS.field, *STEP_FAILS.other_fields) else STEP_FAILS.field
        yield STEP_FAILS.found(
            found.split, expected=found.expected, received=found.received, fix=found.fix, why=found.why, field=field
        )


def steps_as_keras_does(model: Any) -> bool:
    """Whether the model is Keras 3's on TensorFlow, steps as Keras does, and takes any batch size."""
    keras = sys.modules.get("keras")
    own = sys.modules.get("keras.src.backend.tensorflow.trainer")
    if keras is None or own is None or not isinstance(model, keras.Model) or keras.backend.backend() != "tensorflow":
        return False
    steps = own.TensorFlowTrainer
    plain = keras.Model.compute_loss
    return (
        type(model).train_step is steps.train_step
        and type(model).compute_loss is plain
        and type(model).fit.__qualname__.startswith(("TensorFlowTrainer", "Model"))
        and not any(each.shape[0] is not None for each in getattr(model, "inputs", None) or ())
    )


def _unchecked(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the models within a network that are called on another shape than theirs, with the tensor they are given.

    Keras compares neither when the network is made.
    """
    held = getattr(getattr(model, "_functional", model), "_nodes_by_depth", {})
    for node in (each for nodes in held.values() for each in nodes):
        inner, given = node.operation, node.input_tensors
        own: list[Any] = getattr(inner, "inputs", None) or []
        if len(own) == len(given) == 1 and len(own[0].shape) == len(given[0].shape):
            sides = zip(own[0].shape[1:], given[0].shape[1:], strict=True)
            if any(None not in each and each[0] != each[1] for each in sides):
                yield inner, given[0]


def _raises(model: Any, x: Any) -> bool:
    """Whether a network cannot be made a graph for rows of this shape."""
    tf = sys.modules["tensorflow"]
    try:
        tf.function(lambda rows: model(rows, training=False), autograph=False).get_concrete_function(
            tf.TensorSpec((None, *x.shape[1:]), "float32")
        )
    except Exception:  # of whichever layer
        return True
    return False


def _in_colours(case: Case, inner: Any, given: Any) -> str:
    """Return the line that calls a model for three channels, on one channel thrice; "" of another mismatch."""
    shape = (*given.shape[1:-1], 3)
    if case.frame is None or given.shape[-1] != 1 or tuple(inner.inputs[0].shape[1:]) != shape:
        return ""
    text = ProgramText(case.frame)
    calls = [each for each in text.nodes if isinstance(each, ast.Call) and len(each.args) == 1
             and isinstance(each.func, ast.Name) and text.value_of(each.func) is inner]  # fmt: skip
    if len(calls) != 1:
        return ""
    one = ast.unparse(calls[0].args[0])
    thrice = ast.parse(f"keras.layers.Concatenate()([{one}, {one}, {one}])", mode="eval").body
    return text.with_expression(calls[0].args[0], thrice)


def _rows(case: Case, part: str) -> Any:
    """Return the first rows as the call gives them, None where they cannot be taken without drawing."""
    import numpy as np

    call = case.call
    if call is None:
        return None
    given = call.x if part == "inputs" else call.y
    drawn = case.train.images if part == "inputs" else case.train.labels
    several = case.train.inputs if part == "inputs" else case.train.targets
    if given is None or not isinstance(given, np.ndarray):
        if several or drawn is None:
            return None
        given = drawn
    return given[:ROWS] if given.ndim and len(given) >= ROWS and given.dtype.kind in "fiub" else None


def _error_of(model: Any, x: Any, y: Any, case: Case) -> Finding | None:
    """Return what is known of the error that a step on these rows raises, None where it raises none."""
    from deep_mnist.doctor.checks.crashes.explain import finding_of

    changed = [] if getattr(model, "outputs", None) else [model]  # whose output is then not computed
    try:
        with whole_tracebacks(), unchanged(*changed):
            _step(model, x, y)
    except Exception as error:  # the user's own layers may raise anything
        return finding_of(error, model=model, caller=case.frame)
    return None


def _step(model: Any, x: Any, y: Any) -> None:
    """Run what a step of fit runs, up to the loss: the model as fit traces it, then the loss on its outputs."""
    output = _output(model, x)
    loss = _loss(model)
    if loss is not None and y is not None and output is not None:
        loss(y, output)


def _output(model: Any, x: Any) -> Any:
    """Return zeros of the output's form of a model that is built of layers; of any other, its output for these rows."""
    import numpy as np
    import tensorflow as tf

    known = getattr(model, "outputs", None)
    if known:
        shape = tuple(known[0].shape) if len(known) == 1 else ()
        return np.zeros((len(x), *shape[1:]), "float32") if shape and None not in shape[1:] else None
    output = model(x, training=False)
    spec = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
    tf.function(lambda rows: model(rows, training=False), autograph=False).get_concrete_function(spec)
    return output if hasattr(output, "shape") else None


def _loss(model: Any) -> Any:
    """Return a loss of Keras's own that the model was compiled with, None for any other."""
    import keras

    stated = getattr(model, "loss", None)
    if isinstance(stated, str | type):
        try:
            stated = keras.losses.get(stated)
        except (ValueError, TypeError):
            return None
    if isinstance(stated, keras.Loss):
        return stated if type(stated).__module__.startswith("keras.") else None
    wrapper = sys.modules.get("keras.src.losses.losses")
    if wrapper is None or not callable(stated) or not getattr(stated, "__module__", "").startswith("keras."):
        return None
    return wrapper.LossFunctionWrapper(stated)
