"""Small digits-like datasets for the tests of training: ten fixed patterns, noise, real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.folder import write_contract
from deep_mnist.data.dataset import Dataset, Preprocessing, write_dataset

CLASSES = 10


def patterns(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (count, 28, 28, 1) in 0..255 and int32 (count,) in 0..9: one blurred pattern a class, noisy."""
    shapes = np.kron(np.random.default_rng(7).random((CLASSES, 7, 7)) > 0.5, np.ones((4, 4)))
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % CLASSES
    noisy = shapes[labels] * 160 + random.random((count, 28, 28)) * 95
    return noisy.astype(np.uint8)[..., None], labels


def write_patterns(
    folder: Path,
    *,
    one_hot: bool = False,
    train: int = 640,
    shuffled: bool = False,
    record: bool = True,
    model_digest: str = "",
) -> Dataset:
    """Write a dataset for a network that scales inside, or (`one_hot`) for the seed's Example 2.

    `model_digest` is that of the user's own network which the dataset is for.
    """
    arrays: dict[str, np.ndarray] = {}
    for seed, (split, count) in enumerate({"train": train, "validation": 100, "test": 100}.items()):
        images, labels = patterns(count, seed)
        if shuffled:
            labels = np.random.default_rng(seed).permutation(labels)
        arrays[f"{split}_images"] = (images / 255).astype(np.float32) if one_hot else images
        arrays[f"{split}_labels"] = np.eye(CLASSES, dtype=np.float32)[labels] if one_hot else labels
    made = Preprocessing(
        source="patterns",
        layout="channels_last",
        image_shape=(28, 28, 1),
        dtype="float32" if one_hot else "uint8",
        scale=1 / 255 if one_hot else 1.0,
        offset=0.0,
        label_encoding="one_hot" if one_hot else "sparse",
        num_classes=CLASSES,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_contract(folder, Contract(model_digest=model_digest))
    return write_dataset(folder, arrays, made if record else None)
