"""Some rows of a live call as its model takes them, and what the model makes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged

ROWS = 8


def can_be_tried(case: Case) -> bool:
    """Whether the model may be run: Keras on TensorFlow, not too large, and not under tf_keras."""
    keras, tf, call = sys.modules.get("keras"), sys.modules.get("tensorflow"), case.call
    if keras is None or tf is None or call is None or not hasattr(keras, "config"):
        return False
    modern = any(each.__module__.startswith("keras.") for each in type(call.model).__mro__)
    executing = bool(getattr(tf, "executing_eagerly", lambda: False)())
    return modern and keras.config.backend() == "tensorflow" and executing and is_small(call.model)


def rows_of(case: Case, count: int = ROWS) -> tuple[Any, np.ndarray | None]:
    """Return a few of train's inputs, nested as the call has them, and their targets; (None, None) for none.

    The rows are of different targets, where there are some.
    """
    train, call = case.train, case.call
    images, labels = train.images, train.labels
    if images is None or call is None or not images.ndim or len(images) < 2 or images.dtype.kind not in "fiub":
        return None, None
    places = _places(labels, len(images), count)
    y = None if labels is None or len(labels) != len(images) else np.asarray(labels[places])
    if train.targets:
        return None, None
    if train.inputs:
        held = {name: as_float(np.asarray(each[places])) for name, each in train.inputs.items()}
        return (list(held.values()) if isinstance(_nesting(call.x), list | tuple) else held), y
    return as_float(np.asarray(images[places])), y


def _nesting(x: Any) -> Any:
    """Return what fit was given as x, of a dataset the specification of it."""
    spec = getattr(x, "element_spec", None)
    return spec[0] if isinstance(spec, tuple) and spec else x


def _places(labels: np.ndarray | None, count: int, most: int) -> np.ndarray:
    spread = np.linspace(0, count - 1, min(most, count)).astype(int)
    if labels is None or len(labels) != count or labels.ndim > 2 or labels.dtype.kind not in "fiub":
        return spread
    flat = labels.reshape(count, -1).argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    first = np.unique(flat, return_index=True)[1][:most]
    return np.sort(np.unique(np.concatenate([first, spread]))[: max(most, len(first))])[:most]


def as_float(rows: np.ndarray) -> np.ndarray:
    """Return rows as fit gives them to a step: of floats, float32."""
    return rows.astype(np.float32) if rows.dtype == np.float64 else rows


def outputs_of(case: Case, x: Any) -> np.ndarray | None:
    """Return what the model makes of some rows, None where it has several outputs, or raises."""
    model = case.call.model if case.call is not None else None
    tf = sys.modules["tensorflow"]
    with unchanged(model):
        try:
            made = model(tf.nest.map_structure(tf.convert_to_tensor, x), training=False)  # type: ignore[misc]
            return np.asarray(made, dtype=np.float32) if hasattr(made, "shape") else None
        except Exception:  # the user's own code may raise anything, and does so in fit
            return None


@contextmanager
def built(case: Case) -> Iterator[None]:
    """Within the block a model that its first batch builds is built, once for all checks; then it is as before.

    One that raises on some rows, or whose step is a loop's own, stays as it is: a check says so.
    """
    call = case.call
    model = call.model if call is not None else None
    x = rows_of(case)[0] if call is not None and call.step is None and can_be_tried(case) else None
    if x is None or model.built:  # type: ignore[union-attr]
        yield
        return
    with unchanged(model):
        if _is_built_by(model, x):
            yield
            return
    yield


def _is_built_by(model: Any, x: Any) -> bool:
    tf = sys.modules["tensorflow"]
    try:
        model(tf.nest.map_structure(tf.convert_to_tensor, x), training=False)
    except Exception:  # the user's own code may raise anything, and does so in fit
        return False
    return bool(model.built)


def step_of(case: Case) -> OwnStep | None:
    """Return the training step that is the user's own: a loop's, or a train_step; None where Keras's runs."""
    call = case.call
    if call is None or not can_be_tried(case):
        return None
    if call.step is not None:
        return call.step
    own = getattr(type(call.model), "train_step", None)
    module = str(getattr(own, "__module__", "keras"))
    if own is None or module.startswith(("keras.", "tf_keras.", "tensorflow.")):
        return None
    if call.train_step is None:
        call.train_step = _train_step(case, call.model, own)
    return call.train_step


def _train_step(case: Case, model: Any, own: Any) -> OwnStep | None:
    """Return a model's own train_step on a few rows, None where they cannot be taken."""
    x, y = rows_of(case)
    if x is None:
        return None
    tf = sys.modules["tensorflow"]

    def run(inputs: Any, targets: Any) -> Any:
        return model.train_step(inputs if targets is None else (inputs, targets))

    held = tf.nest.map_structure(tf.convert_to_tensor, x)
    targets = None if y is None else tf.convert_to_tensor(as_float(y))
    code = getattr(own, "__code__", None)
    place = f"{code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}" if code is not None else ""
    return OwnStep(model, held, targets, run, (), f"{type(model).__name__}.train_step", is_whole=True, place=place,
                   code=code)  # fmt: skip
