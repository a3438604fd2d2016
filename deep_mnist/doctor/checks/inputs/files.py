"""Checks of the files that hold the data: missing, damaged, of Python objects, a header taken for pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.raw import ImageSourceError
from deep_mnist.doctor.case import Case, Split, is_object_fault
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import IMAGES, Need, Rule, Scope, check

SPLITS = ("train", "validation", "test")
OF_IMAGES = tuple(f"files.{name}_images" for name in SPLITS)
OF_LABELS = tuple(f"files.{name}_labels" for name in SPLITS)
ABSENT = ("no such file", "a test split alone")  # what a reader says it received
# An IDX header's bytes: 0, 0, type 8, axes; read as pixels or labels they begin the first example.
IDX_IMAGE_HEAD = (0, 0, 8, 3)

MISSING = Rule(
    code="F101",
    name="file-missing",
    field=OF_IMAGES[0],
    other_fields=(*OF_IMAGES[1:], *OF_LABELS),
    severity="error",
    scope=Scope.CASE,
    summary="A split has images or labels, and no file of the other.",
    why="There is nothing to train on, or nothing to tell what is right.",
)
UNREADABLE = Rule(
    code="F102",
    name="file-unreadable",
    field=OF_IMAGES[0],
    other_fields=(*OF_IMAGES[1:], *OF_LABELS),
    severity="error",
    scope=Scope.CASE,
    summary="A file is cut off, damaged, or something else than its name says: a web page, a pickle, a pointer.",
    why="There is nothing to train on, or pixels and labels made of other bytes.",
)
UNDECODABLE = Rule(
    code="F103",
    name="images-undecodable",
    field=OF_IMAGES[0],
    other_fields=OF_IMAGES[1:],
    severity="error",
    scope=Scope.CASE,
    summary="Single image files of a folder or table cannot be decoded.",
    why="A loader stops at the first of them, or leaves them out and shifts the labels.",
)
OBJECT_IMAGES = Rule(
    code="F110",
    name="images-saved-as-objects",
    field="images.dtype",
    severity="error",
    scope=Scope.CASE,
    summary="The file of images holds Python objects, mostly images of several sizes, and no array of numbers.",
    why="Keras cannot convert objects to a tensor; reading them would run code out of the file.",
)
OBJECT_LABELS = Rule(
    code="F111",
    name="labels-saved-as-objects",
    field="labels.dtype",
    severity="error",
    scope=Scope.CASE,
    summary="The file of labels holds Python objects, and no array of numbers.",
    why="Keras cannot convert objects to a tensor; reading them would run code out of the file.",
)
HEADER = Rule(
    code="F120",
    name="images-begin-with-file-header",
    field=OF_IMAGES[0],
    other_fields=OF_IMAGES[1:],
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    summary="An IDX file was read from its first byte on, so that its header became the first pixels.",
    why="Images wrap around by 16 pixels and the last one is cut; labels may shift as well.",
)
SIZES_DIFFER = Rule(
    code="I001",
    name="images-of-several-sizes",
    field="images.shape",
    severity="error",
    scope=Scope.CASE,
    summary="Image files of one split have several sizes, so that no array can be made of them.",
    why="Images of several sizes make no batch; a loader that resizes decides what the network sees.",
)
MODES_DIFFER = Rule(
    code="I002",
    name="images-grey-and-colour",
    field="images.layout",
    severity="error",
    scope=Scope.CASE,
    summary="Image files of one split are grey and in colour, so that no array can be made of them.",
    why="Grey and colour images have other numbers of channels and make no batch.",
)
MIXED = {"images.shape": SIZES_DIFFER, "images.layout": MODES_DIFFER}  # by the name of the reader's fault


@check(MISSING, UNREADABLE, UNDECODABLE, OBJECT_IMAGES, OBJECT_LABELS, SIZES_DIFFER, MODES_DIFFER)
def check_files(case: Case) -> Iterator[Finding]:
    """Yield the files that are missing, damaged, or something else."""
    for split in case.splits.values():
        for part, error in split.faults.items():
            if is_object_fault(error):
                yield _objects(split, part, error)
                continue
            rule = MIXED[part] if part in MIXED else _of_file(error)
            unneeded = part == "labels" and error.received in ABSENT and _may_do_without_labels(case.contract)
            yield rule.found(
                split.name,
                severity="note" if unneeded else "",
                field="" if part in MIXED else f"files.{split.name}_{part}",
                expected=error.expected,
                received=error.received,
                fix=error.fix,
                where=error.where if isinstance(error, ImageSourceError) else (),
            )


def _of_file(error: ArrayFileError) -> Rule:
    if error.received in ABSENT:
        return MISSING
    return UNDECODABLE if isinstance(error, ImageSourceError) and error.where else UNREADABLE


def _may_do_without_labels(contract: Contract) -> bool:
    """Whether the images may be their own targets, or a training step of the model's own may ask for none."""
    own = any("class of its own" in each for each in contract.unknown)
    return own or (contract.output_shape is not None and contract.output_shape == contract.input_shape)


def _objects(split: Split, part: str, error: ArrayFileError) -> Finding:
    name = f"{split.name}_{part}"
    fix = f'{name} = np.stack(list({name})).astype("int64")  # then np.save("{name}.npy", {name})'
    if part == "images":  # unpickling is never done here, so their sizes are not known
        fix = (
            f"size = np.max([np.shape(each) for each in {name}], axis=0); {name} = np.stack([np.pad(each, "
            f"[(0, most - length) for most, length in zip(size, np.shape(each))]) for each in {name}])"
            f'.astype("float32")  # pads to the largest; resizing is better'
        )
    return (OBJECT_IMAGES if part == "images" else OBJECT_LABELS).found(
        split.name,
        expected="one array of numbers",
        received=f"Python objects, shape {getattr(error, 'shape', '')}",
        fix=fix,
    )


@check(HEADER)
def check_header(case: Case, split: Split) -> Iterator[Finding]:  # noqa: ARG001
    """Yield an IDX header before the first pixel: the file was read from byte 0 (or 8) on."""
    images = split.images
    if images is None or images.ndim < 2 or not len(images) or images.dtype.kind not in "fiu":
        return
    head = np.asarray(images[0]).reshape(-1)[:8].astype(np.float64)
    scale = 255.0 if images.dtype.kind == "f" and np.abs(head).max(initial=0) <= 1 else 1.0
    if len(head) == 8 and tuple(np.rint(head[:4] * scale)) == IDX_IMAGE_HEAD:
        yield HEADER.found(
            split.name,
            field=f"files.{split.name}_images",
            expected="pixels after the 16 bytes of the IDX header",
            received="the header itself (bytes 0 0 8 3) in the first image: every image is shifted",
            fix=f"{split.name}_images = np.fromfile(path, np.uint8, offset=16).reshape(-1, 28, 28)",
            where=(0,),
        )
