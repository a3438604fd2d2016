"""Readers of untrusted array files: `.npy`, IDX, `.gz` of either, `.npz`.

Nothing is unpickled, every header field is checked against the file's size before memory is
requested, and a compressed file is read no further than its own header promised.
"""

from __future__ import annotations

import gzip
import math
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError, damaged, describe
from deep_mnist.data.array_headers import check_size, read_header

MAX_DECOMPRESSED_BYTES = 8 << 30  # ten times MNIST as float64 is 4.4 GB
MAX_DEFLATE_RATIO = 1_100  # deflate cannot do better than 1,032 to 1: a larger claim is a lie
IN_MEMORY_BYTES = 64 << 20  # decompressed beyond this goes to an unlinked temporary file
MAX_MEMBERS = 10_000  # of a zip's directory


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
            return _open_member(self.path, self.member)
        array = open_array(self.path)
        if IDX_NAME.search(self.path.name) and _starts_as_idx(self.path):
            _check_idx_rank(self.path, self.slot, array)
        return array


IDX_NAME = re.compile(r"idx[0-9]?|ubyte", re.IGNORECASE)


def open_array(path: Path) -> np.ndarray:
    """Return the array of an `.npy` or IDX file, or of a `.gz` of either, read-only.

    Raises:
        ArrayFileError: The file is missing, damaged, of another kind, or holds Python objects.

    >>> path = Path(tempfile.mkdtemp()) / "train_labels.npy"
    >>> np.save(path, np.arange(3, dtype=np.uint8))
    >>> array = open_array(path)
    >>> array.tolist(), array.dtype.name, array.flags.writeable
    ([0, 1, 2], 'uint8', False)
    """
    size = _size_of_regular_file(path)
    try:
        with path.open("rb") as stream:
            if path.suffix.lower() == ".gz":
                return _open_gzip(path, stream, size)
            shape, dtype, order, offset = read_header(path, stream)
        check_size(path, shape, dtype, offset, size)
        return _mapped(path, shape, dtype, order, offset)
    except OSError as error:
        raise ArrayFileError(
            f"a readable file {path.name}", str(error), "Check the file and its permissions."
        ) from error


def find_arrays(folder: Path) -> dict[str, ArrayFile]:
    """Return the arrays of a folder by slot ("train_images", …); none of them is opened.

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
    if not folder.is_dir():
        raise ArrayFileError(f"a folder at {folder}", "no folder", "Name the folder that holds the arrays.")
    found: dict[str, ArrayFile] = {}
    names = sorted(path for path in folder.iterdir() if path.suffix.lower() not in (".npz", ".json"))
    for path in sorted(names, key=_preference):
        slot = slot_of(path.name)
        if slot and slot not in found:
            found[slot] = ArrayFile(path, slot)
    for archive in sorted(folder.glob("*.npz")):
        for member in _members(archive):
            slot = slot_of(member)
            if slot and slot not in found:
                found[slot] = ArrayFile(archive, slot, member)
    return {slot: found[slot] for slot in SLOTS if slot in found}


def find_further(folder: Path) -> dict[str, dict[str, ArrayFile]]:
    """Return the arrays of networks of several inputs or outputs, by slot and by what follows in the file's name.

    `train_images_wide.npy` is the array of train_images for the input "wide"; so is a member of that name in an `.npz`.

    Raises:
        ArrayFileError: An `.npz` cannot be listed.
    """
    found: dict[str, dict[str, ArrayFile]] = {}
    members = [(archive, member) for archive in sorted(folder.glob("*.npz")) for member in _members(archive)]
    for path, member in [*((path, "") for path in sorted(folder.glob("*.npy"))), *members]:
        match = _FURTHER.fullmatch((member or path.name).removesuffix(".npy"))
        slot = slot_of(match.group(1)) if match else None
        if match and slot:
            found.setdefault(slot, {}).setdefault(match.group(2), ArrayFile(path, slot, member))
    return found


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


def _size_of_regular_file(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise ArrayFileError(f"a file {path.name}", error.strerror or str(error), "Write or download it.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ArrayFileError(f"a regular file {path.name}", "a folder or a device", "Put the array file there.")
    return status.st_size


def _starts_as_idx(path: Path) -> bool:
    try:
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


# --- bodies ----------------------------------------------------------------------------------


def _mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype, order: Any, offset: int) -> np.ndarray:
    try:
        if math.prod(shape) == 0:
            return np.empty(shape, dtype)
        if not shape:
            return np.fromfile(path, dtype, count=1, offset=offset).reshape(())
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order=order)
    except (ValueError, OverflowError, MemoryError) as error:
        raise damaged(path, "an array that fits into memory", f"shape {shape}: {error}") from error


def _open_gzip(path: Path, raw: BinaryIO, size: int) -> np.ndarray:
    if raw.read(2) != b"\x1f\x8b":
        raw.seek(0)
        raise damaged(path, "gzip data (first bytes 1f 8b)", describe(raw.read(512)))
    raw.seek(0)
    with _damage_as_error(path), gzip.GzipFile(fileobj=raw) as stream:
        return _decompressed(path, stream, size)


def _open_member(archive: Path, member: str) -> np.ndarray:
    _size_of_regular_file(archive)
    with _damage_as_error(archive), zipfile.ZipFile(archive) as bundle:
        entry = bundle.getinfo(member)
        if entry.flag_bits & 1:
            raise damaged(archive, "members without a password", f"{member} is encrypted")
        with bundle.open(entry) as stream:
            if entry.compress_type == zipfile.ZIP_STORED:
                shape, dtype, order, offset = read_header(archive, stream)
                check_size(archive, shape, dtype, offset, entry.file_size)
                return _mapped(archive, shape, dtype, order, offset + _data_offset(archive, entry))
            return _decompressed(archive, stream, entry.compress_size)


def _data_offset(archive: Path, entry: zipfile.ZipInfo) -> int:
    with archive.open("rb") as raw:
        raw.seek(entry.header_offset)
        local = raw.read(30)
    name_length, extra_length = struct.unpack("<HH", local[26:30])
    start: int = entry.header_offset + 30 + name_length + extra_length
    return start


def _members(archive: Path) -> list[str]:
    _size_of_regular_file(archive)
    with _damage_as_error(archive), zipfile.ZipFile(archive) as bundle:
        names = bundle.namelist()
    if len(names) > MAX_MEMBERS:
        raise damaged(archive, f"at most {MAX_MEMBERS} members", f"{len(names)}")
    return [name for name in names if name.endswith(".npy")]


def _decompressed(path: Path, stream: Any, compressed_size: int) -> np.ndarray:
    """Read as many bytes as the header promises, and the end of the stream (its checksum) after them."""
    shape, dtype, order, _ = read_header(path, stream)
    promised = math.prod(shape) * dtype.itemsize
    limit = min(MAX_DECOMPRESSED_BYTES, MAX_DEFLATE_RATIO * compressed_size + 1024)
    if promised > limit:
        raise damaged(path, f"at most {limit} bytes from {compressed_size} compressed", f"a header of shape {shape}")
    if promised <= IN_MEMORY_BYTES:
        data = stream.read(promised)
        received = len(data)
        array = np.frombuffer(data, dtype) if received == promised else None
    else:
        received, array = _spooled(stream, promised, dtype)
    if array is None:
        raise damaged(path, f"{promised} bytes of data after the header", f"{received} bytes")
    if stream.read(1):
        raise damaged(path, f"{promised} bytes of data after the header, shape {shape}", "more")
    return array.reshape(shape, order="F" if order == "F" else "C")


def _spooled(stream: Any, promised: int, dtype: np.dtype) -> tuple[int, np.ndarray | None]:
    received = 0
    with tempfile.TemporaryFile() as spool:
        while received < promised and (block := stream.read(min(1 << 20, promised - received))):
            spool.write(block)
            received += len(block)
        spool.flush()
        return received, np.memmap(spool, dtype, mode="r") if received == promised else None


@contextmanager
def _damage_as_error(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise damaged(path, "a whole compressed file", "one that ends before its end-of-stream marker") from error
    except (
        OSError,
        zlib.error,
        zipfile.BadZipFile,
        KeyError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        UnicodeDecodeError,
    ) as error:
        raise damaged(path, "intact compressed data", f"{error or type(error).__name__}") from error
