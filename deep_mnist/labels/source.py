"""What is looked through: one split of a known dataset, of a folder, or of images in any known format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import MANIFEST, Preprocessing, open_dataset
from deep_mnist.data.fetch_known import known_dataset
from deep_mnist.data.known import KNOWN
from deep_mnist.data.sources import recognize
from deep_mnist.data.unrecognized import not_recognized
from deep_mnist.doctor.case import NotUsableError, read_splits
from deep_mnist.export import raw_images
from deep_mnist.labels.live import given_classes


@dataclass(frozen=True)
class LabelledSplit:
    """One split.

    Attributes:
        name: As the user gave it.
        split: Its name.
        images: Examples on the first axis; raw pixels where they are known.
        given: int64 (n,), the class of each.
        class_names: In the order of the labels; () where the label says it all.
        judged: The first so many examples are the split's; what follows is the train split, only to be learned.
    """

    name: str
    split: str
    images: np.ndarray
    given: np.ndarray
    class_names: Sequence[str] = ()
    judged: int = 0

    def of_split(self) -> LabelledSplit:
        """Return the split without what follows it."""
        return replace(self, images=self.images[: self.judged], given=self.given[: self.judged])


def open_with_train(name: str, split: str = "train") -> LabelledSplit:
    """Return a split as `open_source` does, and behind a small one the train split, so that its folds learn of it too.

    Raises:
        NotUsableError: Nothing known is there, or no such split.
    """
    source = open_source(name, split)
    if split == "train":
        return source
    try:
        train = open_source(name)
    except NotUsableError:
        return source
    if train.images.shape[1:] != source.images.shape[1:] or train.images.dtype != source.images.dtype:
        return source
    images, given = np.concatenate([source.images, train.images]), np.concatenate([source.given, train.given])
    return replace(source, images=images, given=given)


def open_source(name: str, split: str = "train") -> LabelledSplit:
    """Return a split of a known dataset, by its name, or of what lies at a path.

    Raises:
        NotUsableError: Nothing known is there, or no such split.
    """
    if name in KNOWN and not Path(name).exists():
        dataset = known_dataset(KNOWN[name])
        return _source(name, split, dataset.images(split), dataset.labels(split), KNOWN[name].class_names)
    path = Path(name)
    if (path / MANIFEST).is_file():
        dataset = open_dataset(path)
        if split not in dataset.splits():
            raise NotUsableError(f"Expected the split {split} in {path}. Received: {', '.join(dataset.splits())}.")
        images = pixels_of(dataset.images(split), dataset.record)
        return _source(name, split, images, dataset.labels(split), dataset.class_names)
    if (path.is_dir() and not find_arrays(path)) or (path.is_file() and path.suffix != ".npz"):
        return _of_images(path, split)
    found = read_splits(path).get(split)
    if found is None or found.images is None or found.labels is None:
        faults = "; ".join(str(each) for each in found.faults.values()) if found else "no such split"
        raise NotUsableError(f"Expected {split} images and labels in {path}. Received: {faults or 'one of them'}.")
    return _source(name, split, found.images, found.labels, ())


def _of_images(path: Path, split: str) -> LabelledSplit:
    reader = recognize(path)
    if reader is None:
        raise NotUsableError(not_recognized(path, str(path)))
    raw = reader()
    if split not in raw.images or split not in raw.labels:
        faults = "; ".join(str(each) for each in raw.faults.get(split, {}).values())
        raise NotUsableError(f"Expected the split {split} in {path}. Received: {faults or ', '.join(raw.images)}.")
    return _source(str(path), split, raw.images[split], raw.labels[split], raw.class_names)


def pixels_of(images: np.ndarray, record: Preprocessing | None) -> np.ndarray:
    """Return the raw pixels that preprocess converted, uint8 (n, rows, columns); what it passed on, as it is."""
    if record is None or record.prepared or not record.scale:
        return images
    return raw_images(images, record)


def _source(name: str, split: str, images: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> LabelledSplit:
    return LabelledSplit(name, split, images, given_classes(np.asarray(labels), len(images)), tuple(names), len(images))
