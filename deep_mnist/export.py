"""From a raw image to a prediction, as the preprocessing record says: in numpy for scoring, in a graph for serving.

An exported model has two signatures:

    serving_default   images: uint8 (n, rows, columns) or (n, rows, columns, 1), raw pixels 0..255, any n
    network           images: what the network takes, prepared already

Both return `class` int64 (n,), `probabilities` float32 (n, classes) and `outputs`, what the network itself says. The
probabilities are at the temperature that was fitted for the model; the class is read from what the network says.
The preparation between the two is built from the record and lies in the SavedModel as assets/preprocessing.json.
For data that came prepared, nobody knows what raw was: `serving_default` then takes what the network takes.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.calibration import Calibration, read_calibration
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.outputs import LEAST_SHARE, output_kind, probabilities

BATCH = 512
GOLDEN_REQUESTS, GOLDEN_FILE = 256, "golden_requests.npz"
GOLDEN_TOLERANCE = 1e-4  # of a probability, between the model that was judged and its export or a server of it
RECORD_FILE = "preprocessing.json"
MODEL_FILE = "model.keras"


class ServingError(ValueError):
    """A model and a preprocessing record that do not fit one another."""

    fix = "rerun train"


def raw_shape(record: Preprocessing) -> tuple[int, int]:
    """Return rows and columns of a raw image.

    >>> record = Preprocessing("mnist", "channels_last", (28, 28, 1), "float32", 1 / 255, 0.0, "sparse", 10)
    >>> raw_shape(record)
    (28, 28)
    """
    sizes = record.image_shape
    if record.layout == "flat" or len(sizes) == 1:
        side = round(sizes[0] ** 0.5)
        return side, sizes[0] // side
    return (sizes[0], sizes[1]) if record.layout == "channels_last" else (sizes[-2], sizes[-1])


def network_input(raw: np.ndarray, record: Preprocessing) -> np.ndarray:
    """uint8 (n, rows, columns) -> (n, *record.image_shape) of record.dtype: raw * scale + offset.

    `preprocess` writes datasets with this very function, and `_graph_input` is the same in a graph.

    >>> record = Preprocessing("mnist", "channels_last", (28, 28, 1), "float32", 1 / 255, 0.0, "sparse", 10)
    >>> fed = network_input(np.full((2, 28, 28), 255, np.uint8), record)
    >>> fed.shape, fed.dtype.name, float(fed.max())
    ((2, 28, 28, 1), 'float32', 1.0)
    """
    shaped = raw.reshape(len(raw), *record.image_shape)
    if record.dtype == "uint8":
        return shaped
    if record.offset == 0.0 and record.scale == 1 / 255:
        return shaped.astype(np.float32) / np.float32(255)  # bit for bit what everybody writes
    return shaped.astype(np.float32) * np.float32(record.scale) + np.float32(record.offset)


def raw_images(stored: np.ndarray, record: Preprocessing) -> np.ndarray:
    """(n, *record.image_shape) -> the uint8 (n, rows, columns) in 0..255 that they were made from.

    Raises:
        ServingError: The record's scale is 0.

    >>> record = Preprocessing("mnist", "channels_last", (28, 28, 1), "float32", 1 / 255, 0.0, "sparse", 10)
    >>> raw = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)
    >>> bool((raw_images(network_input(raw, record), record) == raw).all())
    True
    """
    shaped = stored.reshape(len(stored), *raw_shape(record))
    if record.dtype == "uint8":
        return np.asarray(shaped)
    if record.scale == 0:
        raise ServingError(
            "Expected a scale other than 0 in the preprocessing record. Received: 0. Fix: Rerun preprocess."
        )
    return np.clip(np.rint((shaped.astype(np.float64) - record.offset) / record.scale), 0, 255).astype(np.uint8)


def read_record(folder: Path) -> Preprocessing:
    """Return the record that lies beside a trained model.

    Raises:
        ServingError: There is none, or it is damaged.
    """
    path = folder / RECORD_FILE
    try:
        return Preprocessing.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ServingError(
            f"Expected a preprocessing record at {path}. Received: {error}. Fix: Rerun train."
        ) from error


class TrainedNetwork:
    """A trained Keras model with the record of what it takes and its temperature.

    Attributes:
        kind: "softmax", "sigmoid" or "logits": what the network says.
        digest: SHA-256 of configuration and weights: the same for the same model, whenever it was saved.
    """

    def __init__(self, model: Any, record: Preprocessing, calibration: Calibration | None = None) -> None:
        self.model = model
        self.record = record
        self.calibration = calibration or Calibration()
        self.kind = output_kind(model)
        self.digest = model_digest(model)

    @classmethod
    def load(cls, folder: Path) -> TrainedNetwork:
        """Read model.keras (safe mode: no code in it is run), preprocessing.json and calibration.json from a folder."""
        import keras

        path = folder / MODEL_FILE
        if not path.is_file():
            raise ServingError(f"Expected a trained model at {path}. Received: no file. Fix: Rerun train.")
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        return cls(model, read_record(folder), read_calibration(folder))

    def predict(self, images: np.ndarray, *, raw: bool) -> np.ndarray:
        """Return float64 probabilities (n, classes) at the fitted temperature.

        Args:
            images: uint8 (n, rows, columns) when `raw`, else what the network takes.
        """
        return probabilities(self.outputs(images, raw=raw), self.kind, self.calibration.temperature)

    def outputs(self, images: np.ndarray, *, raw: bool) -> np.ndarray:
        """Return what the network itself says of the same images, float (n, …)."""
        chunks = []
        for start in range(0, len(images), BATCH):
            fed = self.fed(images[start : start + BATCH], raw=raw)
            chunks.append(np.asarray(self.model.predict_on_batch(fed)))
        return _finite(np.concatenate(chunks))

    def fed(self, images: np.ndarray, *, raw: bool) -> np.ndarray:
        """Return what the network takes for these images."""
        if not raw:
            return np.asarray(images, dtype=self.record.dtype)
        if raw_shape(self.record) != images.shape[1:]:
            raise ServingError(
                f"Expected images of {raw_shape(self.record)} pixels. Received: {images.shape[1:]}. "
                "Fix: publish models of other images under another model name."
            )
        return network_input(images, self.record)


def _finite(outputs: np.ndarray) -> np.ndarray:
    if not np.isfinite(outputs).all():
        bad = int(np.count_nonzero(~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)))
        raise ServingError(f"Expected finite outputs. Received: NaN or infinity for {bad} images. Fix: Train again.")
    return outputs


def model_digest(model: Any) -> str:
    """SHA-256 over the layers' configuration, without their names' counters, and every weight's bytes."""
    digest = hashlib.sha256()
    for layer in model.layers:
        settings = {key: value for key, value in layer.get_config().items() if key != "name"}
        digest.update(f"{type(layer).__name__} {json.dumps(settings, sort_keys=True, default=str)}\n".encode())
    for weight in model.get_weights():
        digest.update(f"{weight.dtype.str} {weight.shape}\n".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def export(network: TrainedNetwork, folder: Path) -> None:
    """Write a SavedModel with both signatures and the record."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in network.model.variables]
    with tempfile.TemporaryDirectory() as scratch:
        asset = Path(scratch) / RECORD_FILE
        asset.write_text(json.dumps(network.record.to_dict(), indent=1) + "\n")
        module.preprocessing = tf.saved_model.Asset(str(asset))
        tf.saved_model.save(module, str(folder), signatures=_signatures(network, tf))


def _signatures(network: TrainedNetwork, tf: Any) -> dict[str, Any]:
    record = network.record
    sides = [side or None for side in record.image_shape]
    prepared = tf.TensorSpec((None, *sides), tf.dtypes.as_dtype(record.dtype), name="images")

    @tf.function(input_signature=[prepared], autograph=False)  # type: ignore[untyped-decorator]
    def predict(images: Any) -> dict[str, Any]:
        return graph_predictions(
            network.model(images, training=False), network.kind, network.calibration.temperature, tf
        )

    # No rank is fixed, so that images with and without a channel axis are both welcome.
    @tf.function(input_signature=[tf.TensorSpec(None, tf.uint8, name="images")], autograph=False)  # type: ignore[untyped-decorator]
    def predict_raw(images: Any) -> dict[str, Any]:
        fed = _graph_input(images, record, tf)
        return graph_predictions(network.model(fed, training=False), network.kind, network.calibration.temperature, tf)

    return {"serving_default": predict if record.prepared else predict_raw, "network": predict}


def _graph_input(images: Any, record: Preprocessing, tf: Any) -> Any:
    rows, columns = raw_shape(record)
    shape = tf.shape(images)
    # Filled up with ones, both ranks are one shape: tf.cond would run its branches as functions, a fifth of the time.
    filled = tf.concat([shape, tf.ones(4, tf.int32)], axis=0)[:4]
    expected = tf.concat([filled[:1], [rows, columns, 1]], axis=0)
    fits = tf.logical_and(tf.reduce_all(tf.equal(filled, expected)), tf.size(shape) <= 4)
    message = f"Expected images: uint8 (n, {rows}, {columns}) or (n, {rows}, {columns}, 1). Received the shape:"
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, shape], summarize=8)]):
        return graph_scaled(images, record, tf)


def graph_scaled(images: Any, record: Preprocessing, tf: Any) -> Any:
    """The graph's counterpart of `network_input`, of raw images of as many values as record.image_shape has."""
    shaped = tf.reshape(images, (-1, *record.image_shape))
    if record.dtype == "uint8":
        return shaped
    floats = tf.cast(shaped, tf.float32)
    if record.offset == 0.0 and record.scale == 1 / 255:
        return floats / 255.0
    return floats * tf.constant(record.scale, tf.float32) + tf.constant(record.offset, tf.float32)


def graph_predictions(outputs: Any, kind: str, temperature: float, tf: Any) -> dict[str, Any]:
    """The graph's counterpart of `probabilities`: what a signature returns for what a network says."""
    units = int(np.prod(outputs.shape[1:]))
    values = tf.reshape(tf.cast(outputs, tf.float32), (-1, units))
    if kind == "logits":
        scores = values if units > 1 else tf.concat([tf.zeros_like(values), values], axis=1)
        shares = tf.nn.softmax(scores / temperature)
    else:
        scores = values if units > 1 else tf.concat([1.0 - values, values], axis=1)
        shares = tf.math.divide_no_nan(scores, tf.reduce_sum(scores, axis=1, keepdims=True))
        if temperature != 1.0:
            shares = tf.nn.softmax(tf.math.log(tf.maximum(shares, LEAST_SHARE)) / temperature)
    return {"class": tf.argmax(scores, axis=1), "probabilities": shares, "outputs": outputs}
