"""Checks of the files and of the form of images: rank, shape, layout, dtype, number."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.raw import PicturesError
from deep_mnist.doctor.case import Case, Split, is_object_fault
from deep_mnist.doctor.finding import FaultKind, Finding

Shape = tuple[int, ...]
# An IDX header's bytes: 0, 0, type 8, axes; read as pixels or labels they begin the first example.
IDX_IMAGE_HEAD = (0, 0, 8, 3)
# Pictures of which no array can be made: what is said of it.
MIXED = {
    "images.shape": "Pictures of several sizes make no batch; a loader that resizes decides what the network sees.",
    "images.layout": "Grey and colour pictures have other numbers of channels and make no batch.",
}


def check_files(case: Case) -> Iterator[Finding]:
    """Yield the files that are missing, damaged, or something else."""
    for split in case.splits.values():
        for part, error in split.faults.items():
            if is_object_fault(error):
                yield _objects(split, part, error)
                continue
            yield Finding(
                field=part if part in MIXED else f"files.{split.name}_{part}",
                severity="error",
                split=split.name,
                expected=error.expected,
                received=error.received,
                fix=error.fix,
                why=MIXED.get(part, "There is nothing to train on, or pixels and labels made of other bytes."),
                where=error.where if isinstance(error, PicturesError) else (),
                kind=FaultKind.FILE,
            )
        yield from _check_header_as_data(split)


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
            received="the header itself (bytes 0 0 8 3) in the first image: every picture is shifted",
            fix=f"{split.name}_images = np.fromfile(path, np.uint8, offset=16).reshape(-1, 28, 28)",
            why="Pictures wrap around by 16 pixels and the last one is cut; labels may shift as well.",
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
        yield from _check_shape(case.contract, split, images)


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
    elif kind == "i" and dtype.itemsize == 1 and images.size and int(images.min()) < 0:
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


# --- shape ---------------------------------------------------------------------------------------


def _check_shape(contract: Contract, split: Split, images: np.ndarray) -> Iterator[Finding]:
    wanted = contract.input_shape or ()
    shape = images.shape
    if matches(shape[1:], wanted):
        return
    name, examples = (
        f"{split.name}_images",
        len(split.labels) if split.labels is not None and split.labels.ndim else None,
    )
    expected = f"shape (n, {', '.join('any' if side is None else str(side) for side in wanted)})"
    field, note, fix = _difference(name, shape, wanted, examples, contract)
    why = "Keras refuses the shape at the first batch, or layers read the wrong axis as channels."
    yield Finding(
        field=f"images.{field}",
        severity="error",
        split=split.name,
        expected=expected,
        received=f"shape {shape}{note}",
        fix=fix,
        why=why,
    )


def matches(shape: Shape, wanted: tuple[int | None, ...]) -> bool:
    """Whether an example's shape is what is wanted, None standing for any length."""
    return len(shape) == len(wanted) and all(side in (None, real) for side, real in zip(wanted, shape, strict=True))


def _difference(
    name: str, shape: Shape, wanted: tuple[int | None, ...], examples: int | None, contract: Contract
) -> tuple[str, str, str]:
    """Return (field after "images.", what is the matter, mend)."""
    rank, due = len(shape), len(wanted) + 1
    known = tuple(side for side in wanted if side is not None)
    total = math.prod(known) if len(known) == len(wanted) else None
    sides = ", ".join(str(side) for side in known)
    last_axis = examples is not None and rank >= 2 and shape[-1] == examples != shape[0]
    if last_axis and (matches(shape[:-1], wanted) or math.prod(shape[:-1]) == total):
        extra = f".reshape(-1, {sides})" if rank != due else ""
        return "layout", ": the examples lie on the last axis", f"{name} = np.moveaxis({name}, -1, 0){extra}"
    if rank == due and sorted(map(str, shape[1:])) == sorted(map(str, wanted)):
        axes = _axes_to(shape[1:], wanted)
        return "layout", ": the axes are in another order", f"{name} = {name}.transpose(0, {', '.join(axes)})"
    if rank == due:
        return _other_lengths(name, shape, wanted, contract)
    if rank > due and total and matches(shape[2:], wanted):
        labels = name.replace("images", "labels")
        return (
            "rank",
            ": already grouped in batches",
            (f"{name} = {name}.reshape(-1, {sides}); {labels} = {labels}.reshape(-1, *{labels}.shape[2:])"),
        )
    if matches(shape, wanted):
        return "rank", ": one image without an axis of examples", f"{name} = {name}[np.newaxis]"
    if total and math.prod(shape[1:]) == total:
        flat = ": flat rows" if rank == 2 else " without the channel axis" if rank == due - 1 else ""
        return "rank", flat, f"{name} = {name}.reshape(-1, {sides})"
    if rank == due - 1 and wanted[-1 if contract.layout != "channels_first" else 0] in (1, 3, 4):
        return _missing_channels(name, wanted, contract)
    if rank == 1 and total and shape[0] % total == 0:
        return "rank", ": all pixels in one row", f"{name} = {name}.reshape(-1, {sides})"
    return (
        "rank",
        f", rank {rank} instead of {due}",
        f"Write {name} again as (n, {sides or 'rows, columns, channels'}).",
    )


def _missing_channels(name: str, wanted: tuple[int | None, ...], contract: Contract) -> tuple[str, str, str]:
    first = contract.layout == "channels_first"
    channels = wanted[0] if first else wanted[-1]
    index = "[:, np.newaxis]" if first else "[..., np.newaxis]"
    repeat = "" if channels == 1 else f".repeat({channels}, axis={1 if first else -1})"
    return "rank", " without the channel axis", f"{name} = {name}{index}{repeat}"


def _axes_to(shape: Shape, wanted: tuple[int | None, ...]) -> list[str]:
    left = list(range(len(shape)))
    axes = []
    for side in wanted:
        axis = next((axis for axis in left if shape[axis] == side), left[0])
        left.remove(axis)
        axes.append(str(axis + 1))
    return axes


def _other_lengths(name: str, shape: Shape, wanted: tuple[int | None, ...], contract: Contract) -> tuple[str, str, str]:
    """Judge images of the right rank whose lengths differ."""
    if len(wanted) != 3:
        return "shape", "", f"Resize {name} to {wanted}, or declare Input({shape[1:]})."
    axis = 0 if contract.layout == "channels_first" else 2
    space = [each for each in range(3) if each != axis]
    swapped = 2 - axis  # where the other layout keeps the channels
    if shape[1 + axis] != wanted[axis] and all(wanted[each] in (shape[1 + each], None) for each in space):
        return "shape", *_other_channels(name, shape[1 + axis], wanted[axis] or 1, axis)
    if shape[1 + axis] > 4 and shape[1 + swapped] in (1, 3, 4):
        return (
            "layout",
            ": the channels are on the other side",
            f"{name} = np.moveaxis({name}, {1 + swapped}, {1 + axis})",
        )
    return "shape", "", _resized(name, shape, wanted, space, axis)


def _other_channels(name: str, channels: int, wanted: int, axis: int) -> tuple[str, str]:
    note = f": {channels} channel{'s' if channels != 1 else ''} where the network takes {wanted}"
    if channels == 1:
        return note, f"{name} = {name}.repeat({wanted}, axis={1 + axis})"
    if wanted == 1:
        return note, f'{name} = {name}.mean(axis={1 + axis}, keepdims=True).astype("float32")'
    return (
        note,
        f"{name} = np.take({name}, range({wanted}), axis={1 + axis})" if channels > wanted else f"Write {name}.",
    )


def _resized(name: str, shape: Shape, wanted: tuple[int | None, ...], space: list[int], axis: int) -> str:
    """Return the statement that crops, pads, shrinks or enlarges to the wanted lengths."""
    pairs = [(shape[1 + each], wanted[each] or shape[1 + each]) for each in space]
    if shape[1 + axis] != wanted[axis] or any(want == 0 for _, want in pairs):
        return f"Write {name} again with shape (n, {', '.join(map(str, wanted))})."
    if all(real % want == 0 for real, want in pairs):
        steps = ", ".join(
            "::1" if each == axis else f"::{shape[1 + each] // (wanted[each] or shape[1 + each])}" for each in range(3)
        )
        return f"{name} = {name}[:, {steps}]  # or resize with averaging"
    if all(0 < real - want <= 8 for real, want in pairs):
        cuts = ", ".join(":" if each == axis else _cut(shape[1 + each], wanted[each] or 0) for each in range(3))
        return f"{name} = {name}[:, {cuts}]"
    if all(0 < want - real <= 8 for real, want in pairs):
        pads = ", ".join("(0, 0)" if each == axis else _pad(shape[1 + each], wanted[each] or 0) for each in range(3))
        return f"{name} = np.pad({name}, ((0, 0), {pads}))"
    taken = ", ".join(f"np.arange({want}) * {real} // {want}" for real, want in pairs)
    index = "[:, rows][:, :, columns]" if axis == 2 else "[:, :, rows][:, :, :, columns]"
    return f"rows, columns = {taken}; {name} = {name}{index}  # or resize with averaging, or declare this size"


def _cut(real: int, want: int) -> str:
    return f"{(real - want) // 2}:{(real - want) // 2 + want}"


def _pad(real: int, want: int) -> str:
    return f"({(want - real) // 2}, {want - real - (want - real) // 2})"
