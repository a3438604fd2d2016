"""Checks of the rank, lengths and order of the axes of inputs against the network's input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.inputs.resizing import resized
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, Rule, Scope, check

Shape = tuple[int, ...]
Required = tuple[int | None, ...]
REFUSED = "Keras refuses the shape at the first batch, or layers read the wrong axis as channels."

EXAMPLES_LAST = Rule(
    code="I030",
    name="examples-on-last-axis",
    field="images.layout",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The examples lie on the last axis, as MATLAB files and some tables have them.",
    why=REFUSED,
)
AXES_ORDER = Rule(
    code="I031",
    name="axes-in-other-order",
    field="images.layout",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The axes of an example are those that the network takes, in another order: channels first for last.",
    why=REFUSED,
)
BATCHED = Rule(
    code="I032",
    name="inputs-already-batched",
    field="images.rank",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The examples are grouped in batches already, on one axis more.",
    why=REFUSED,
)
NO_EXAMPLES_AXIS = Rule(
    code="I033",
    name="example-without-batch-axis",
    field="images.rank",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The array is one example, without an axis of examples.",
    why="Keras takes the first axis for the examples, and refuses what is left as the shape of one.",
)
FLAT = Rule(
    code="I034",
    name="inputs-flattened",
    field="images.rank",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The examples are flat rows, and the network takes them with their axes.",
    why=REFUSED,
)
NO_CHANNELS = Rule(
    code="I035",
    name="images-without-channel-axis",
    field="images.rank",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The images have no channel axis, which the network takes.",
    why=REFUSED,
)
RANK = Rule(
    code="I036",
    name="inputs-of-other-rank",
    field="images.rank",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The examples have more or fewer axes than the network takes.",
    why=REFUSED,
)
ADJUSTED = Rule(
    code="I037",
    name="inputs-of-rank-that-keras-adjusts",
    field="images.rank",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The examples lack, or have too many, a last axis of length 1, which Keras itself adds or drops.",
    why="Keras trains its functional and sequential models on it; its other models and TensorFlow's ops refuse it.",
)
CHANNELS = Rule(
    code="I038",
    name="images-of-other-channels",
    field="images.shape",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The images have more or fewer channels than the network takes: grey for colour, or alpha besides.",
    why="Keras refuses the shape at the first batch.",
)
SIZE = Rule(
    code="I039",
    name="inputs-of-other-size",
    field="images.shape",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    follows=(Follows(rules=("S172", "S173")),),
    summary="The examples are larger or smaller than the network takes them: other rows and columns, or features.",
    why=REFUSED,
)


class Difference(NamedTuple):
    """What the matter is: the rule, what is added to the shape that was received, and the fix."""

    rule: Rule
    note: str
    fix: str


@check(EXAMPLES_LAST, AXES_ORDER, BATCHED, NO_EXAMPLES_AXIS, FLAT, NO_CHANNELS, RANK, ADJUSTED, CHANNELS, SIZE)
def check_shape(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on the rank, lengths or order of axes of a split's inputs."""
    images, required = split.images, case.contract.input_shape
    if (
        images is None
        or required is None
        or (images.ndim == 1 and images.dtype.kind in "OUSV" and case.call is not None)  # no axes yet
        or images.ndim == 0
        or len(images) == 0
        or matches(images.shape[1:], required)
    ):
        return
    shape = images.shape
    expected = f"shape (n, {', '.join('any' if side is None else str(side) for side in required)})"
    difference = _difference(case, split, shape, required)
    if difference.rule.field == ADJUSTED.field and _is_adjusted(case, shape):
        if required != (1,):  # of one number per example, as people give ids and columns
            yield _adjusted(split, expected, shape, required)
    else:
        received = f"shape {shape}{difference.note}"
        yield difference.rule.found(split.name, expected=expected, received=received, fix=difference.fix)


def _is_adjusted(case: Case, shape: Shape) -> bool:
    """Whether Keras itself adds, or drops, the last axis of length 1 by which the two differ.

    The pipeline's steps (a record tells them) take the declared shape alone.
    """
    required, one = case.contract.input_shape or (), shape[1:]
    if case.record is not None or not case.contract.adjusts_rank or matches(shape, required):
        return False
    lacks = required[-1:] == (1,) and matches(one, required[:-1])
    return lacks or (one[-1:] == (1,) and matches(one[:-1], required))


def _adjusted(split: Split, expected: str, shape: Shape, required: Required) -> Finding:
    name, lacks = f"{split.name}_images", len(shape) - 1 < len(required)
    axis = "the channel axis" if len(required) == 3 else "the last axis, of length 1"
    stated = f"without {axis}: Keras adds it" if lacks else "one axis of length 1 more: Keras drops it"
    return ADJUSTED.found(
        split.name,
        expected=expected,
        received=f"shape {shape}, {stated}",
        fix=f"{name} = {name}{'[..., np.newaxis]' if lacks else '[..., 0]'}",
    )


def matches(shape: Shape, required: Required) -> bool:
    """Whether an example's shape is as required, None standing for any length."""
    return len(shape) == len(required) and all(side in (None, real) for side, real in zip(required, shape, strict=True))


def _difference(case: Case, split: Split, shape: Shape, required: Required) -> Difference:
    """Return what distinguishes a shape from what is required of one example."""
    labels, name, rank = split.labels, f"{split.name}_images", len(shape)
    examples = len(labels) if labels is not None and labels.ndim else None
    sides = ", ".join(str(side) for side in required if side is not None)
    last_axis = examples is not None and rank >= 2 and shape[-1] == examples != shape[0]
    if last_axis and (matches(shape[:-1], required) or math.prod(shape[:-1]) == _total(required)):
        extra = f".reshape(-1, {sides})" if rank != len(required) + 1 else ""
        note = ": the examples lie on the last axis"
        return Difference(EXAMPLES_LAST, note, f"{name} = np.moveaxis({name}, -1, 0){extra}")
    if rank != len(required) + 1:
        return _other_rank(case, split, shape, required)
    if sorted(map(str, shape[1:])) == sorted(map(str, required)):
        axes = ", ".join(_axes_to(shape[1:], required))
        return Difference(AXES_ORDER, ": the axes are in another order", f"{name} = {name}.transpose(0, {axes})")
    return _other_lengths(case, name, shape, required)


def _total(required: Required) -> int | None:
    """Return the elements of an example, None where any length goes."""
    return math.prod(side for side in required if side is not None) if None not in required else None


def _other_rank(case: Case, split: Split, shape: Shape, required: Required) -> Difference:
    """Judge inputs that have more or fewer axes than the network takes."""
    name = f"{split.name}_images"
    rank, due, total, contract = len(shape), len(required) + 1, _total(required), case.contract
    sides = ", ".join(str(side) for side in required if side is not None)
    reshaped = f"{name} = {name}.reshape(-1, {sides})"
    if rank > due and total and matches(shape[2:], required):
        if split.labels is not None and split.labels.shape[:1] == shape[:1] and split.labels.shape[:2] != shape[:2]:
            several = f"{math.prod(shape[1 : -len(required)])} of ({sides})"
            fix = f"Take one of each: {name}[:, 0]; or declare Input({shape[1:]}), and layers that take it."
            return Difference(RANK, f": {several} for each label", fix)
        labels = name.replace("images", "labels")
        fix = f"{reshaped}; {labels} = {labels}.reshape(-1, *{labels}.shape[2:])"
        return Difference(BATCHED, ": already grouped in batches", fix)
    if matches(shape, required):
        note = f": one {case.example} without an axis of examples"
        return Difference(NO_EXAMPLES_AXIS, note, f"{name} = {name}[np.newaxis]")
    if total and math.prod(shape[1:]) == total:
        if rank == 2:
            return Difference(FLAT, ": flat rows", reshaped)
        is_grey = rank == due - 1
        return Difference(NO_CHANNELS if is_grey else RANK, " without the channel axis" if is_grey else "", reshaped)
    if rank == due - 1 and required[-1 if contract.layout != "channels_first" else 0] in (1, 3, 4):
        return _missing_channels(name, required, contract)
    if rank == 1 and total and shape[0] % total == 0:
        return Difference(FLAT, ": all pixels in one row", reshaped)
    fix = f"Write {name} again as (n, {sides or 'rows, columns, channels'})."
    return Difference(RANK, f", rank {rank} instead of {due}", fix)


def _missing_channels(name: str, required: Required, contract: Contract) -> Difference:
    first = contract.layout == "channels_first"
    channels = required[0] if first else required[-1]
    index = "[:, np.newaxis]" if first else "[..., np.newaxis]"
    repeat = "" if channels == 1 else f".repeat({channels}, axis={1 if first else -1})"
    return Difference(NO_CHANNELS, " without the channel axis", f"{name} = {name}{index}{repeat}")


def _axes_to(shape: Shape, required: tuple[int | None, ...]) -> list[str]:
    left = list(range(len(shape)))
    axes = []
    for side in required:
        axis = next((axis for axis in left if shape[axis] == side), left[0])
        left.remove(axis)
        axes.append(str(axis + 1))
    return axes


def _other_lengths(case: Case, name: str, shape: Shape, required: Required) -> Difference:
    """Judge inputs of the right rank whose lengths differ."""
    if name == "test_images" and len(required) == 1 and _fits(case.train, required):
        fix = f"Make test_images of the same {required[0]} columns as train_images: it has {shape[1]}."
        return Difference(SIZE, "", fix)
    if len(required) != 3:
        verb = "Resize" if case.input_kind.shows_images else "Cut or pad"
        return Difference(SIZE, "", f"{verb} {name} to {required}, or declare Input({shape[1:]}).")
    axis = 0 if case.contract.layout == "channels_first" else 2
    space = [each for each in range(3) if each != axis]
    swapped = 2 - axis  # where the other layout keeps the channels
    if shape[1 + axis] != required[axis] and all(required[each] in (shape[1 + each], None) for each in space):
        return _other_channels(name, shape[1 + axis], required[axis] or 1, axis)
    if shape[1 + axis] > 4 and shape[1 + swapped] in (1, 3, 4):
        fix = f"{name} = np.moveaxis({name}, {1 + swapped}, {1 + axis})"
        return Difference(AXES_ORDER, ": the channels are on the other side", fix)
    return Difference(SIZE, "", resized(name, shape, required, space, axis))


def _fits(split: Split, required: Required) -> bool:
    return split.images is not None and matches(split.images.shape[1:], required)


def _other_channels(name: str, channels: int, required: int, axis: int) -> Difference:
    note = f": {channels} channel{'s' if channels != 1 else ''} where the network takes {required}"
    if channels == 1:
        fix = f"{name} = {name}.repeat({required}, axis={1 + axis})"
    elif required == 1:
        fix = f'{name} = {name}.mean(axis={1 + axis}, keepdims=True).astype("float32")'
    else:
        taken = f"{name} = np.take({name}, range({required}), axis={1 + axis})"
        fix = taken if channels > required else f"Write {name}."
    return Difference(CHANNELS, note, fix)
