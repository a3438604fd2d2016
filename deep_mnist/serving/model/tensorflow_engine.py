"""The engine for a version's SavedModel; a single example goes through code that XLA compiled, where that is faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import Preprocessing
from deep_mnist.export import BATCH, MODEL_FILE, raw_shape
from deep_mnist.serving.model.attribution import Attribution
from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE, InputForm, Sides
from deep_mnist.serving.model.served_model import Arrays, LoadedForm, ServedSignature, UnsuitableInputError

Call = Callable[[np.ndarray], Arrays]
# More operations than this take XLA longer to compile than a server's start should: the 150 of `fast`, a second.
MOST_OPERATIONS = 600
TRIALS = 10
WORTHWHILE = 0.9  # of the time of the graph as it is
EQUAL = 1e-4


def tensorflow_engine(folder: Path, record: Preprocessing) -> LoadedForm:
    """Return the SavedModel."""
    attribution = Attribution(folder) if (folder / MODEL_FILE).is_file() else None
    return LoadedForm("tensorflow_savedmodel", _signatures(folder, record), _metadata(folder), attribution)


def _signatures(folder: Path, record: Preprocessing) -> dict[str, ServedSignature]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    return {name: _signature(loaded, name, record) for name in loaded.signatures}


def _signature(loaded: Any, name: str, record: Preprocessing) -> ServedSignature:
    ((key, spec),) = loaded.signatures[name].structured_input_signature[1].items()
    form = InputForm(key, np.dtype(spec.dtype.as_numpy_dtype), _shapes(spec, record))

    def call(images: np.ndarray) -> Arrays:
        # The loaded module owns the variables: it lives as long as its signature.
        parts = [_predicted(loaded.signatures[name], key, images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    alone = compile_single(loaded.signatures[name], form, call) if name == DEFAULT_SIGNATURE else None
    return ServedSignature(
        form, call if alone is None else lambda images: (alone if len(images) == 1 else call)(images)
    )


def compile_single(function: Any, form: InputForm, call: Call) -> Call | None:
    """Return the call of a single example as XLA compiles it; None where that fails, differs or gains nothing."""
    import tensorflow as tf

    sides = tuple(side for side in form.shapes[0] if side)
    if len(sides) < len(form.shapes[0]) or _operations(function) > MOST_OPERATIONS:
        return None
    spec = tf.TensorSpec((1, *sides), form.dtype)
    example = np.zeros((1, *sides), form.dtype)
    try:
        compiled = tf.function(
            lambda images: function(**{form.name: images}), input_signature=[spec], jit_compile=True, autograph=False
        ).get_concrete_function()

        def alone(images: np.ndarray) -> Arrays:
            outputs = compiled(tf.constant(images.reshape(example.shape)))
            return {output: value.numpy() for output, value in outputs.items()}

        expected, received = call(example), alone(example)
    except Exception:  # XLA has no kernel for an operation, or refuses its shapes
        return None
    same = all(np.allclose(received[output], expected[output], atol=EQUAL) for output in expected)
    return alone if same and _seconds(alone, example) < WORTHWHILE * _seconds(call, example) else None


def _operations(function: Any) -> int:
    """Return how many operations a signature has, those of the functions that it calls too."""
    graph = function.graph.as_graph_def()
    return len(graph.node) + sum(len(each.node_def) for each in graph.library.function)


def _seconds(call: Call, example: np.ndarray) -> float:
    """Return the time of the fastest of some calls."""
    taken = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        call(example)
        taken.append(time.perf_counter() - started)
    return min(taken)


def _predicted(function: Any, key: str, images: np.ndarray) -> Arrays:
    """Return one batch's outputs.

    Raises:
        UnsuitableInputError: The graph itself fails on images that the signature admits, of sides too small, say.
    """
    import tensorflow as tf

    try:
        return {output: value.numpy() for output, value in function(**{key: tf.constant(images)}).items()}
    except tf.errors.InvalidArgumentError as error:
        raise UnsuitableInputError(images.shape, error.message.splitlines()[0][:200]) from None


def _shapes(spec: Any, record: Preprocessing) -> tuple[Sides, ...]:
    """Return the shapes of one example; raw images come with and without a channel axis."""
    if spec.shape.rank is None:
        rows, columns = raw_shape(record)
        return (rows, columns), (rows, columns, 1)
    return (tuple(spec.shape.as_list()[1:]),)


def _metadata(folder: Path) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    return {
        name: MessageToDict(signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for name, signature in signatures.items()
        if signature.method_name
    }
