"""Checks of the rank, lengths and order of the axes of images against the network's input."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import Finding

Shape = tuple[int, ...]


def check_shape(case: Case, split: Split, images: np.ndarray) -> Iterator[Finding]:
    """Yield at most one finding on the rank, lengths or order of axes of a split's images."""
    contract, required = case.contract, case.contract.input_shape or ()
    shape = images.shape
    if matches(shape[1:], required):
        return
    name, examples = (
        f"{split.name}_images",
        len(split.labels) if split.labels is not None and split.labels.ndim else None,
    )
    expected = f"shape (n, {', '.join('any' if side is None else str(side) for side in required)})"
    field, note, fix = _difference(name, shape, required, examples, contract)
    if field == "rank" and _is_adjusted(case, shape):
        yield _adjusted(split, expected, shape, required)
        return
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


def _is_adjusted(case: Case, shape: Shape) -> bool:
    """Whether Keras itself adds, or drops, the last axis of length 1 by which the two differ.

    The pipeline's steps (a record tells them) take the declared shape alone.
    """
    required, one = case.contract.input_shape or (), shape[1:]
    if case.record is not None or not case.contract.adjusts_rank or matches(shape, required):
        return False
    lacks = required[-1:] == (1,) and matches(one, required[:-1])
    return lacks or (one[-1:] == (1,) and matches(one[:-1], required))


def _adjusted(split: Split, expected: str, shape: Shape, required: tuple[int | None, ...]) -> Finding:
    name, lacks = f"{split.name}_images", len(shape) - 1 < len(required)
    axis = "the channel axis" if len(required) == 3 else "the last axis, of length 1"
    stated = f"without {axis}: Keras adds it" if lacks else "one axis of length 1 more: Keras drops it"
    return Finding(
        field="images.rank",
        severity="note",
        split=split.name,
        expected=expected,
        received=f"shape {shape}, {stated}",
        fix=f"{name} = {name}{'[..., np.newaxis]' if lacks else '[..., 0]'}",
        why="Keras trains its functional and sequential models on it; its other models and TensorFlow's ops refuse it.",
    )


def matches(shape: Shape, required: tuple[int | None, ...]) -> bool:
    """Whether an example's shape is as required, None standing for any length."""
    return len(shape) == len(required) and all(side in (None, real) for side, real in zip(required, shape, strict=True))


def _difference(
    name: str, shape: Shape, required: tuple[int | None, ...], examples: int | None, contract: Contract
) -> tuple[str, str, str]:
    """Return (field after "images.", what is the matter, fix)."""
    rank, due = len(shape), len(required) + 1
    known = tuple(side for side in required if side is not None)
    total = math.prod(known) if len(known) == len(required) else None
    sides = ", ".join(str(side) for side in known)
    last_axis = examples is not None and rank >= 2 and shape[-1] == examples != shape[0]
    if last_axis and (matches(shape[:-1], required) or math.prod(shape[:-1]) == total):
        extra = f".reshape(-1, {sides})" if rank != due else ""
        return "layout", ": the examples lie on the last axis", f"{name} = np.moveaxis({name}, -1, 0){extra}"
    if rank == due and sorted(map(str, shape[1:])) == sorted(map(str, required)):
        axes = _axes_to(shape[1:], required)
        return "layout", ": the axes are in another order", f"{name} = {name}.transpose(0, {', '.join(axes)})"
    if rank == due:
        return _other_lengths(name, shape, required, contract)
    if rank > due and total and matches(shape[2:], required):
        labels = name.replace("images", "labels")
        return (
            "rank",
            ": already grouped in batches",
            (f"{name} = {name}.reshape(-1, {sides}); {labels} = {labels}.reshape(-1, *{labels}.shape[2:])"),
        )
    if matches(shape, required):
        return "rank", ": one image without an axis of examples", f"{name} = {name}[np.newaxis]"
    if total and math.prod(shape[1:]) == total:
        flat = ": flat rows" if rank == 2 else " without the channel axis" if rank == due - 1 else ""
        return "rank", flat, f"{name} = {name}.reshape(-1, {sides})"
    if rank == due - 1 and required[-1 if contract.layout != "channels_first" else 0] in (1, 3, 4):
        return _missing_channels(name, required, contract)
    if rank == 1 and total and shape[0] % total == 0:
        return "rank", ": all pixels in one row", f"{name} = {name}.reshape(-1, {sides})"
    return (
        "rank",
        f", rank {rank} instead of {due}",
        f"Write {name} again as (n, {sides or 'rows, columns, channels'}).",
    )


def _missing_channels(name: str, required: tuple[int | None, ...], contract: Contract) -> tuple[str, str, str]:
    first = contract.layout == "channels_first"
    channels = required[0] if first else required[-1]
    index = "[:, np.newaxis]" if first else "[..., np.newaxis]"
    repeat = "" if channels == 1 else f".repeat({channels}, axis={1 if first else -1})"
    return "rank", " without the channel axis", f"{name} = {name}{index}{repeat}"


def _axes_to(shape: Shape, required: tuple[int | None, ...]) -> list[str]:
    left = list(range(len(shape)))
    axes = []
    for side in required:
        axis = next((axis for axis in left if shape[axis] == side), left[0])
        left.remove(axis)
        axes.append(str(axis + 1))
    return axes


def _other_lengths(
    name: str, shape: Shape, required: tuple[int | None, ...], contract: Contract
) -> tuple[str, str, str]:
    """Judge images of the right rank whose lengths differ."""
    if len(required) != 3:
        return "shape", "", f"Resize {name} to {required}, or declare Input({shape[1:]})."
    axis = 0 if contract.layout == "channels_first" else 2
    space = [each for each in range(3) if each != axis]
    swapped = 2 - axis  # where the other layout keeps the channels
    if shape[1 + axis] != required[axis] and all(required[each] in (shape[1 + each], None) for each in space):
        return "shape", *_other_channels(name, shape[1 + axis], required[axis] or 1, axis)
    if shape[1 + axis] > 4 and shape[1 + swapped] in (1, 3, 4):
        return (
            "layout",
            ": the channels are on the other side",
            f"{name} = np.moveaxis({name}, {1 + swapped}, {1 + axis})",
        )
    return "shape", "", _resized(name, shape, required, space, axis)


def _other_channels(name: str, channels: int, required: int, axis: int) -> tuple[str, str]:
    note = f": {channels} channel{'s' if channels != 1 else ''} where the network takes {required}"
    if channels == 1:
        return note, f"{name} = {name}.repeat({required}, axis={1 + axis})"
    if required == 1:
        return note, f'{name} = {name}.mean(axis={1 + axis}, keepdims=True).astype("float32")'
    return (
        note,
        f"{name} = np.take({name}, range({required}), axis={1 + axis})" if channels > required else f"Write {name}.",
    )


def _resized(name: str, shape: Shape, required: tuple[int | None, ...], space: list[int], axis: int) -> str:
    """Return the statement that crops, pads, shrinks or enlarges to the required lengths."""
    pairs = [(shape[1 + each], required[each] or shape[1 + each]) for each in space]
    if shape[1 + axis] != required[axis] or any(want == 0 for _, want in pairs):
        return f"Write {name} again with shape (n, {', '.join(map(str, required))})."
    if all(real % want == 0 for real, want in pairs):
        steps = ", ".join(
            "::1" if each == axis else f"::{shape[1 + each] // (required[each] or shape[1 + each])}"
            for each in range(3)
        )
        return f"{name} = {name}[:, {steps}]  # or resize with averaging"
    if all(0 < real - want <= 8 for real, want in pairs):
        cuts = ", ".join(":" if each == axis else _cut(shape[1 + each], required[each] or 0) for each in range(3))
        return f"{name} = {name}[:, {cuts}]"
    if all(0 < want - real <= 8 for real, want in pairs):
        pads = ", ".join("(0, 0)" if each == axis else _pad(shape[1 + each], required[each] or 0) for each in range(3))
        return f"{name} = np.pad({name}, ((0, 0), {pads}))"
    taken = ", ".join(f"np.arange({want}) * {real} // {want}" for real, want in pairs)
    index = "[:, rows][:, :, columns]" if axis == 2 else "[:, :, rows][:, :, :, columns]"
    return f"rows, columns = {taken}; {name} = {name}{index}  # or resize with averaging, or declare this size"


def _cut(real: int, want: int) -> str:
    return f"{(real - want) // 2}:{(real - want) // 2 + want}"


def _pad(real: int, want: int) -> str:
    return f"({(want - real) // 2}, {want - real - (want - real) // 2})"
