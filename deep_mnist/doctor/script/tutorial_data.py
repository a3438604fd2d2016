"""`tensorflow.examples.tutorials.mnist.input_data`, which TensorFlow no longer has, from the verified cache.

What read_data_sets returns, its options and the order of next_batch are those of TensorFlow 1.15's module.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

NAMES = (
    "tensorflow.examples", "tensorflow.examples.tutorials", "tensorflow.examples.tutorials.mnist",
    "tensorflow.examples.tutorials.mnist.input_data", "input_data",
)  # fmt: skip
ROWS = 28


class DataSet:
    """One split: images float32 (n, 784) in 0..1, or uint8; labels uint8 (n,), or one-hot float64 (n, 10)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, seed: int | None) -> None:
        self.images, self.labels = images, labels
        self.num_examples = len(images)
        self.epochs_completed = 0
        self._place = 0
        self._random = np.random.RandomState(seed)
        self._order = np.arange(self.num_examples)

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> tuple[Any, Any]:
        """Return the next images and labels; a batch that passes the end takes its rest from the next epoch."""
        if fake_data:
            raise NotImplementedError("Expected fake_data=False. Received: True, which the doctor does not support.")
        if not self._place and not self.epochs_completed and shuffle:
            self._random.shuffle(self._order)
        taken = self._order[self._place : self._place + batch_size]
        self._place += len(taken)
        if len(taken) < batch_size:
            self.epochs_completed += 1
            if shuffle:
                self._random.shuffle(self._order)
            self._place = batch_size - len(taken)
            taken = np.concatenate([taken, self._order[: self._place]])
        return self.images[taken], self.labels[taken]


class Datasets(NamedTuple):
    """The three splits."""

    train: DataSet
    validation: DataSet
    test: DataSet


def read_data_sets(
    train_dir: str = "",  # noqa: ARG001 (the tutorials give it)
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = "",  # noqa: ARG001
) -> Datasets:
    """Return MNIST as the tutorials' input_data does.

    Args:
        train_dir, source_url: Not read; the digits come from the verified cache.
        fake_data: Not served.
        one_hot: Labels float64 (n, 10) instead of uint8 (n,).
        dtype: float32 for images in 0..1, uint8 for 0..255.
        reshape: Images (n, 784) instead of (n, 28, 28, 1).
        validation_size: First training examples, set apart.
        seed: Of the order of next_batch.

    Raises:
        NotImplementedError: fake_data is requested.
        ValueError: validation_size is not between 0 and 60,000.
    """
    from deep_mnist.doctor.script.served_data import arrays_of

    if fake_data:
        raise NotImplementedError("Expected fake_data=False. Received: True, which the doctor does not support.")
    (train, train_labels), (test, test_labels) = arrays_of("mnist")
    if not 0 <= validation_size <= len(train):
        raise ValueError(f"Expected validation_size in 0..{len(train)}. Received: {validation_size}.")
    as_float = np.dtype(getattr(dtype, "as_numpy_dtype", dtype)) == np.float32

    def split(images: np.ndarray, labels: np.ndarray) -> DataSet:
        images = images.reshape(-1, ROWS * ROWS) if reshape else images[..., np.newaxis]
        images = np.multiply(images, 1.0 / 255.0, dtype=np.float32) if as_float else images
        return DataSet(images, np.eye(10)[labels] if one_hot else labels, seed)

    cut = validation_size
    return Datasets(
        split(train[cut:], train_labels[cut:]), split(train[:cut], train_labels[:cut]), split(test, test_labels)
    )


class TutorialFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the tutorials' modules when nothing else has them; stands last in sys.meta_path."""

    def __init__(self) -> None:
        self.warned = False

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002 (importlib gives it)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of one of NAMES."""
        if name not in NAMES:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=not name.endswith("input_data"))

    def exec_module(self, module: ModuleType) -> None:
        """Fill input_data, and say once that it is served."""
        if not module.__name__.endswith("input_data"):
            return
        module.read_data_sets = read_data_sets  # type: ignore[attr-defined]
        module.DataSet, module.Datasets = DataSet, Datasets  # type: ignore[attr-defined]
        if not self.warned:
            self.warned = True
            print(
                f"doctor: {module.__name__} is in no TensorFlow any more; the doctor serves it from the verified cache",
                file=sys.stderr,
            )
