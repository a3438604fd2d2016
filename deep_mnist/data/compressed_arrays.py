"""Arrays in `.gz` files and in members of `.npz`: read no further than their own header promised.

Imported where a folder holds some: most hold none.
"""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from deep_mnist.data.array_errors import damaged, kind_by_first_bytes
from deep_mnist.data.array_headers import check_size, mapped, read_header, size_of_regular_file

MAX_DECOMPRESSED_BYTES = 8 << 30  # ten times MNIST as float64 is 4.4 GB
MAX_DEFLATE_RATIO = 1_100  # deflate cannot do better than 1,032 to 1: a larger claim is a lie
IN_MEMORY_BYTES = 64 << 20  # decompressed beyond this goes to an unlinked temporary file
MAX_MEMBERS = 10_000  # of a zip's directory


def open_gzip(path: Path, raw: BinaryIO, size: int) -> np.ndarray:
    """Return the array of an `.npy` or IDX file that was compressed; `raw` is the file of `size` bytes, open.

    Raises:
        ArrayFileError: It is damaged or something else.
    """
    if raw.read(2) != b"\x1f\x8b":
        raw.seek(0)
        raise damaged(path, "gzip data (first bytes 1f 8b)", kind_by_first_bytes(raw.read(512)))
    raw.seek(0)
    with _damage_as_error(path), gzip.GzipFile(fileobj=raw) as stream:
        return _decompressed(path, stream, size)


def open_member(archive: Path, member: str) -> np.ndarray:
    """Return a member of an `.npz`, memory-mapped where it lies there as it is.

    Raises:
        ArrayFileError: The archive or the member is damaged, encrypted or something else.
    """
    size_of_regular_file(archive)
    with _damage_as_error(archive), zipfile.ZipFile(archive) as bundle:
        entry = bundle.getinfo(member)
        if entry.flag_bits & 1:
            raise damaged(archive, "members without a password", f"{member} is encrypted")
        with bundle.open(entry) as stream:
            if entry.compress_type == zipfile.ZIP_STORED:
                shape, dtype, order, offset = read_header(archive, stream)
                check_size(archive, shape, dtype, offset, entry.file_size)
                return mapped(archive, shape, dtype, order, offset + _data_offset(archive, entry))
            return _decompressed(archive, stream, entry.compress_size)


def _data_offset(archive: Path, entry: zipfile.ZipInfo) -> int:
    with archive.open("rb") as raw:
        raw.seek(entry.header_offset)
        local = raw.read(30)
    name_length, extra_length = struct.unpack("<HH", local[26:30])
    start: int = entry.header_offset + 30 + name_length + extra_length
    return start


def members_of(archive: Path) -> list[str]:
    """Return the names of an `.npz`'s arrays.

    Raises:
        ArrayFileError: It cannot be listed, or names more than MAX_MEMBERS.
    """
    size_of_regular_file(archive)
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
