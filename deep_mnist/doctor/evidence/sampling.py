"""Some rows of an array that may lie in a large file, and its pages given back: memory does not grow with the file."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import numpy as np

CHUNK_BYTES = 4 << 20  # of one worker's chunk as float32; fits the second-level cache about twice
MAPPED_AROUND = 32 << 20  # bytes
CHUNK_ROWS, SMALL_CHUNK_ROWS, SMALL_BYTES = 4, 16, 1 << 28  # rows; each may map 2 MB of the page cache
FEWEST_READ = 256  # bytes of a row that is read from a file of any size, past the map


def release(array: np.ndarray, start: int, stop: int) -> None:
    """Give the pages of array[start:stop] back to the system when it is a C-ordered memory map.

    A touched page maps its neighbours too, megabytes of them (`MAPPED_AROUND`), again and again.
    """
    pages = getattr(array, "_mmap", None)
    if getattr(array, "mode", "r") == "c":
        return  # what was written to a private copy would be lost
    if not isinstance(pages, mmap.mmap) or not array.flags.c_contiguous or not hasattr(mmap, "MADV_DONTNEED"):
        return
    step = array.nbytes // max(1, len(array))
    head = (getattr(array, "offset", 0) or 0) % mmap.ALLOCATIONGRANULARITY  # where the data start in the mapping
    first = max(0, head + start * step - MAPPED_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    last = min(head + stop * step, len(pages))
    if last > first:
        pages.madvise(mmap.MADV_DONTNEED, first, last - first)


def sample_indices(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Return up to `size` indices below `count`, drawn without order in the data, in rising order."""
    if count <= size:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False, shuffle=False))


def take(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return array[indices], rising indices, as an ordinary array.

    Rows of a memory map are read from its file. Where that cannot be, the system maps whole neighbourhoods of a touched
    page, so they are given back after every few rows, of an array that is larger than a chunk; whoever reads the same
    pages in another thread then finds them gone.
    """
    taken = np.empty((len(indices), *array.shape[1:]), array.dtype)
    if _read_rows(array, indices, taken):
        return taken
    rows = SMALL_CHUNK_ROWS if array.nbytes <= SMALL_BYTES else CHUNK_ROWS
    rows = len(indices) or 1 if array.nbytes <= CHUNK_BYTES else rows
    for start in range(0, len(indices), rows):
        some = indices[start : start + rows]
        taken[start : start + len(some)] = array[some]
        release(array, 0, len(array))
    return taken


def _read_rows(array: np.ndarray, indices: np.ndarray, into: np.ndarray) -> bool:
    """Read array[indices] from the file of a memory map; False where it is none, or small and its rows are short."""
    pages, name = getattr(array, "_mmap", None), getattr(array, "filename", None)
    if not isinstance(pages, mmap.mmap) or not name or getattr(array, "mode", "") != "r" or not hasattr(os, "preadv"):
        return False
    step = array.nbytes // max(1, len(array))
    if not array.flags.c_contiguous or array.nbytes <= (CHUNK_BYTES if step >= FEWEST_READ else SMALL_BYTES):
        return False
    if not len(indices):
        return False
    head = array.offset % mmap.ALLOCATIONGRANULARITY  # type: ignore[attr-defined]
    mapped_at = np.frombuffer(pages, np.uint8).ctypes.data + head
    start = array.offset + array.ctypes.data - mapped_at  # type: ignore[attr-defined]
    rows = into.reshape(-1).view(np.uint8).data
    try:
        with open(name, "rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # nothing is read ahead of rows that lie apart
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            return all(
                os.preadv(file.fileno(), [rows[place * step : (place + 1) * step]], start + index * step) == step
                for place, index in enumerate(indices.tolist())
            )
    except OSError:  # it was deleted meanwhile; its pages are there still
        return False


def sample_chunks(array: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Yield array[indices], rising indices, in ordinary arrays of a few rows, fewer where those are large."""
    rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES * len(array) // max(1, array.nbytes)))
    for start in range(0, len(indices), rows):
        yield take(array, indices[start : start + rows])
