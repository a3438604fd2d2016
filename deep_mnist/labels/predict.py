"""Who predicts: a network of the tree, a user's own `.keras`, or the cheap classifier; finished folds are kept."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import Preprocessing, write_dataset
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.export import network_input
from deep_mnist.labels import classifier
from deep_mnist.labels.kept_folds import key_of, load_fold, put_together, save_fold
from deep_mnist.labels.live import EPOCHS
from deep_mnist.labels.source import LabelledSplit
from deep_mnist.storage.store import sha256_of_file

RUNNER = "components.inspect.run_folds"  # of the tree; the wheel has no networks
CHEAP, AUTO = "cheap", "auto"


class PredictionError(RuntimeError):
    """The trainings of the folds failed; what they printed stands above."""

    fix = "--network cheap predicts without TensorFlow"


@dataclass(frozen=True)
class Predictor:
    """What predicts.

    Attributes:
        network: Name of a built-in network, or "cheap".
        model: Path of a user's own `.keras`, or "".
        epochs: Passes of each training; 0 is the network's own number.
        seed: Of folds, weights and order.
    """

    network: str = AUTO
    model: str = ""
    epochs: int = 0
    seed: int = 0

    @property
    def name(self) -> str:
        """Return what a report calls it."""
        return Path(self.model).stem if self.model else self.network


def resolved(predictor: Predictor, source: LabelledSplit) -> Predictor:
    """Return the predictor with "auto" decided: `fast` where it can be run and takes such data, else the cheap one.

    Raises:
        NotUsableError: There is no such file of a network.
    """
    if predictor.model and not Path(predictor.model).is_file():
        raise NotUsableError(
            f"Expected a network's file at {predictor.model}. Received: no file. Fix: name a saved .keras file"
        )
    if predictor.model or predictor.network != AUTO:
        return predictor
    fits = source.images.dtype == np.uint8 and source.images.shape[1:] == (28, 28) and int(source.given.max()) < 10
    able = fits and is_installed("tensorflow") and is_installed("components.inspect")
    return Predictor("fast" if able else CHEAP, "", predictor.epochs, predictor.seed)


def is_installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def predict(
    source: LabelledSplit, features: tuple[np.ndarray, ...], fold: np.ndarray, by: Predictor, kept: Path
) -> np.ndarray:
    """Return float32 (n, classes), out-of-fold probabilities; folds that were finished before are taken from `kept`.

    Args:
        source: The split.
        features: Of `classifier.features_of`.
        fold: int64 (n,).
        by: With its network decided.
        kept: Folder of finished folds.

    Raises:
        NotUsableError: The network does not take such data, or cannot be run here.
        PredictionError: A training failed.
    """
    settings = {**vars(by), "model": sha256_of_file(Path(by.model)) if by.model else ""}
    folder = kept / key_of({"images": source.images, "given": source.given, "fold": fold}, settings)
    if by.model:
        return _with_model(source, fold, by, folder)
    if by.network != CHEAP:
        _with_network(source, fold, by, folder)
        return put_together(folder, fold)
    return classifier.predict_folds(features, source.given, fold, by.seed)


def _with_model(source: LabelledSplit, fold: np.ndarray, by: Predictor, folder: Path) -> np.ndarray:
    if not is_installed("keras"):
        raise NotUsableError("Expected Keras, to train --model. Received: none. Fix: pip install tensorflow")
    import keras

    from deep_mnist.labels.keras_folds import predict_folds

    model = keras.saving.load_model(by.model, safe_mode=True)
    images, labels, _ = as_network_takes(source, resolve_contract("", by.model))
    return predict_folds(
        model,
        images,
        labels,
        fold,
        epochs=by.epochs or EPOCHS,
        seed=by.seed,
        each=lambda number, found: save_fold(folder, number, found),
        known=lambda number: load_fold(folder, number),
    )


def _with_network(source: LabelledSplit, fold: np.ndarray, by: Predictor, folder: Path) -> None:
    """Train a network of the tree in a process of its own, so that its memory is given back."""
    if not (is_installed("components.inspect") and is_installed("tensorflow")):
        raise NotUsableError(
            f"Expected the project's tree and TensorFlow, to train {by.network}. Received: neither or one of them. "
            "Fix: --network cheap, or --model FILE.keras"
        )
    from deep_mnist.processes import start_module

    if all(load_fold(folder, number) is not None for number in range(int(fold.max()) + 1)):
        return
    images, labels, record = as_network_takes(source, resolve_contract(by.network))
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        write_dataset(data, {"train_images": images, "train_labels": labels}, record)
        np.save(Path(work) / "fold.npy", fold)
        arguments = [str(data), f"{work}/fold.npy", str(folder), by.network, str(by.epochs), str(by.seed)]
        if start_module(RUNNER, arguments, output=sys.stderr).wait():
            raise PredictionError(f"Expected predictions of {by.network}. Received: its training failed.")


def as_network_takes(source: LabelledSplit, contract: Contract) -> tuple[np.ndarray, np.ndarray, Preprocessing]:
    """Return images and labels as a network takes them, and the record of how they were made.

    Args:
        source: With raw pixels uint8 (n, rows, columns), or with images of the network's own shape: unchanged.
        contract: Of the network.

    Raises:
        NotUsableError: They are neither.
    """
    count = max(contract.num_classes or 0, int(source.given.max()) + 1)
    one_hot = contract.label_encoding == "one_hot"
    labels = np.eye(count, dtype=np.float32)[source.given] if one_hot else source.given
    record = _record(source, contract, count)
    if source.images.dtype == np.uint8 and source.images.ndim == 3:
        record = _record(source, contract, count, record.image_shape)
        if tuple(contract.input_shape or record.image_shape) != record.image_shape:
            _refuse(source, contract)
        return network_input(source.images, record), labels, record
    if contract.input_shape is None or source.images.shape[1:] != tuple(contract.input_shape):
        _refuse(source, contract)
    return source.images, labels, record


def _refuse(source: LabelledSplit, contract: Contract) -> None:
    raise NotUsableError(
        f"Expected examples for {contract.name}: {contract.input_dtype} {contract.input_shape}. Received: "
        f"{source.images.dtype} {source.images.shape[1:]} in {source.name}. Fix: --model with a network for such data, "
        "or --network cheap"
    )


def _record(source: LabelledSplit, contract: Contract, classes: int, shape: Any = None) -> Preprocessing:
    floats = contract.input_dtype != "uint8"
    low, high = (float(each) for each in contract.input_range)
    rows, columns = source.images.shape[1:3] if source.images.ndim == 3 else (0, 0)
    shapes = {"flat": (rows * columns,), "channels_last": (rows, columns, 1), "channels_first": (1, rows, columns)}
    return Preprocessing(
        source=source.name,
        layout=contract.layout,
        image_shape=shape or shapes.get(contract.layout, tuple(source.images.shape[1:])),
        dtype="float32" if floats else "uint8",
        scale=(high - low) / 255 if floats else 1.0,
        offset=low if floats else 0.0,
        label_encoding=contract.label_encoding or "sparse",
        num_classes=classes,
    )
