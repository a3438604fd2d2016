"""Readers of untrusted array files: `.npy`, IDX, `.gz` of either, `.npz`.

Nothing is unpickled, every header field is checked against the file's size before memory is
requested, and a compressed file is read no further than its own header promised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.array_headers import check_size, mapped, read_header, size_of_regular_file

SLOTS = ("train_images", "train_labels", "validation_images", "validation_labels", "test_images", "test_labels")
_SPLIT_NAMES = {"t10k": "test", "val": "validation", "valid": "validation"}
_PART_NAMES = {"x": "images", "y": "labels", "image": "images", "label": "labels"}
_FORWARD = re.compile(r"(?:.*[-_.])?(train|test|t10k|val|valid|validation)[-_.]?(images?|labels?|x|y)", re.IGNORECASE)
_BACKWARD = re.compile(r"(x|y|images?|labels?)[-_.]?(train|test|t10k|val|valid|validation)", re.IGNORECASE)
_FURTHER = re.compile(r"((?:train|test|val|valid|validation)[-_.]?(?:images?|labels?|x|y)|(?:x|y|images?|labels?)[-_.]?"
                      r"(?:train|test|val|valid|validation))[-_.](\w[\w-]*)", re.IGNORECASE)  # fmt: skip
_SUFFIX = re.compile(r"([-_.]idx[0-9][-_.]ubyte|\.idx[0-9]?|\.npy)?(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class ArrayFile:
    """One array where it lies: a file, or a member of an `.npz`."""

    path: Path
    slot: str
    member: str = ""

    def open(self) -> np.ndarray:
        """Return the array, read-only; memory-mapped unless it is compressed and small.

        Raises:
            ArrayFileError: The file is damaged, is something else, or belongs in another slot.
        """
        if self.member:
            from deep_mnist.data.compressed_arrays import open_member

            return open_member(self.path, self.member)
        array = open_array(self.path)
        if IDX_NAME.search(self.path.name) and _starts_as_idx(self.path):
            _check_idx_rank(self.path, self.slot, array)
        return array


IDX_NAME = re.compile(r"idx[0-9]?|ubyte", re.IGNORECASE)


def open_array(path: Path) -> np.ndarray:
    """Return the array of an `.npy` or IDX file, or of a `.gz` of either, read-only.

    Raises:
        ArrayFileError: The file is missing, damaged, of another kind, or holds Python objects.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "train_labels.npy"
    >>> np.save(path, np.arange(3, dtype=np.uint8))
    >>> array = open_array(path)
    >>> array.tolist(), array.dtype.name, array.flags.writeable
    ([0, 1, 2], 'uint8', False)
    """
    size = size_of_regular_file(path)
    try:
        with path.open("rb") as stream:
            if path.suffix.lower() == ".gz":
                from deep_mnist.data.compressed_arrays import open_gzip

                return open_gzip(path, stream, size)
            shape, dtype, order, offset = read_header(path, stream)
        check_size(path, shape, dtype, offset, size)
        return mapped(path, shape, dtype, order, offset)
    except OSError as error:
        raise ArrayFileError(
            f"a readable file {path.name}", str(error), "Check the file and its permissions."
        ) from error


def find_arrays(folder: Path) -> dict[str, ArrayFile]:
    """Return the arrays of a folder, or of one `.npz`, by slot ("train_images", …); none of them is opened.

    `.npy` files come before IDX files, plain before `.gz`, and an `.npz` only fills what is left.

    Raises:
        ArrayFileError: The folder is no folder, or its `.npz` cannot be listed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/train_images.npy", np.zeros((2, 28, 28), np.uint8))
    ...     found = find_arrays(Path(folder))
    ...     print({slot: file.path.name for slot, file in found.items()})
    {'train_images': 'train_images.npy'}
    """
    is_folder = folder.is_dir()
    if not is_folder and folder.suffix != ".npz":
        raise ArrayFileError(f"a folder at {folder}", "no folder", "Name the folder that holds the arrays.")
    found: dict[str, ArrayFile] = {}
    held = folder.iterdir() if is_folder else ()
    names = sorted(path for path in held if path.suffix.lower() not in (".npz", ".json"))
    for path in sorted(names, key=_preference):
        slot = slot_of(path.name)
        if slot and slot not in found:
            found[slot] = ArrayFile(path, slot)
    for archive, member in _archived(folder):
        slot = slot_of(member)
        if slot and slot not in found:
            found[slot] = ArrayFile(archive, slot, member)
    return {slot: found[slot] for slot in SLOTS if slot in found}


def find_further(folder: Path) -> dict[str, dict[str, ArrayFile]]:
    """Return the arrays of networks of multiple inputs or outputs, by slot and by what follows in the file's name.

    `train_images_wide.npy` is the array of train_images for the input "wide"; so is a member of that name in an `.npz`.

    Raises:
        ArrayFileError: An `.npz` cannot be listed.
    """
    found: dict[str, dict[str, ArrayFile]] = {}
    plain = sorted(folder.glob("*.npy")) if folder.is_dir() else ()
    for path, member in [*((path, "") for path in plain), *_archived(folder)]:
        match = _FURTHER.fullmatch((member or path.name).removesuffix(".npy"))
        slot = slot_of(match.group(1)) if match else None
        if match and slot:
            found.setdefault(slot, {}).setdefault(match.group(2), ArrayFile(path, slot, member))
    return found


def _archived(folder: Path) -> list[tuple[Path, str]]:
    """Return (archive, member) of each array in the folder's `.npz` files, or in the one that it is."""
    archives = sorted(folder.glob("*.npz")) if folder.is_dir() else [folder]
    if not archives:
        return []
    from deep_mnist.data.compressed_arrays import members_of

    return [(archive, member) for archive in archives for member in members_of(archive)]


def slot_of(name: str) -> str | None:
    """Return the slot a file name stands for, None for a file that is none of ours.

    >>> slot_of("t10k-images-idx3-ubyte.gz"), slot_of("train_labels.npy"), slot_of("notes.txt")
    ('test_images', 'train_labels', None)
    """
    suffix = _SUFFIX.search(name)
    stem = name[: suffix.start()] if suffix else name
    if match := _BACKWARD.fullmatch(stem):
        part, split = match.groups()
    elif match := _FORWARD.fullmatch(stem):
        split, part = match.groups()
    else:
        return None
    split, part = split.lower(), part.lower()
    return f"{_SPLIT_NAMES.get(split, split)}_{_PART_NAMES.get(part, part)}"


def _preference(path: Path) -> tuple[bool, bool, str]:
    name = path.name.lower()
    return (".npy" not in name, name.endswith(".gz"), name)


def _starts_as_idx(path: Path) -> bool:
    try:
        import gzip

        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            return stream.read(2) == b"\0\0"
    except OSError:
        return False


def _check_idx_rank(path: Path, slot: str, array: np.ndarray) -> None:
    images = slot.endswith("images")
    if images == (array.ndim > 1):
        return
    magic, kind = (2051, "images") if images else (2049, "labels")
    raise ArrayFileError(
        f"an IDX file of {kind} (magic number {magic}) in {path.name}",
        f"magic number {2048 + array.ndim}, shape {array.shape}",
        "Put idx3 files in the image slots and idx1 files in the label slots.",
    )
