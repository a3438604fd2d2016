"""A user's own `.keras`: loaded in safe mode, trained with the settings it was compiled with."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import keras

from deep_mnist.data.dataset import Preprocessing
from deep_mnist.storage.open import fetch
from deep_mnist.storage.store import sha256_of_file


class UnusableModelError(ValueError):
    """A model file that cannot be trained here."""

    fix = "save the model again with model.save"


def load_own_model(address: str, digest: str, record: Preprocessing) -> keras.Model:
    """Return a user's model, compiled.

    A model without compile settings gets Adam at its own rate, 0.001, and the cross-entropy that fits the
    labels' encoding and the output's activation; a line says so.

    Args:
        address: A path, file://, gs:// or s3:// address.
        digest: SHA-256 that the file must have, or "".

    Raises:
        UnusableModelError: Altered, not a `.keras`, with a Lambda or code of its own, or nothing to train.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        fetch(address, path)
        received = sha256_of_file(path)
        if digest and received != digest:
            raise UnusableModelError(
                f"Expected {address} with SHA-256 {digest}. Received: {received}. Fix: Run it again."
            )
        model = _load(path, address)
    if not model.trainable_variables:
        raise UnusableModelError(
            f"Expected weights to train in {address}. Received: none. Fix: Set trainable=True on a layer."
        )
    if not (model.compiled and model.optimizer and getattr(model, "loss", None)):
        _compile(model, record)
    return model


def _load(path: Path, address: str) -> keras.Model:
    if not zipfile.is_zipfile(path):
        raise UnusableModelError(
            f"Expected a .keras file (a zip) at {address}. Received: another. Fix: Use model.save."
        )
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises nearly every kind on a damaged or hostile file
        raise UnusableModelError(
            f"Expected a .keras file of Keras' own layers, none a Lambda, at {address}. "
            f"Received: {str(error).splitlines()[0]} Fix: Replace such layers by Keras' own, and save again."
        ) from error


def _compile(model: keras.Model, record: Preprocessing) -> None:
    last = getattr(model.layers[-1], "activation", None)
    from_logits = last is not keras.activations.softmax and not isinstance(model.layers[-1], keras.layers.Softmax)
    kind = keras.losses.CategoricalCrossentropy
    if record.label_encoding == "sparse":
        kind = keras.losses.SparseCategoricalCrossentropy
    loss = kind(from_logits=from_logits)
    model.compile(optimizer=keras.optimizers.Adam(), loss=loss, metrics=["accuracy"])
    print(f"train: {model.name} has no compile settings; Adam and {loss.name} (from_logits={from_logits}) used")
