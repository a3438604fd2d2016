"""What is told of a path at which no data are recognized: what lies there instead, and what to write."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from deep_mnist.data.csv_table import is_table
from deep_mnist.data.image_file import SUFFIXES
from deep_mnist.data.sources import EXPECTED

SHOWN = 8  # names that a message lists
LOOKED_AT = 1000  # files of a tree
LINE_BYTES = 4096
NO_TABLES = (".tsv", ".tab")
OTHER_PICTURES = (".webp", ".tif", ".tiff", ".heic", ".avif", ".jp2", ".ppm", ".pgm")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
BY_NAME = 'np.savez("data.npz", x_train=…, y_train=…, x_test=…, y_test=…): arrays by these names'
Told = tuple[str, str]  # what was received, and the fix


def not_recognized(path: Path, source: str) -> str:
    """Return the sentence on a folder or file of which nothing is known: expected, received and, where known, the fix.

    Args:
        path: Where it lies here.
        source: What the user calls it.
    """
    files = list(islice(_files(path), LOOKED_AT))
    names = sorted(each.name for each in path.iterdir())[:SHOWN] if path.is_dir() else [path.name]
    told = next((each for tell in TELLERS if (each := tell(path, files)) is not None), None)
    received, fix = told or (", ".join(names) or "an empty folder", "")
    return f"Expected {EXPECTED} in {source}. Received: {received}." + (f" Fix: {fix}." if fix else "")


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for base, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(base) / name for name in sorted(names) if not name.startswith("."))


def _arrays(path: Path, files: Iterable[Path]) -> Told | None:
    """Tell of arrays whose names say not what they are."""
    held = [each for each in files if each.parent in (path, path.parent)]
    for archive in (each for each in held if each.suffix == ".npz"):
        try:
            with zipfile.ZipFile(archive) as bundle:
                names = [each.removesuffix(".npy") for each in bundle.namelist()]
        except (OSError, zipfile.BadZipFile):
            continue
        return f"{archive.name}, which holds the arrays {_listed(names) or 'of none'}", BY_NAME
    names = [each.name for each in held if each.suffix == ".npy"]
    return (_listed(names), "name them train_images.npy and train_labels.npy") if names else None


def _table(path: Path, files: Iterable[Path]) -> Told | None:  # noqa: ARG001
    """Tell of a table with other separators, or other columns than a label and pixels."""
    for each in files:
        if not is_table(each.name) and not each.name.lower().endswith(NO_TABLES):
            continue
        with each.open("rb") as stream:
            line = stream.readline(LINE_BYTES).decode("utf-8-sig", "replace").strip()
        if not line and not each.name.endswith(".gz"):
            return f"{each.name}, whose first line is empty", "write it again: a label and pixels in each line"
        most = max(SEPARATORS, key=line.count)
        if line.count(most) > line.count(","):
            fix = f'pandas.read_csv("{each.name}", sep={most!r}).to_csv("commas.csv", index=False)'
            return f"{each.name}, with {SEPARATORS[most]} between its columns", fix
        columns = [cell.strip() for cell in line.split(",")]
        received = f"{each.name}, whose columns are no label and pixels of an image: {_listed(columns)}"
        return received, f"name the script that reads the table; or {BY_NAME}"
    return None


def _pictures(path: Path, files: Iterable[Path]) -> Told | None:
    """Tell of images in another format, or without a folder for each class."""
    files = list(files)
    others = [each for each in files if each.suffix.lower() in OTHER_PICTURES]
    if others and 2 * len(others) >= len(files):
        received = f"images that are not read: {_listed([str(each.relative_to(path.parent)) for each in others], 3)}"
        return received, 'convert each to PNG: Image.open(file).save(file.with_suffix(".png"))'
    loose = [each.name for each in files if each.parent == path and each.suffix.lower() in SUFFIXES]
    if loose:
        return f"images without a folder for each class: {_listed(loose, 3)}", "put each class's into a folder below it"
    return None


TELLERS = (_arrays, _table, _pictures)


def _listed(names: list[str], most: int = SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
