"""What is said of an array file that cannot be read: what it is instead, and the fix."""

from __future__ import annotations

from pathlib import Path

NPY_MAGIC = b"\x93NUMPY"


class ArrayFileError(ValueError):
    """A file that cannot be read as an array: what was expected, what was received, the fix."""

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(f"Expected {expected}. Received: {received}. Fix: {fix}")
        self.expected, self.received, self.fix = expected, received, fix


class ObjectArrayError(ArrayFileError):
    """A `.npy` of Python objects; only unpickling could read it.

    Attributes:
        shape: What the header says.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        super().__init__(
            f"numbers in {path.name}",
            f"Python objects (dtype object, shape {shape}), which only unpickling could read",
            'np.save(path, np.stack(list(array)).astype("float32"), allow_pickle=False)',
        )
        self.shape = shape


def damaged(path: Path, expected: str, received: str) -> ArrayFileError:
    """Return the error of a file that is not whole or not what its name says."""
    return ArrayFileError(
        f"{path.name} to be {expected}", received, f"Delete {path.name} and download or write it again."
    )


def unknown_content(path: Path, head: bytes) -> ArrayFileError:
    """Return the error of a file that starts as no array file does; `head` are its first bytes."""
    if head[:2] == b"\x1f\x8b":
        fix = f"Decompress it first (first bytes are 1f 8b): gunzip < {path.name} > plain, or name it {path.name}.gz."
    elif head[:2] == b"\x80\x04" or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x05"):
        fix = "Save it with np.save(path, array, allow_pickle=False); pickles run code and are never read."
    elif head[:4] == b"PK\3\4":
        fix = "Name it .npz, or save the one array with np.save."
    elif head.startswith(b"version https://git-lfs"):
        fix = "Run git lfs pull: this is the pointer, not the file."
    else:
        fix = f"Delete {path.name} and download or write it again."
    return ArrayFileError(f"an .npy or IDX file {path.name}", kind_by_first_bytes(head), fix)


def kind_by_first_bytes(head: bytes) -> str:
    """Return what a file is, by its first bytes."""
    if not head:
        return "an empty file"
    text = head.lstrip()[:64].lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return f"a web page ({short(head)}), probably an error page saved under this name"
    known = {
        b"\x1f\x8b": "gzip data under an uncompressed name",
        b"PK\3\4": "a zip archive",
        b"\x80": "a Python pickle",
        b"version https://git-lfs": "a Git LFS pointer",
        b"\x89PNG": "a PNG image",
        b"\xff\xd8\xff": "a JPEG image",
        b"\x89HDF": "an HDF5 file",
        NPY_MAGIC: "an .npy file",
        b"{": "JSON text",
    }
    for start, meaning in known.items():
        if head.startswith(start):
            return f"{meaning} ({head[:8].hex(' ')})"
    if head[:3] == b"\0\0\0" or head[:2] == b"\0\0":
        return f"magic number {int.from_bytes(head[:4], 'big')} ({head[:8].hex(' ')})"
    return f"unknown content ({short(head)})"


def short(text: bytes | str) -> str:
    """Return the start of a text of unknown origin, printable."""
    shown = text[:48].decode("latin1") if isinstance(text, bytes) else text[:80]
    return "".join(letter if letter.isprintable() else "." for letter in shown)
