"""Apply what people decided about single labels, labels.yaml: examples get another label or are left out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import DatasetError
from deep_mnist.doctor.evidence.classes import classes_of
from deep_mnist.labels.decisions import Changes, Decision, DecisionsError, apply, read_decisions
from deep_mnist.storage.open import fetch
from deep_mnist.storage.store import sha256_of_file

Arrays = Mapping[str, np.ndarray]


@dataclass
class Corrections:
    """The decisions of a file, and what became of them.

    Attributes:
        digest: SHA-256 of the file, "" for none.
        decisions: Of the file.
        by_split: What they make of each split of the source.
    """

    digest: str = ""
    decisions: list[Decision] = field(default_factory=list)
    by_split: dict[str, Changes] = field(default_factory=dict)

    def look(self, arrays: Arrays) -> None:
        """Find the examples that the decisions speak of.

        Args:
            arrays: "train_images" and so on; labels integers (n,) or one-hot (n, classes).

        Raises:
            DatasetError: Not one decision speaks of an example of these data.
        """
        for name in arrays if self.decisions else ():
            split, _, part = name.partition("_")
            labels = arrays.get(f"{split}_labels")
            classes = classes_of(np.asarray(labels)) if part == "images" and labels is not None else None
            if classes is not None and len(classes) == len(arrays[name]):
                self.by_split[split] = apply(self.decisions, arrays[name], classes.at(np.arange(len(classes))))
        if self.decisions and not self._matched:
            raise DatasetError(
                f"Expected labels.yaml to speak of images of these data. Received: {len(self.decisions)} decisions, "
                "none about an image here with the label it has. Fix: name the file that was written for these data"
            )

    @property
    def _matched(self) -> set[tuple[str, int]]:
        return {each for changes in self.by_split.values() for each in changes.matched}

    def rows_of(self, origin: str, rows: np.ndarray) -> np.ndarray:
        """Return those of some rows of a source split that are not dropped."""
        changes = self.by_split.get(origin)
        return rows if changes is None else rows[changes.kept[rows]]

    def labels_of(self, origin: str, labels: np.ndarray) -> np.ndarray:
        """Return the integer labels (n,) of a source split as decided."""
        changes = self.by_split.get(origin)
        return labels if changes is None else changes.labels.astype(labels.dtype)

    def to_dict(self) -> dict[str, Any]:
        """Return what the preprocessing record holds; {} without a file."""
        if not self.digest:
            return {}
        return {
            "digest": self.digest,
            "relabelled": sum(each.relabelled for each in self.by_split.values()),
            "dropped": sum(each.dropped for each in self.by_split.values()),
            "unmatched": len({(each.image, each.given) for each in self.decisions} - self._matched),
        }


def read_corrections(address: str, digest: str = "") -> Corrections:
    """Return the decisions in a labels.yaml.

    Args:
        address: Path, gs:// or s3:// address; "" for none.
        digest: SHA-256 that the file must have, or "".

    Raises:
        DatasetError: It has another digest, or is no such file.
    """
    if not address:
        return Corrections()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.yaml"
        fetch(address, path)
        received = sha256_of_file(path)
        if digest and received != digest:
            raise DatasetError(
                f"Expected {address} with SHA-256 {digest}. Received: {received}. "
                "Fix: run it again, the file was changed"
            )
        try:
            return Corrections(received, read_decisions(path))
        except DecisionsError as error:
            raise DatasetError(str(error).replace(str(path), address)) from error


def rewrite_prepared(folder: Path, arrays: Arrays, corrections: Corrections) -> None:
    """Write the splits of prepared data anew whose labels were changed.

    Args:
        folder: Holds copies of the arrays, as train_images.npy and so on.
        arrays: The same, opened where they came from.
        corrections: After `look`.

    Raises:
        DatasetError: A changed split is not a pair of `.npy` files.
    """
    for split, changes in corrections.by_split.items():
        if not changes.relabelled and not changes.dropped:
            continue
        names = [f"{split}_{part}" for part in ("images", "labels")]
        if not all((folder / f"{name}.npy").is_file() for name in names):
            raise DatasetError(
                f"Expected {' and '.join(f'{name}.npy' for name in names)}, to change labels of prepared data. "
                f"Received: {', '.join(sorted(each.name for each in folder.iterdir()))}. Fix: np.save them so"
            )
        labels = arrays[names[1]]
        one_hot = labels.ndim == 2 and labels.shape[1] > 1
        if one_hot:
            labels = np.eye(labels.shape[1], dtype=labels.dtype)[changes.labels]
        else:
            labels = changes.labels.astype(labels.dtype).reshape(labels.shape)
        np.save(folder / f"{names[0]}.npy", np.asarray(arrays[names[0]])[changes.kept], allow_pickle=False)
        np.save(folder / f"{names[1]}.npy", labels[changes.kept], allow_pickle=False)
