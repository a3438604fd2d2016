"""Checks of layers that look words up: they have seen no words, or the words are of a type that Keras does not take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.evidence.live.own_code import is_of_keras_2
from deep_mnist.doctor.evidence.live.text_inputs import is_empty_lookup, takes_text
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

NOT_ADAPTED = Rule(
    code="M003",
    name="lookup-not-adapted",
    field="model.normalization",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A layer that looks words up, or sorts numbers into bins, has never seen the training data.",
    why="TensorFlow stops at the first batch: the table is not initialized.",
)
REFUSED_TEXT = Rule(
    code="I228",
    name="text-array-refused",
    field="images.dtype",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Texts for a layer that takes text are pandas's, numpy's own type of text, or Python objects on two axes.",
    why="Keras 3 refuses them before the first step: invalid dtype.",
)
FEW = 50  # texts looked at


@check(NOT_ADAPTED)
def check_adapted(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the first layer without a vocabulary or bins."""
    layer = next((each for each in layers_of(case) if _is_empty(each)), None)
    if layer is None or case.call is None:
        return
    one = len(getattr(case.call.model, "inputs", None) or [None]) == 1
    place = f'model.get_layer("{layer.name}")' if layer in case.call.model.layers else layer.name
    yield NOT_ADAPTED.found(
        expected=f"a {type(layer).__name__} that has seen the training data, or was given its vocabulary",
        received=f"{layer.name} without any: adapt() was never called",
        fix=f"{place}.adapt(train_images)" if one else f"Call adapt() of {layer.name} with its input's training data.",
    )


def _is_empty(layer: Any) -> bool:
    if type(layer).__name__ == "Discretization":
        return getattr(layer, "bin_boundaries", ()) is None
    return is_empty_lookup(layer)


@check(REFUSED_TEXT)
def check_text_dtype(case: Case) -> Iterator[Finding]:
    """Yield texts in an array that Keras 3 refuses, for a network that takes text."""
    call = case.call
    if call is None or not _is_refused(call.x) or not takes_text(call.model):
        return
    if is_of_keras_2(call.model):
        return
    test = call.held_out[0] if isinstance(call.held_out, tuple | list) and call.held_out else None
    names = ["train_images", *(["test_images"] if _is_refused(test) else [])]
    yield REFUSED_TEXT.found(
        "train",
        expected="a tensor of strings, or texts as Python objects on one axis",
        received=f"{_told(call.x)} of dtype {call.x.dtype} and shape {call.x.shape}",
        fix="; ".join(f"{name} = keras.ops.convert_to_tensor({_objects(name, call.x)})" for name in names),
    )


def _told(texts: Any) -> str:
    return f"a {type(texts).__name__} of pandas" if _is_of_pandas(texts) else "an array"


def _objects(name: str, texts: Any) -> str:
    """Return the code that makes texts Python's, "" for missing ones."""
    if not _is_of_pandas(texts):
        return f"{name}.astype(object)"
    filled = f'{name}.fillna("")' if np.asarray(texts.isna()).any() else name
    return f"{filled}.to_numpy(dtype=object)"


def _is_of_pandas(texts: Any) -> bool:
    """Whether something is a Series or an extension array."""
    return type(texts).__module__.partition(".")[0] == "pandas" and hasattr(texts, "dtype")


def _is_refused(texts: Any) -> bool:
    """Whether something is an array of numpy's text, of Python's on two axes or more, or texts of pandas."""
    if _is_of_pandas(texts):
        return any(isinstance(each, str) for each in texts[:FEW])
    if not isinstance(texts, np.ndarray) or not texts.size:
        return False
    return texts.dtype.kind in "US" or (texts.dtype.kind == "O" and texts.ndim > 1 and isinstance(texts.flat[0], str))
