"""Checks of masks, a class for each pixel: values of 0 and 255 or divided by it, and masks that are not their image's.

A mask belongs to its image when the edges of both coincide. Each image's edges are compared with its own mask's, with
those of other masks, and with its own mask's mirrored: only where some masks fit clearly (better than any mask fits
mirrored) is it said that the own ones do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.values import DIVIDED
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import are_divided
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

SAMPLE = 64  # images looked at
MOST_MASKS, MOST_PIXELS = 1500, 24_000_000  # that they are compared with
FEWEST = 16
SIDE = 32  # pixels a side of the edges compared
SMALLEST = 16  # pixels a side of a mask
MOST_LEVELS = 24  # distinct values of masks; more are pictures
MOST_CLASSES = 25  # numbers of classes that are told from soft targets, once divided by 255
NEAR = 0.08  # of the highest value: JPEG's ringing around the two values of a mask
BIMODAL = 0.97
CLEARLY = 5.0  # standard errors
UNRELATED = 2.5  # likewise: at most, of masks that are not their image's
TURNED = 0.3  # share of the images whose mask fits better turned
BETTER = 0.1  # correlation by which it must
DRAWN_APART = Follows(rules=("L181", "L182"), on=On.ANY_SPLIT)  # the cause by name

ZERO_AND_255 = Rule(
    code="L170",
    name="masks-of-zero-and-255",
    field="labels.values",
    severity="error",
    scope=Scope.TARGET,
    needs=(Need.LABELS,),
    summary="Masks are 0 and 255 as image files hold them, and the loss takes them for probabilities.",
    why="The loss of a target outside 0..1 has no minimum: it falls below zero and the weights run away.",
)
OTHER_MASKS = Rule(
    code="L171",
    name="masks-of-other-images",
    field="labels.alignment",
    severity="error",
    scope=Scope.SPLIT,
    needs=(Need.LABELS, Need.IMAGES),
    follows=(DRAWN_APART,),
    summary="Masks are in another order than their images: file lists that were not sorted alike.",
    why="Every image is trained against another one's mask: the network learns the mean mask at best.",
)
TURNED_MASKS = Rule(
    code="L172",
    name="masks-augmented-apart",
    field="labels.alignment",
    severity="error",
    scope=Scope.SPLIT,
    needs=(Need.LABELS, Need.IMAGES),
    follows=(DRAWN_APART, Follows(rules=("L171",), on=On.ANY_SPLIT)),
    summary="Masks are mirrored or turned against their images: augmented with another seed, or not at all.",
    why="Many images are trained against a mask that lies elsewhere: the borders stay blurred.",
)


# --- values ----------------------------------------------------------------------------------------


@check(ZERO_AND_255, DIVIDED)
def check_mask_values(case: Case, split: Split) -> Iterator[Finding]:
    """Yield masks of two values, 0 and one above 1 or 1 / 255, under a sigmoid or a loss of probabilities.

    And of class numbers that were divided by 255, under a loss that takes the numbers themselves.
    """
    labels, contract = split.labels, case.contract
    if labels is None or labels.ndim < 3 or (contract.output_rank or 0) <= 2 or labels.dtype.kind not in "fiu":
        return
    if not labels.size or (split.name != "train" and case.call is not None and case.call.held_out is None):
        return  # a part of train's own array, which one line puts right
    some = take(labels, sample_indices(len(labels), SAMPLE))
    if contract.loss in BINARY_LOSSES or contract.output_activation == "sigmoid":
        yield from _of_two_values(case, split, some)
    elif contract.loss in SPARSE_LOSSES and 0 < float(some.max()) < 1 and are_divided(some):
        yield _divided(case, split, float(some.max()), "({} * 255 + 0.5) // 1")


def _of_two_values(case: Case, split: Split, masks: np.ndarray) -> Iterator[Finding]:
    """Yield what is wrong with the higher value of masks (n, …) that are all but 0 and it."""
    high = float(masks.max())
    if float(masks.min()) < 0 or not 0 < high <= 65535 or not np.isfinite(high):
        return
    exact = float(((masks == 0) | (masks == high)).mean())
    if float(((masks <= NEAR * high) | (masks >= (1 - NEAR) * high)).mean()) < BIMODAL:
        return
    if _is_small_number(255 * high) or _is_small_number(256 * high, most=1):
        yield _divided(case, split, high, f"({{}} / {high:.6g} + 0.5) // 1")
    elif high > 1:
        between = "" if exact == 1 else f" and {1 - exact:.1%} of values between them, as JPEG files leave"
        yield ZERO_AND_255.found(
            split.name,
            expected=f"masks of 0 and 1 for {case.contract.loss or 'a sigmoid'}",
            received=f"0 and {high:g}{between}",
            fix=_changed(case, split, f"{{}} / {high:g}" if exact == 1 else f"({{}} / {high:g} + 0.5) // 1")
            or f"Divide the masks by {high:g} where the batch is made.",
        )


def _is_small_number(value: float, most: int = MOST_CLASSES) -> bool:
    return 0.99 < value < most + 0.01 and abs(value - round(value)) < 0.01


def _divided(case: Case, split: Split, high: float, again: str) -> Finding:
    sparse = case.contract.loss in SPARSE_LOSSES
    return DIVIDED.found(
        split.name,
        expected="whole class numbers" if sparse else f"masks of 0 and 1 for {case.contract.loss or 'a sigmoid'}",
        received=f"values from 0 to {high:.4g}: class numbers divided by 255 with the images",
        fix=_changed(case, split, again) or "Divide the images by 255, and the masks not, where the batch is made.",
        why=DIVIDED.why if sparse else "Against targets of nearly 0 the network learns to find nothing, anywhere.",
    )


def _changed(case: Case, split: Split, expression: str) -> str:
    from deep_mnist.doctor.checks.live.own_words import changed  # reads programs: for the few that have masks

    return changed(case, split.name, "labels", expression)


# --- pairs -----------------------------------------------------------------------------------------


class MaskFits(NamedTuple):
    """How the edges of images and masks coincide.

    Attributes:
        own: Standard errors by which an image fits its own mask better than others'.
        best: Likewise, by which its best mask fits better than the best mirrored one.
        turned: Share of the images that fit their own mask better when it is turned.
        way: The turn that most of these have, "" for several.
    """

    own: float
    best: float
    turned: float
    way: str


@check(OTHER_MASKS, TURNED_MASKS)
def check_mask_pairs(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding: masks of other images, or masks turned against theirs."""
    fits = fits_of(split)
    if fits is None:
        return
    from deep_mnist.doctor.checks.live.mask_causes import one_seed, order_of_files
    from deep_mnist.doctor.checks.live.own_words import changed

    if fits.own < UNRELATED and fits.best > CLEARLY:
        cause, fix = order_of_files(case)
        yield OTHER_MASKS.found(
            split.name,
            expected="each image beside its own mask: edges that coincide",
            received=f"edges that coincide no better than with other images' masks ({fits.own:.1f} standard errors), "
            f"though masks that fit are there ({fits.best:.0f}){cause}",
            fix=fix,
        )
    elif fits.turned > TURNED and fits.best > CLEARLY:
        yield TURNED_MASKS.found(
            split.name,
            expected="masks that lie as their images do: one seed for both",
            received=f"{fits.turned:.0%} of the images fit their own mask better when it is turned"
            + (f" ({fits.way})" if fits.way else " one way or another: image and mask were augmented apart"),
            fix=changed(case, split.name, "labels", UNDO[fits.way]) if fits.way else one_seed(case),
        )


WAYS = {
    "mirrored": lambda each: each[:, :, ::-1],
    "upside down": lambda each: each[:, ::-1],
    "turned by half": lambda each: each[:, ::-1, ::-1],
    "transposed": lambda each: each.swapaxes(1, 2),
}
UNDO = {
    "mirrored": "{}[:, :, ::-1]",
    "upside down": "{}[:, ::-1]",
    "turned by half": "{}[:, ::-1, ::-1]",
    "transposed": "np.swapaxes({}, 1, 2)",
}


def fits_of(split: Split) -> MaskFits | None:
    """Return how the edges of a split's images and masks coincide, None where the labels are no masks."""
    images, masks = split.images, split.labels
    if images is None or masks is None or not _are_masks(images, masks):
        return None
    count = min(len(masks), MOST_MASKS, max(FEWEST, MOST_PIXELS // int(np.prod(masks.shape[1:]))))
    chosen = sample_indices(len(masks), count)
    at = sample_indices(len(chosen), SAMPLE, seed=1)
    others = take(masks, chosen)
    if len(at) < FEWEST or not 1 < len(np.unique(others[at][..., ::2])) <= MOST_LEVELS * len(at):
        return None
    ours = _edges(take(images, chosen[at]))
    flat = _rows(_edges(others))
    scores = _rows(ours) @ flat.T
    own = scores[np.arange(len(at)), at]
    mirrored = _rows(_edges(others[:, :, ::-1])) if others.ndim > 2 else flat
    gain = scores.max(axis=1) - (_rows(ours) @ mirrored.T).max(axis=1)
    turned = np.stack([np.einsum("ij,ij->i", _rows(ours), _rows(_edges(way(others[at])))) for way in _ways(others)])
    better = turned.max(axis=0) > own + BETTER
    which = np.bincount(turned.argmax(axis=0)[better], minlength=len(turned))
    way = [*WAYS][int(which.argmax())] if which.sum() and which.max() > 0.9 * len(at) else ""
    return MaskFits(_errors(own - scores.mean(axis=1)), max(_errors(gain), _errors(own - scores.mean(axis=1))),
                float(better.mean()), way)  # fmt: skip


def _ways(masks: np.ndarray) -> list[Any]:
    square = masks.shape[1] == masks.shape[2]
    return [way for name, way in WAYS.items() if square or name != "transposed"]


def _are_masks(images: np.ndarray, masks: np.ndarray) -> bool:
    if images.ndim not in (3, 4) or masks.ndim not in (3, 4) or len(images) != len(masks):
        return False
    if images.shape[1:3] != masks.shape[1:3] or min(masks.shape[1:3]) < SMALLEST:
        return False
    if masks.dtype.kind not in "fiub" or images.dtype.kind not in "fiub":
        return False
    some = take(masks, sample_indices(len(masks), FEWEST))
    values = np.unique(some)
    spread = float(values[-1] - values[0]) if len(values) else 0.0
    near = (some - values[0] <= NEAR * spread) | (values[-1] - some <= NEAR * spread)
    return 1 < len(values) <= MOST_LEVELS or (spread > 0 and float(near.mean()) > BIMODAL)


def _edges(images: np.ndarray) -> np.ndarray:
    """Return float32 (n, SIDE, SIDE): how much neighbours differ, in cells of the image."""
    grey = images.astype(np.float32)
    grey = (
        grey.mean(axis=3)
        if grey.ndim == 4 and grey.shape[3] <= 4
        else (grey.argmax(axis=3).astype(np.float32) if grey.ndim == 4 else grey)
    )
    down, right = np.abs(np.diff(grey, axis=1))[:, :, 1:], np.abs(np.diff(grey, axis=2))[:, 1:]
    return _cells(_cells(down + right, SIDE, 1), SIDE, 2)


def _cells(values: np.ndarray, side: int, axis: int) -> np.ndarray:
    length = values.shape[axis]
    cuts = np.unique(np.linspace(0, length, min(side, length) + 1).astype(int)[:-1])
    summed: np.ndarray = np.add.reduceat(values, cuts, axis=axis)
    return summed


def _rows(edges: np.ndarray) -> np.ndarray:
    """Return edges as rows of length 1, less what all have in common."""
    rows: np.ndarray = edges.reshape(len(edges), -1)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    rows = rows - rows.mean(axis=0)
    rows = rows - rows.mean(axis=1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def _errors(values: np.ndarray) -> float:
    return float(values.mean() / max(float(values.std()) / np.sqrt(len(values)), 1e-9))
