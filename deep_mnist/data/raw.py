"""What every reader of images returns: the splits, their images gathered into one array, their labels numbered."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.compressed_arrays import MAX_DECOMPRESSED_BYTES

MAX_TOTAL_BYTES = MAX_DECOMPRESSED_BYTES  # of decoded pixels in one split
MAX_EXAMPLES = 5_000_000
SHOWN = 3  # odd images that an error names
MAX_WHERE = 10  # indices that an error gives
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
}
DEEPER = "which does not fit into 8 bits per channel"  # of an image that is sound otherwise
CHANNELS = {1: "grey", 3: "RGB", 4: "RGBA"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0*)?")
Label = int | str
Shape = tuple[int, ...]


class ImageSourceError(ArrayFileError):
    """Images of which no array can be made.

    Attributes:
        where: Indices of the first of them in their split.
    """

    def __init__(self, expected: str, received: str, fix: str, where: Sequence[int] = ()) -> None:
        super().__init__(expected, received, fix)
        self.where = tuple(where)


class ImageDecodeError(ValueError):
    """One image that cannot be decoded; the message says why."""


class MissingPackageError(RuntimeError):
    """A format whose reader is not installed; the message says which extra brings it."""


@dataclass
class RawSplit:
    """One split as it was read.

    Attributes:
        images: uint8 (n, rows, columns[, channels]) in 0..255, read-only; None when `faults` says why.
        labels: Integers or class names, one for each image; None when they could not be read.
        faults: "images" or "labels" -> the error of the file; "images.shape", "images.layout" -> of mixed images.
    """

    images: np.ndarray | None = None
    labels: Sequence[Label] | None = None
    faults: dict[str, ArrayFileError] = field(default_factory=dict)


@dataclass
class RawData:
    """All splits of one source.

    Attributes:
        images: Split -> uint8 (n, rows, columns[, channels]).
        labels: Split -> int64 (n,).
        faults: Split -> what could not be read, as in `RawSplit`.
        class_names: Name of each class, () where the labels are numbers by themselves.
    """

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    faults: dict[str, dict[str, ArrayFileError]]
    class_names: tuple[str, ...] = ()


def split_of(name: str) -> str | None:
    """Return the split that a file's or folder's name speaks of, such as "mnist_train.csv" of "train"."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


def raw_data(splits: Mapping[str, RawSplit], class_names: Sequence[str] = ()) -> RawData:
    """Return the splits with their labels numbered: numbers stay, names get their place among the sorted names."""
    labels = [label for split in splits.values() for label in split.labels or ()]
    names = tuple(class_names)
    if any(isinstance(label, str) and not _WHOLE.fullmatch(label) for label in labels):
        names = tuple(sorted({str(label) for label in labels}))
    place = {name: index for index, name in enumerate(names)}
    return RawData(
        {name: split.images for name, split in splits.items() if split.images is not None},
        {name: _numbered(split.labels, place) for name, split in splits.items() if split.labels is not None},
        {name: split.faults for name, split in splits.items() if split.faults},
        names,
    )


def _numbered(labels: Sequence[Label], place: Mapping[str, int]) -> np.ndarray:
    numbers = (each if isinstance(each, int) else place.get(each, -1) if place else int(float(each)) for each in labels)
    return np.fromiter(numbers, np.int64, count=len(labels))


def _fix_of(reasons: Sequence[str]) -> str:
    """Return what mends images that cannot be decoded, by why they cannot."""
    deep = sum(DEEPER in each for each in reasons)
    convert = (
        "Convert them to 8 bits: Image.fromarray((np.asarray(Image.open(file)) / 257).astype(np.uint8)).save(file)"
    )
    if deep == len(reasons):
        return f"{convert}  # of 16 bits"
    return "Delete them, or write them again." + (f" {convert}  # those of 16 bits" if deep else "")


class Gathered:
    """Images, one after the other, on their way into one array; the pixels lie in an unlinked temporary file."""

    def __init__(self) -> None:
        self._spool = tempfile.TemporaryFile()
        self._bytes = self._count = 0
        self._forms: dict[Shape, list[int]] = {}
        self._names: dict[int, str] = {}
        self._unreadable: dict[int, str] = {}

    def add(self, name: str, image: np.ndarray | ImageDecodeError) -> None:
        """Take the next image, uint8 (rows, columns[, channels]), or the reason why there is none."""
        if isinstance(image, ImageDecodeError):
            self._unreadable[self._count] = f"{name} (index {self._count}): {image}"
            self._count += 1
            return
        rows = self._forms.setdefault(image.shape, [])
        rows.append(self._count)
        if len(rows) <= MAX_WHERE:
            self._names[self._count] = name
        self._write(image[None])

    def add_block(self, images: np.ndarray) -> None:
        """Take images of one form, uint8 (k, rows, columns[, channels])."""
        rows = self._forms.setdefault(images.shape[1:], [])
        rows.extend(range(self._count, self._count + len(images)))
        self._write(images)

    def _write(self, images: np.ndarray) -> None:
        self._count += len(images)
        self._bytes += images.nbytes
        if self._bytes > MAX_TOTAL_BYTES or self._count > MAX_EXAMPLES:
            raise ImageSourceError(
                f"at most {MAX_EXAMPLES} images of {MAX_TOTAL_BYTES} bytes of pixels in one split",
                f"more, at image {self._count - 1}",
                "Use fewer or smaller images.",
            )
        if len(self._forms) == 1 and not self._unreadable:  # else there will be no array
            self._spool.write(np.ascontiguousarray(images).data)

    def finish(self) -> RawSplit:
        """Return the split without its labels: one array, or what prevents it."""
        with self._spool:
            faults: dict[str, ArrayFileError] = dict(self._mixed())
            if self._unreadable or not self._count:
                faults["images"] = self._not_decoded()
            if faults:
                return RawSplit(faults=faults)
            self._spool.flush()
            (shape,) = self._forms
            return RawSplit(np.memmap(self._spool, np.uint8, mode="r", shape=(self._count, *shape)))

    def _not_decoded(self) -> ImageSourceError:
        if not self._count:
            return ImageSourceError("images", "none", "Put at least one example there.")
        texts = list(self._unreadable.values())
        more = f"; and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
        return ImageSourceError(
            f"{self._count} images that can be decoded",
            f"{len(texts)} that cannot: {'; '.join(texts[:SHOWN])}{more}",
            _fix_of(texts),
            list(self._unreadable)[:MAX_WHERE],
        )

    def _mixed(self) -> dict[str, ImageSourceError]:
        sizes = {shape: f"{shape[0]} x {shape[1]} pixels" for shape in self._forms}
        modes = {shape: CHANNELS[shape[2] if len(shape) > 2 else 1] for shape in self._forms}
        return {
            **self._differing("images.shape", sizes, "size", "image = image.resize({first})"),
            **self._differing("images.layout", modes, "mode", 'image = image.convert("{mode}")'),
        }

    def _differing(self, part: str, meaning: Mapping[Shape, str], what: str, fix: str) -> dict[str, ImageSourceError]:
        counts: Counter[str] = Counter()
        for shape, rows in self._forms.items():
            counts[meaning[shape]] += len(rows)
        if len(counts) < 2:
            return {}
        common, number = counts.most_common(1)[0]
        model = next(shape for shape in self._forms if meaning[shape] == common)
        odd = sorted(row for shape, rows in self._forms.items() if meaning[shape] != common for row in rows[:MAX_WHERE])
        of_row = {row: meaning[shape] for shape, rows in self._forms.items() for row in rows[:MAX_WHERE]}
        shown = "; ".join(f"{self._names.get(row, 'row')} (index {row}): {of_row[row]}" for row in odd[:SHOWN])
        done = fix.format(first=(model[1], model[0]), mode="L" if common == "grey" else common)
        return {
            part: ImageSourceError(
                f"images of one {what}, as {number} of {self._count} have: {common}",
                f"{sum(counts.values()) - number} of another {what}: {shown}",
                f"{done}  # with Pillow, for each image",
                odd[:MAX_WHERE],
            )
        }
