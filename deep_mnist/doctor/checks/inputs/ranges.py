"""Checks of pixel values against the range that the network's first layers expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.sampling import few_at_once, sample_indices
from deep_mnist.doctor.finding import FaultKind, Finding

# All of these hold for what the first weights see: pixel * scale + offset of the layers before them.
UNSCALED = 10.0  # root mean square; 0..1, -1..1 and standardized pixels stay below 1.5, MNIST in 0..255 has 84
LARGE = 3.0  # root mean square worth a warning; MNIST under ImageNet's constants has 2.1, in 0..16 about 5
FLAT = 0.02  # deviation; MNIST has 0.31 in 0..1, rows of unit length 0.035, scaled twice 0.0012
UNIT_SLACK = 0.3  # resizing with bicubic filters overshoots 0..1 by up to a quarter
STANDARD_MEAN = 0.25  # of pixels standardized by their own data; MNIST's constants on Fashion give 0.5
STANDARD_DEVIATION = (0.7, 1.4)  # likewise; 256 digits under MNIST's constants give 0.99
NEAR_ONE_VALUE = 0.2  # of the range: dark images with a few bright pixels span more
LOW_CONTRAST = 12 / 255  # of the range; scaled twice, pixels span 1 / 255
CAFFE, CAFFE_DARK, CAFFE_BRIGHT = (-123.68, 151.061), -80.0, 40.0  # 0..255 minus ImageNet's means
TORCH, TORCH_DARK = (-2.118, 2.64), -1.5  # (0..1 minus ImageNet's means) over its deviations
DOCUMENTED = {
    "tf": ("pixels -1..1", '{name} = {name}.astype("float32") / 127.5 - 1'),
    "torch": (
        "pixels standardized by ImageNet's mean and deviation",
        '{name} = (({name} / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype("float32")',
    ),
}
ONES_LEFT = 0.04  # share of ones in 0/1 pixels: MNIST thresholded at half has 13 %, divided as integers 0.7 %
SAMPLE = 500  # examples looked at for whole numbers


@dataclass
class Values:
    """Pixel values as the first weights see them."""

    low: float
    high: float
    mean: float
    deviation: float
    whole: bool
    raw_low: float
    raw_high: float

    @property
    def rms(self) -> float:
        return float(np.hypot(self.mean, self.deviation))


def values_of(split: Split, contract: Contract) -> Values | None:
    """Return the split's pixel values behind the network's own scaling; None without finite pixels."""
    seen = split.survey
    if seen is None or split.images is None or not seen.finite_pixels:
        return None
    scale, offset = contract.pixel_scale, contract.pixel_offset
    ends = sorted((seen.low * scale + offset, seen.high * scale + offset))
    mean, deviation = seen.mean * scale + offset, seen.deviation * abs(scale)
    return Values(ends[0], ends[1], mean, deviation, _is_whole(split.images), seen.low, seen.high)


def _is_whole(images: np.ndarray) -> bool:
    if images.dtype.kind in "iub":
        return True
    with np.errstate(invalid="ignore"):
        return all((some == np.rint(some)).all() for some in few_at_once(images, sample_indices(len(images), SAMPLE)))


def check_range(case: Case, split: Split) -> Iterator[Finding]:
    """Yield what is wrong with the range of a split's pixels."""
    seen = split.survey
    if not case.input_kind.shows_images or _are_signed_bytes(split):
        return
    values = values_of(split, case.contract)
    by_pixel = case.train.survey is not None and case.train.survey.standardized_by_pixel
    if seen is not None and values is not None and seen.constant < seen.count - seen.not_finite and not by_pixel:
        yield from _check_range(case.contract, split, values, values_of(case.train, case.contract) or values)


def _are_signed_bytes(split: Split) -> bool:
    """Bytes read as -128..127: reported under images.dtype, whose line puts the range right as well."""
    images, seen = split.images, split.survey
    return images is not None and images.dtype == np.int8 and seen is not None and seen.low < 0


def _check_range(contract: Contract, split: Split, values: Values, train: Values) -> Iterator[Finding]:
    if values.whole and values.raw_low >= 0 and values.raw_high <= 1 and _greys_lost(split):
        yield _range(
            split,
            "error",
            _required(contract),
            _received(values) + ", only 0 and 1: the greys are lost",
            f'Scale after the cast, from the raw pixels: {split.name}_images = raw.astype("float32") / 255',
            "Division among integers left 0 and 1, nearly all 0: little is left to learn.",
            FaultKind.LOST,
        )
    elif not contract.scaling_is_known:
        return
    elif contract.convention in DOCUMENTED and not contract.scales_inside and _is_raw(values):
        yield _undocumented(contract, split, values)
    elif contract.normalizes_input or (not contract.scales_inside and is_official(split, values)):
        return
    elif contract.scales_inside and contract.input_range[1] > 1.5:
        yield from _check_raw(contract, split, values)
    else:
        yield from _check_scaled(contract, split, values, train)


def _is_raw(values: Values) -> bool:
    return values.whole and values.raw_low >= 0 and 64 < values.raw_high <= 255


def _undocumented(contract: Contract, split: Split, values: Values) -> Finding:
    """Raw pixels into a network of keras.applications that documents another range."""
    name, mode = f"{split.name}_images", str(contract.convention)
    expected, fix = DOCUMENTED[mode]
    return _range(
        split,
        "warning",
        f"{expected}, as preprocess_input of this network (mode {mode}) makes of 0..255",
        f"{_received(values)}, whole numbers, into a network named and built as keras.applications does",
        fix.format(name=name),
        "Its published weights were trained on that range: on raw pixels it predicts nonsense, and learns slowly.",
    )


def is_official(split: Split, values: Values) -> bool:
    """Whether color images are those of preprocess_input: BGR minus ImageNet's means, or its mean and deviation."""
    images = split.images
    if images is None or images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]):
        return False
    low, high = values.raw_low, values.raw_high
    caffe = CAFFE[0] - 0.5 <= low < CAFFE_DARK and CAFFE_BRIGHT < high <= CAFFE[1] + 0.5
    torch = TORCH[0] - 0.01 <= low < TORCH_DARK and high <= TORCH[1] + 0.01
    return caffe or torch


def _greys_lost(split: Split) -> bool:
    seen, images = split.survey, split.images
    if seen is None or images is None:
        return False
    return images.dtype.kind in "iu" or seen.mean < ONES_LEFT


def _check_raw(contract: Contract, split: Split, values: Values) -> Iterator[Finding]:
    """The network has a Rescaling layer for 0..255."""
    low, high = contract.input_range
    name, slack = f"{split.name}_images", UNIT_SLACK * (high - low)
    width = max(values.raw_high - values.raw_low, 1e-12)
    if width < NEAR_ONE_VALUE * FLAT * (high - low) or (
        values.deviation < FLAT * abs(contract.pixel_scale) * (high - low) and width < NEAR_ONE_VALUE * (high - low)
    ):
        if _has_levels((values.raw_low - low) / (high - low), width / (high - low)):
            yield _low_contrast(split, values)
            return
        fix = f"{name} = {name} * 255  # or remove the scaling layers"
        if values.raw_low < 0:
            fix = f"{name} = ({name} - {_number(values.raw_low)}) * {255 / width:.6g}"
        yield _range(
            split,
            "error",
            f"pixels {low:g}..{high:g}, which the network scales itself",
            _received(values),
            fix,
            f"Scaled twice, the first weights see {values.low:.4g}..{values.high:.4g}: all images look alike to them.",
        )
    elif values.raw_low < low - slack or values.raw_high > high + slack:
        yield _range(
            split,
            "error",
            f"pixels {low:g}..{high:g}, which the network scales itself",
            _received(values),
            _back_to(name, values, 255),
            "The network sees pixels far outside the range it is built for.",
        )


def _check_scaled(contract: Contract, split: Split, values: Values, train: Values) -> Iterator[Finding]:
    """The network takes pixels as they are."""
    name, required = f"{split.name}_images", _required(contract)
    fix = _back_to(name, values, 1)
    if values.rms > UNSCALED:
        raw = values.raw_low >= 0 and values.whole and values.raw_high <= 255
        received = _received(values) + (", never divided by 255" if raw else f", root mean square {values.rms:.3g}")
        fix = _divided(name, split) if raw else fix
        why = "Activations and gradients start hundreds of times too large: the loss jumps, accuracy sticks."
        yield _range(split, "error", required, received, fix, why)
    elif values.deviation < FLAT and _has_levels(values.low, values.high - values.low):
        yield _low_contrast(split, values)
    elif values.deviation < FLAT and values.high - values.low < NEAR_ONE_VALUE:
        twice = values.raw_low >= 0 and values.raw_high < 0.05
        received = _received(values) + (", scaled twice" if twice else ", all pixels near one value")
        why = "All images look alike to the network: accuracy stays at chance."
        yield _range(split, "error", required, received, fix, why)
    elif values.rms > LARGE:
        why = "Inputs several times larger than usual: training is unstable or slow."
        yield _range(split, "note", required, _received(values), fix, why)
    elif values.low < -UNIT_SLACK and not _is_symmetric(values) and not _is_standard(values):
        words = f"mean {values.mean:.3g}, deviation {values.deviation:.3g}: those of other data were used"
        fix = f"{name} = ({name} - {_number(train.mean)}) / {train.deviation:.6g}  # train's, in every split"
        why = "The inputs are off centre; weights must first undo it, and published results do not repeat."
        yield _range(
            split, "warning", "standardized pixels: mean 0, deviation 1", f"{_received(values)}, {words}", fix, why
        )


def _has_levels(low: float, width: float) -> bool:
    """Whether pixels near one value are images of low contrast: in 0..1, over more levels than a scaling leaves."""
    return low >= 0 and LOW_CONTRAST <= width < NEAR_ONE_VALUE


def _low_contrast(split: Split, values: Values) -> Finding:
    return _range(
        split,
        "note",
        "pixels that use their range",
        f"{_received(values)}, all near one value: images of low contrast (heat, haze, X-rays)?",
        f"Nothing if the camera sees it so; a Normalization layer adapted to {split.name}_images first helps.",
        "Right as they are, they train slowly: images look alike to the first weights.",
    )


def _divided(name: str, split: Split) -> str:
    """The division by 255; of integers, where the line under images.dtype divides as well, at most once."""
    whole = split.images is not None and split.images.dtype.kind in "iu"
    return f'{name} = {name}.astype("float32") / 255' + (f" if {name}.max() > 1 else {name}" if whole else "")


def _is_symmetric(values: Values) -> bool:
    """-1..1 and -0.5..0.5, and pixels merely centred (deviation of 0..1 pixels, mean 0)."""
    usual = any(abs(values.low + half) < 0.1 * half and abs(values.high - half) < 0.1 * half for half in (0.5, 1.0))
    centred = abs(values.mean) < 0.1 and values.high - values.low < 1.1
    return usual or centred


def _is_standard(values: Values) -> bool:
    low, high = STANDARD_DEVIATION
    return abs(values.mean) <= STANDARD_MEAN and low <= values.deviation <= high


def _back_to(name: str, values: Values, high: int) -> str:
    span = max(values.raw_high - values.raw_low, 1e-12)
    shifted = f"({name} - {_number(values.raw_low)})" if values.raw_low else name
    return f'{name} = ({shifted} * {high / span:.8g}).astype("float32")  # into 0..{high}, the same in every split'


def _number(value: float) -> str:
    return f"({value:.6g})" if value < 0 else f"{value:.6g}"


def _required(contract: Contract) -> str:
    low, high = contract.input_range
    return f"pixels {low:g}..{high:g}" + ("" if contract.scales_inside else " (or standardized), scaled once")


def _received(values: Values) -> str:
    return f"{values.raw_low:.4g}..{values.raw_high:.4g}"


def _range(
    split: Split, severity: str, expected: str, received: str, fix: str, why: str, kind: FaultKind = FaultKind.RANGE
) -> Finding:
    return Finding(
        field="images.range",
        severity=severity,
        split=split.name,
        expected=expected,
        received=received,
        fix=fix,
        why=why,
        kind=kind,
    )
