"""Making the other forms of a trained network, by the exporters of TensorFlow and tf2onnx."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.export import ServingError, TrainedNetwork, graph_predictions, graph_scaled, raw_shape
from deep_mnist.forms.form import LITERT_INT8, ONNX, Form

OPSET = 18  # of ONNX; onnxruntime has run it since 1.14


def convert(network: TrainedNetwork, form: Form, path: Path, examples: np.ndarray) -> None:
    """Write a network in another form.

    Args:
        network: Trained, with its temperature.
        form: What to write.
        path: The file.
        examples: Some hundred training images as `serving_default` takes them: what 8-bit numbers must reach to.

    Raises:
        ServingError: The form cannot take what the network takes.
        ImportError: A package that makes it is not installed.
    """
    if form is ONNX:
        _write_onnx(network, path)
    elif form is LITERT_INT8:
        _write_int8(network, path, examples)
    else:
        path.write_bytes(_converted(_signature(network), network.model))


def _signature(network: TrainedNetwork) -> Any:
    """Return `serving_default` for images of one rank, a tf.function."""
    import tensorflow as tf

    record, temperature = network.record, network.calibration.temperature
    sides = [side or None for side in record.image_shape] if record.prepared else raw_shape(record)
    spec = tf.TensorSpec((None, *sides), record.dtype if record.prepared else tf.uint8, name="images")

    @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
    def predict(images: Any) -> dict[str, Any]:
        fed = images if record.prepared else graph_scaled(images, record, tf)
        return graph_predictions(network.model(fed, training=False), network.kind, temperature, tf)

    return predict


def _write_onnx(network: TrainedNetwork, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import tf2onnx
        from keras.src.export.tf2onnx_lib import patch_tf2onnx  # as Keras' own export to ONNX does

        patch_tf2onnx()
        signature = _signature(network)
        tf2onnx.convert.from_function(
            signature, input_signature=signature.input_signature, opset=OPSET, output_path=str(path)
        )


def _converted(signature: Any, model: Any, set_up: Callable[[Any], None] | None = None) -> bytes:
    """Return a signature as TensorFlow's converter writes it; by way of a SavedModel, it takes the weights in."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signature.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if set_up:
            set_up(converter)
        made: bytes = converter.convert()
        return made


def _write_int8(network: TrainedNetwork, path: Path, examples: np.ndarray) -> None:
    """Write the network in 8-bit integers throughout; its input is then the raw pixels as they are."""
    import tensorflow as tf

    record, temperature = network.record, network.calibration.temperature
    if record.prepared and np.dtype(record.dtype).kind != "f":
        raise ServingError(
            f"Expected images or float values for 8-bit integers. Received: a network of {record.dtype}. "
            "Fix: publish it in float"
        )
    model, kind = _float_twin(network)
    sides = record.image_shape if record.prepared else raw_shape(record)

    @tf.function(input_signature=[tf.TensorSpec((None, *sides), tf.float32, name="images")], autograph=False)  # type: ignore[untyped-decorator]
    def predict(images: Any) -> dict[str, Any]:
        fed = images if record.prepared else graph_scaled(images, record, tf)
        shares = graph_predictions(model(fed, training=False), kind, temperature, tf)["probabilities"]
        return {"probabilities": shares}

    def set_up(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([each[np.newaxis].astype(np.float32)] for each in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8 if record.prepared else tf.uint8

    path.write_bytes(_converted(predict, model, set_up))


def _float_twin(network: TrainedNetwork) -> tuple[Any, str]:
    """Return the network on the same weights for float32 input, and what it says: logits where its end can be cut.

    Of 256 levels of a probability the temperature would make coarser ones, and of integers no float is cast.
    """
    import keras

    model = network.model
    last = model.outputs[0]._keras_history.operation
    cut = getattr(getattr(last, "activation", None), "__name__", "") == network.kind != "logits"

    def twin_of(layer: Any) -> Any:
        same = layer is not last or not cut
        return layer if same else type(layer).from_config({**layer.get_config(), "activation": "linear"})

    image = keras.Input(model.inputs[0].shape[1:], dtype="float32")
    twin = keras.models.clone_model(model, input_tensors=image, clone_function=twin_of)
    if cut:
        twin.outputs[0]._keras_history.operation.set_weights(last.get_weights())
    return twin, "logits" if cut else network.kind
