"""A folder of class folders with images, below train/ and test/ or not.

The classes are the folders' names in alphabetical order, as Keras and torchvision number them; names that are all
numbers are in the order of the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from deep_mnist.data.image_file import SUFFIXES, decode_file
from deep_mnist.data.raw import MAX_EXAMPLES, Gathered, ImageSourceError, RawData, RawSplit, raw_data, split_of

MAX_CLASSES = 100_000
ClassFolders = dict[str, Path]


def find_class_folders(folder: Path) -> dict[str, ClassFolders]:
    """Return split -> class name -> its folder, {} where there are none; no image is opened.

    A folder called train, test, validation (or training, testing, val, …) is a split when its own folders hold
    images, a class when it holds them itself.
    """
    below = {each: _classes_in(each) for each in _folders(folder) if split_of(each.name)}
    splits: dict[str, ClassFolders] = {}
    for each, classes in below.items():
        if classes:
            splits.setdefault(str(split_of(each.name)), {}).update(classes)
    if splits:
        return splits
    classes = _classes_in(folder)
    return {"train": classes} if classes and not _are_strays(classes, folder) else {}


def read_class_folders(splits: Mapping[str, ClassFolders]) -> RawData:
    """Return the images, in the order of the classes and their file names; each fault names its file.

    Args:
        splits: What `find_class_folders` returned.
    """
    names = names_of(splits)
    read = {split: _read_split(classes, names) for split, classes in splits.items()}
    return raw_data(read, names)


def files_of(classes: ClassFolders, names: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Return (file, class number) of each image of a split, in the order of the classes and of the files' names."""
    return [
        (path, number) for number, name in enumerate(names) if name in classes for path in _image_files(classes[name])
    ]


def names_of(splits: Mapping[str, ClassFolders]) -> tuple[str, ...]:
    """Return the names of the classes of all splits, in the order of their numbers."""
    return _ordered({name for classes in splits.values() for name in classes})


def _read_split(classes: ClassFolders, names: tuple[str, ...]) -> RawSplit:
    gathered = Gathered()
    labels: list[int] = []
    try:
        for path, label in files_of(classes, names):
            gathered.add(f"{names[label]}/{path.name}", decode_file(path))
            labels.append(label)
        split = gathered.finish()
    except ImageSourceError as error:
        return RawSplit(faults={"images": error})
    split.labels = labels
    return split


def _ordered(names: set[str]) -> tuple[str, ...]:
    if all(name.isascii() and name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name[:18]), name)))
    return tuple(sorted(names))


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _classes_in(folder: Path) -> ClassFolders:
    found: ClassFolders = {}
    for each in _folders(folder):
        if next(_walk(each), None) is not None:
            found[each.name] = each
        if len(found) > MAX_CLASSES:
            raise ImageSourceError(f"at most {MAX_CLASSES} classes in {folder.name}", "more", "Name another folder.")
    return found


def _are_strays(found: ClassFolders, folder: Path) -> bool:
    """Whether the images are a single picture, or most folders hold none: a tree of something else."""
    alone = len(found) == 1 and len(list(islice(_walk(*found.values()), 2))) < 2
    return alone or 2 * len(found) < len(_folders(folder))


def _image_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in _walk(folder):
        found.append(path)
        if len(found) > MAX_EXAMPLES:
            raise ImageSourceError(f"at most {MAX_EXAMPLES} images in {folder.name}", "more", "Use fewer images.")
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the images at any depth; links to folders are not followed, for they may lead in a circle."""
    for base, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(base) / name
