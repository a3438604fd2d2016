"""Checks of the files and of the form of images: rank, shape, layout, dtype, number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.raw import ImageSourceError
from deep_mnist.doctor.case import Case, Split, is_object_fault
from deep_mnist.doctor.checks.inputs.shape import check_shape
from deep_mnist.doctor.evidence.chunks import extent
from deep_mnist.doctor.finding import FaultKind, Finding

# An IDX header's bytes: 0, 0, type 8, axes; read as pixels or labels they begin the first example.
IDX_IMAGE_HEAD = (0, 0, 8, 3)
# Images of which no array can be made: what is said of it.
MIXED = {
    "images.shape": "Images of several sizes make no batch; a loader that resizes decides what the network sees.",
    "images.layout": "Grey and colour images have other numbers of channels and make no batch.",
}


def check_files(case: Case) -> Iterator[Finding]:
    """Yield the files that are missing, damaged, or something else."""
    for split in case.splits.values():
        for part, error in split.faults.items():
            if is_object_fault(error):
                yield _objects(split, part, error)
                continue
            unneeded = part == "labels" and error.received == "no such file" and _may_do_without_labels(case.contract)
            yield Finding(
                field=part if part in MIXED else f"files.{split.name}_{part}",
                severity="note" if unneeded else "error",
                split=split.name,
                expected=error.expected,
                received=error.received,
                fix=error.fix,
                why=MIXED.get(part, "There is nothing to train on, or pixels and labels made of other bytes."),
                where=error.where if isinstance(error, ImageSourceError) else (),
                kind=FaultKind.FILE,
            )
        yield from _check_header_as_data(split)


def _may_do_without_labels(contract: Contract) -> bool:
    """Whether the images may be their own targets, or a training step of the model's own may ask for none."""
    own = any("class of its own" in each for each in contract.unknown)
    return own or (contract.output_shape is not None and contract.output_shape == contract.input_shape)


def _objects(split: Split, part: str, error: object) -> Finding:
    name = f"{split.name}_{part}"
    fix = f'{name} = np.stack(list({name})).astype("int64")  # then np.save({name}, allow_pickle=False)'
    if part == "images":  # unpickling is never done here, so their sizes are not known
        fix = (
            f"size = np.max([np.shape(each) for each in {name}], axis=0); {name} = np.stack([np.pad(each, "
            f"[(0, most - length) for most, length in zip(size, np.shape(each))]) for each in {name}])"
            f'.astype("float32")  # pads to the largest; resizing is better'
        )
    return Finding(
        field=f"{part}.dtype",
        severity="error",
        split=split.name,
        expected="one array of numbers",
        received=f"Python objects, shape {getattr(error, 'shape', '')}",
        fix=fix,
        why="Keras cannot convert objects to a tensor; reading them would run code out of the file.",
        kind=FaultKind.OBJECTS,
    )


def _check_header_as_data(split: Split) -> Iterator[Finding]:
    """An IDX file read from byte 0 (or 8) puts its header before the first pixel."""
    images = split.images
    if images is None or images.ndim < 2 or not len(images) or images.dtype.kind not in "fiu":
        return
    head = np.asarray(images[0]).reshape(-1)[:8].astype(np.float64)
    scale = 255.0 if images.dtype.kind == "f" and np.abs(head).max(initial=0) <= 1 else 1.0
    if len(head) == 8 and tuple(np.rint(head[:4] * scale)) == IDX_IMAGE_HEAD:
        yield Finding(
            field=f"files.{split.name}_images",
            severity="error",
            split=split.name,
            expected="pixels after the 16 bytes of the IDX header",
            received="the header itself (bytes 0 0 8 3) in the first image: every image is shifted",
            fix=f"{split.name}_images = np.fromfile(path, np.uint8, offset=16).reshape(-1, 28, 28)",
            why="Images wrap around by 16 pixels and the last one is cut; labels may shift as well.",
            where=(0,),
            kind=FaultKind.HEADER,
        )


def check_form(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with the number, rank, shape, layout and dtype of a split's images."""
    images = split.images
    if images is None:
        return
    yield from _check_dtype(case, split, images)
    if images.ndim == 0 or len(images) == 0:
        yield Finding(
            field="images.count",
            severity="error",
            split=split.name,
            expected="at least one image",
            received=f"none, shape {images.shape}",
            fix="Make the split non-empty: check the path and the split's fraction.",
            why="There is nothing to learn from or to measure with.",
            kind=FaultKind.EMPTY,
        )
        return
    if case.contract.input_shape is not None:
        yield from check_shape(case, split, images)


def _check_dtype(case: Case, split: Split, images: np.ndarray) -> Iterator[Finding]:
    contract = case.contract
    name, kind, dtype = f"{split.name}_images", images.dtype.kind, images.dtype
    as_float = f'{name} = {name}.astype("float32")'
    if kind in "USV":
        why = "Text cannot become a tensor of pixels."
        yield _dtype(split, "error", "numbers", f"{dtype} (text or raw bytes)", as_float, why)
    elif kind == "c":
        why = "The imaginary part is dropped or refused."
        yield _dtype(split, "error", "real numbers", str(dtype), f'{name} = {name}.real.astype("float32")', why)
    elif kind == "b" and not contract.scales_inside and case.input_kind.shows_images:
        why = "Layers compute in float32; raw TensorFlow refuses booleans."
        yield _dtype(split, "error", "float32", "booleans", as_float, why)
    elif kind == "i" and dtype.itemsize == 1 and images.size and extent(images)[0] < 0:
        received = "signed bytes below 0: 128..255 were read as -128..-1"
        why = "Bright pixels turn into the darkest ones."
        yield _dtype(split, "error", "unsigned bytes 0..255", received, f"{name} = {name}.view(np.uint8)", why)
    elif kind in "iu" and not _takes_integers(contract) and case.input_kind.shows_images:
        received = f"{dtype} into a network without a Rescaling layer"
        why = "Raw TensorFlow refuses integers; Keras casts them to 0..255, two hundred times too large."
        yield _dtype(split, "error", "float32, scaled", received, f"{as_float} / 255", why)
    elif kind == "f" and dtype.itemsize > 4:
        why = "Twice the memory and time to move, cast again at every batch; raw TensorFlow refuses doubles."
        yield _dtype(split, "note", "float32", str(dtype), as_float, why)


def _takes_integers(contract: Contract) -> bool:
    return contract.scales_inside or contract.normalizes_input or not contract.scaling_is_known


def _dtype(split: Split, severity: str, expected: str, received: str, fix: str, why: str) -> Finding:
    return Finding(
        field="images.dtype",
        severity=severity,
        split=split.name,
        expected=expected,
        received=received,
        fix=fix,
        why=why,
    )
