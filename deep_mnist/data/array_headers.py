"""Headers of `.npy` and IDX files, each field checked before anything is made of it, and the map of what follows."""

from __future__ import annotations

import ast
import math
import stat
import struct
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.array_errors import NPY_MAGIC, ArrayFileError, ObjectArrayError, damaged, short, unknown_content

MAX_HEADER_BYTES = 65_536  # numpy itself refuses headers beyond 10,000 characters
MAX_RANK = 32  # numpy's own limit is 64; images need 5
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_header(path: Path, stream: Any) -> tuple[tuple[int, ...], np.dtype, str, int]:
    """Return shape, dtype, memory order and the offset of the data; the stream stands at the data."""
    head = stream.read(6)
    if head == NPY_MAGIC:
        return _read_npy_header(path, stream)
    if len(head) >= 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES:
        return _read_idx_header(path, stream, head)
    raise unknown_content(path, head + stream.read(506))


def _read_npy_header(path: Path, stream: Any) -> tuple[tuple[int, ...], np.dtype, str, int]:
    version = stream.read(2)
    wide = version[:1] in (b"\2", b"\3")
    if version[:1] not in (b"\1", b"\2", b"\3") or len(version) < 2:
        raise damaged(path, "an .npy of format 1 to 3", f"format {version!r}")
    raw = stream.read(4 if wide else 2)
    if len(raw) < (4 if wide else 2):
        raise damaged(path, "an .npy header", "the end of the file")
    length = int.from_bytes(raw, "little")
    if length > MAX_HEADER_BYTES:
        raise damaged(path, f"an .npy header of at most {MAX_HEADER_BYTES} bytes", f"{length} bytes")
    text = stream.read(length)
    if len(text) < length:
        raise damaged(path, f"an .npy header of {length} bytes", f"{len(text)} bytes, then the end of the file")
    shape, dtype, order = _parse_npy_header(path, text)
    return shape, dtype, order, 8 + len(raw) + length


def _parse_npy_header(path: Path, text: bytes) -> tuple[tuple[int, ...], np.dtype, str]:
    try:
        header = ast.literal_eval(text.decode("latin1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        if len(header) != 3 or not isinstance(descr, str) or not isinstance(shape, tuple):
            raise ValueError("another set of fields")
        dtype = np.dtype(descr)
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError, AttributeError) as error:
        raise damaged(path, "an .npy header with descr, fortran_order and shape", short(text)) from error
    if len(shape) > MAX_RANK or not all(type(length) is int and 0 <= length < 1 << 62 for length in shape):
        raise damaged(path, f"a shape of at most {MAX_RANK} lengths", short(repr(shape)))
    if dtype.hasobject:
        raise ObjectArrayError(path, shape)
    if dtype.itemsize == 0 or dtype.names is not None or dtype.subdtype is not None:
        raise damaged(path, "plain numbers or strings", f"dtype {short(descr)}")
    return shape, dtype, "F" if fortran is True else "C"


def _read_idx_header(path: Path, stream: Any, head: bytes) -> tuple[tuple[int, ...], np.dtype, str, int]:
    rank = head[3]
    if not 1 <= rank <= 4:
        raise damaged(path, "an IDX file of 1 to 4 axes", f"{rank} axes")
    raw = head[4:] + stream.read(4 * rank - len(head[4:]))
    if len(raw) < 4 * rank:
        raise damaged(path, f"an IDX header of {4 + 4 * rank} bytes", f"{4 + len(raw)} bytes")
    shape = struct.unpack(f">{rank}I", raw[: 4 * rank])
    return shape, np.dtype(IDX_TYPES[head[2]]), "C", 4 + 4 * rank


def check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype, offset: int, size: int) -> None:
    """Refuse a file that is shorter or longer than its header promises; `offset` and `size` are bytes."""
    promised = math.prod(shape) * dtype.itemsize + offset
    if promised != size:
        raise damaged(path, f"{promised} bytes, as its header says ({dtype.str}, shape {shape})", f"{size} bytes")


def size_of_regular_file(path: Path) -> int:
    """Return the bytes of a file.

    Raises:
        ArrayFileError: There is none, or it is a folder or a device.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ArrayFileError(f"a file {path.name}", error.strerror or str(error), "Write or download it.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ArrayFileError(f"a regular file {path.name}", "a folder or a device", "Put the array file there.")
    return status.st_size


def mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype, order: Any, offset: int) -> np.ndarray:
    """Return the array from this offset of a file on, memory-mapped, read-only."""
    try:
        if math.prod(shape) == 0:
            return np.empty(shape, dtype)
        if not shape:
            return np.fromfile(path, dtype, count=1, offset=offset).reshape(())
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order=order)
    except (ValueError, OverflowError, MemoryError) as error:
        raise damaged(path, "an array that fits into memory", f"shape {shape}: {error}") from error
