"""Checks of pixel values: finite and not blank."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding

BLANK_SHARE = 0.01  # of examples; no published image set comes near


def check_pixels(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with a split's pixel values."""
    seen = split.survey
    if seen is None:
        return
    if seen.not_finite:
        yield _not_finite(split, seen)
    if case.input_kind.shows_images:
        yield from _check_blank(split, seen)


def _not_finite(split: Split, seen: Survey) -> Finding:
    images, labels = f"{split.name}_images", f"{split.name}_labels"
    fix = (
        f"keep = np.isfinite({images}).reshape(len({images}), -1).all(1); "
        f"{images}, {labels} = {images}[keep], {labels}[keep]"
        if seen.not_finite < seen.count
        else f"Write {images} again: a division by zero (epsilon!) or an overflow made every image NaN or infinite."
    )
    return Finding(
        field="images.finite",
        severity="error",
        split=split.name,
        expected="finite pixels",
        received=f"NaN or infinity in {seen.not_finite} of {seen.count} images",
        fix=fix,
        why="One such image makes the loss NaN, and with it all weights.",
        where=tuple(seen.bad[:MAX_WHERE]),
        kind=FaultKind.NOT_FINITE,
    )


def _check_blank(split: Split, seen: Survey) -> Iterator[Finding]:
    if not seen.constant:
        return
    share = seen.constant / seen.count
    images, labels = f"{split.name}_images", f"{split.name}_labels"
    severity = "error" if share > 0.5 else "warning" if share > BLANK_SHARE else "note"
    fix = (
        f"Write {images} again: the images were lost (cast, division or a wrong offset)."
        if share > 0.5
        else f"keep = np.ptp({images}.reshape(len({images}), -1), axis=1) > 0; "
        f"{images}, {labels} = {images}[keep], {labels}[keep]"
    )
    yield Finding(
        field="images.distribution",
        severity=severity,
        split=split.name,
        expected="images that show something",
        received=f"{seen.constant} of {seen.count} images are one value throughout",
        fix=fix,
        why="A blank image teaches only its label; per-image standardization divides it by zero.",
        where=tuple(seen.blank[:MAX_WHERE]),
        kind=FaultKind.LOST if share > 0.5 else FaultKind.BLANK,
    )
