"""The one on-disk format between steps: a folder of a few `.npy` files and `manifest.json`.

    contract.json               what the network demands, as preprocess verified it
    manifest.json               size and SHA-256 of each file, and the preprocessing record
    train_images.npy            what the record says: dtype, shape and range of one split's images
    train_labels.npy            …and its labels; likewise validation_* and test_*

KFP downloads a deleted prefix "successfully", so every consumer opens a folder through
`open_dataset`, which checks the manifest and names the step to rerun.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.storage.store import sha256_of_file

SPLITS = ("train", "validation", "test")
MANIFEST = "manifest.json"
CONTRACT_FILE = "contract.json"  # what the data are for, see deep_mnist.contract.folder; no part of their identity
SINCE_FIRST = {"label_changes"}  # fields of the record that older ones lack
SHARDS_FILE = "shards.json"  # of a train split in pieces, see deep_mnist.data.shards.shard_set
RULES_FILE = "own_rules.py"  # of the user's, which validate adds to the doctor's


class DatasetError(ValueError):
    """A dataset folder that is incomplete, altered, or written by something else."""

    fix = "rerun the step that wrote the dataset"


@dataclass(frozen=True)
class Preprocessing:
    """The one record of what was done to the pixels and labels.

    stored_pixel = raw_pixel * scale + offset, raw_pixel being uint8 in 0..255.
    The serving signature is built from this record, so serving cannot disagree with training.

    Attributes:
        source: Dataset name or address, as the user gave it.
        prepared: True when the arrays came ready-made and were passed on unchanged; scale and
            offset then say nothing and are 1 and 0.
        layout: channels_last, channels_first, rows_columns (no channel axis) or flat.
        image_shape: One example's shape, without the batch axis.
        dtype: numpy name of the stored images' dtype, "uint8" or "float32".
        label_encoding: "sparse" (integers 0..num_classes-1) or "one_hot" (float32 rows).
        num_classes: Number of classes.
        split_seed: Seed of the stratified validation split.
        validation_fraction: Share of the training examples set apart, 0..1.
        source_digests: SHA-256 of each decoded source array (or file, when prepared).
        label_changes: Of a labels.yaml that was applied: its SHA-256 "digest", and how many examples were "relabelled"
            and "dropped", and decisions "unmatched"; {} without one.
    """

    source: str
    layout: str
    image_shape: tuple[int, ...]
    dtype: str
    scale: float
    offset: float
    label_encoding: str
    num_classes: int
    prepared: bool = False
    split_seed: int = 0
    validation_fraction: float = 0.0
    source_digests: Mapping[str, str] = field(default_factory=dict)
    label_changes: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "image_shape": list(self.image_shape)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Preprocessing:
        expected = {each.name for each in fields(cls)}
        if set(record) | SINCE_FIRST != expected:
            raise DatasetError(
                f"Expected a preprocessing record of {sorted(expected)}. Received: {sorted(record)}. "
                "Fix: Rerun preprocess."
            )
        return cls(**{**record, "image_shape": tuple(record["image_shape"])})


@dataclass(frozen=True)
class Dataset:
    """An opened, verified folder. `images` and `labels` are read-only memory maps.

    Attributes:
        folder: Where the files are.
        record: What preprocess did; None in a folder that download wrote.
        digest: SHA-256 over the data files' names and SHA-256: the identity of the data.
        files: File name -> {"bytes": size, "sha256": hex}.
        class_names: Name of each class, in the order of the labels; () where the labels are all that is known.
    """

    folder: Path
    record: Preprocessing | None
    digest: str
    files: Mapping[str, Mapping[str, Any]]
    class_names: tuple[str, ...] = ()

    def splits(self) -> tuple[str, ...]:
        """Return the splits that the folder has, of SPLITS and in their order."""
        return tuple(split for split in SPLITS if f"{split}_images.npy" in self.files)

    def names_of_classes(self, count: int) -> list[str]:
        """Return a name for each of a network's `count` classes: the dataset's own, else the label as text.

        >>> Dataset(Path(), None, "", {}, ("shirt", "shoe")).names_of_classes(3)
        ['shirt', 'shoe', '2']
        """
        return [*self.class_names, *map(str, range(len(self.class_names), count))][:count]

    def images(self, split: str) -> np.ndarray:
        """Return one split's images, (n, *record.image_shape) of record.dtype, read-only and not in memory yet.

        Raises:
            DatasetError: The dataset has no such split.

        >>> import tempfile
        >>> made = write_dataset(Path(tempfile.mkdtemp()), {"train_images": np.zeros((5, 28, 28), np.uint8)})
        >>> made.splits(), made.images("train").shape
        (('train',), (5, 28, 28))
        >>> made.images("test")
        Traceback (most recent call last):
        ...
        deep_mnist.data.dataset.DatasetError: Expected test_images.npy in ...
        """
        return self._array(f"{split}_images.npy")

    def labels(self, split: str) -> np.ndarray:
        """Return one split's labels, int (n,) or float32 (n, classes), read-only and not in memory yet.

        Raises:
            DatasetError: The dataset has no such split.
        """
        return self._array(f"{split}_labels.npy")

    def _array(self, name: str) -> np.ndarray:
        if name not in self.files:
            raise DatasetError(f"Expected {name} in {self.folder}. Received: {sorted(self.files)}.")
        array: np.ndarray = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        return array


def write_dataset(folder: Path, arrays: Mapping[str, np.ndarray], record: Preprocessing | None = None) -> Dataset:
    """Write arrays named like "train_images" as `.npy`, then the manifest, last.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> made = write_dataset(folder, {"train_labels": np.arange(3)})
        >>> open_dataset(folder).digest == made.digest
        True
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    return seal_dataset(folder, record)


def seal_dataset(folder: Path, record: Preprocessing | None = None, class_names: Sequence[str] = ()) -> Dataset:
    """Write the manifest of the files that lie in `folder` and return the opened dataset.

    Args:
        folder: Holds the arrays already, and contract.json where there is one.
        record: What was done to pixels and labels; None for data as they were downloaded.
        class_names: In the order of the labels.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "train_labels.npy", np.arange(2))
    >>> sealed = seal_dataset(folder, class_names=["shirt", "shoe"])
    >>> sorted(sealed.files), open_dataset(folder).class_names
    (['train_labels.npy'], ('shirt', 'shoe'))
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    manifest = {"format": 1, "files": files, "preprocessing": record.to_dict() if record else None}
    if class_names:
        manifest["class_names"] = list(class_names)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return Dataset(folder, record, _digest(files), files, tuple(class_names))


def open_dataset(folder: Path, *, written_by: str = "preprocess") -> Dataset:
    """Return the verified dataset in `folder`.

    Raises:
        DatasetError: A file or the manifest is missing, of another size, or altered; the message
            names the step to rerun (`written_by`).

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = write_dataset(folder, {"train_labels": np.arange(2)})
    >>> _ = (folder / "train_labels.npy").write_bytes(b"")
    >>> open_dataset(folder)
    Traceback (most recent call last):
    ...
    deep_mnist.data.dataset.DatasetError: Expected ...train_labels.npy of 144 bytes. Received: 0. Fix: Rerun preprocess.
    """
    manifest = _read_manifest(folder, written_by)
    for name, entry in manifest["files"].items():
        _check_file(folder / name, entry, written_by)
    record = manifest["preprocessing"]
    return Dataset(
        folder,
        Preprocessing.from_dict(record) if record else None,
        _digest(manifest["files"]),
        manifest["files"],
        tuple(str(name) for name in manifest.get("class_names", ())),
    )


def _read_manifest(folder: Path, written_by: str) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"Expected a dataset manifest at {path}. Received: {error}. Fix: Rerun {written_by}."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise DatasetError(f"Expected manifest format 1 at {path}. Received: another. Fix: Rerun {written_by}.")
    for name in manifest["files"]:
        if Path(name).name != name:
            raise DatasetError(f"Expected plain file names in {path}. Received: {name!r}.")
    return manifest


def _check_file(path: Path, entry: Mapping[str, Any], written_by: str) -> None:
    if not path.is_file():
        raise DatasetError(f"Expected {path}, named in the manifest. Received: no file. Fix: Rerun {written_by}.")
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise DatasetError(f"Expected {path} of {entry['bytes']} bytes. Received: {size}. Fix: Rerun {written_by}.")
    received = sha256_of_file(path)
    if received != entry["sha256"]:
        raise DatasetError(
            f"Expected {path} with SHA-256 {entry['sha256']}. Received: {received}. Fix: Rerun {written_by}."
        )


def _digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    data = {name: entry for name, entry in files.items() if name not in (CONTRACT_FILE, RULES_FILE)}
    lines = "".join(f"{name} {entry['sha256']}\n" for name, entry in sorted(data.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256_of_array(array: np.ndarray) -> str:
    """Hex SHA-256 of an array's C-ordered little-endian bytes, headed by its dtype and shape.

    The container format does not count, so one pin serves IDX, npz and pickle sources alike.

    >>> sha256_of_array(np.arange(3, dtype="<i4")) == sha256_of_array(np.arange(3, dtype=">i4"))
    True
    """
    canonical = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    head = f"{canonical.dtype.str} {canonical.shape}\n".encode()
    digest = hashlib.sha256(head)
    digest.update(canonical.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
