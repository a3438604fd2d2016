"""Pixel values as the first weights see them, behind the network's own scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Split
from deep_mnist.doctor.evidence.sampling import sample_chunks, sample_indices

STANDARD_MEAN = 0.25  # of pixels standardized by their own data; MNIST's constants on Fashion give 0.5
STANDARD_DEVIATION = (0.7, 1.4)  # likewise; 256 digits under MNIST's constants give 0.99
LIKE_UNIT = 0.75  # root mean square; pixels of 0..1 have 0.2 to 0.7, and need no centre
UNIT_SLACK = 0.3  # resizing with bicubic filters overshoots 0..1 by up to a quarter
NEAR_ONE_VALUE = 0.2  # of the range: dark images with a few bright pixels span more
LOW_CONTRAST = 12 / 255  # of the range; scaled twice, pixels span 1 / 255
CAFFE, CAFFE_DARK, CAFFE_BRIGHT = (-123.68, 151.061), -80.0, 40.0  # 0..255 minus ImageNet's means
TOPS = (1 / 255**2, 1 / 255, 1.0, 255.0, 4095.0, 65535.0)  # of pixels scaled twice, once, never; of 12 and 16 bits
TORCH, TORCH_DARK = (-2.118, 2.64), -1.5  # (0..1 minus ImageNet's means) over its deviations
SAMPLE = 500  # examples looked at for whole numbers
SAMPLED, LEAST_SAMPLED = 1 << 16, 4096  # numbers looked at for noise
MANY_LEVELS = 2048  # of numbers: noise has one for each pixel, bytes 256 for each channel; images may be repeated
EDGE, FEW_AT_EDGE = 0.1, 0.001  # of the way to the median; of pixels: smooth scenes 0.003, noise 0.0003


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
        return all((some == np.rint(some)).all() for some in sample_chunks(images, sample_indices(len(images), SAMPLE)))


def is_official(split: Split, values: Values) -> bool:
    """Whether color images are those of preprocess_input: BGR minus ImageNet's means, or its mean and deviation."""
    images = split.images
    if images is None or images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]):
        return False
    low, high = values.raw_low, values.raw_high
    caffe = CAFFE[0] - 0.5 <= low < CAFFE_DARK and CAFFE_BRIGHT < high <= CAFFE[1] + 0.5
    torch = TORCH[0] - 0.01 <= low < TORCH_DARK and high <= TORCH[1] + 0.01
    return caffe or torch


def has_levels(low: float, width: float) -> bool:
    """Whether pixels near one value are images of low contrast: in 0..1, over more levels than a scaling leaves."""
    return low >= 0 and LOW_CONTRAST <= width < NEAR_ONE_VALUE


def is_symmetric(values: Values) -> bool:
    """-1..1 and -0.5..0.5, and pixels merely centred (deviation of 0..1 pixels, mean 0)."""
    usual = any(abs(values.low + half) < 0.1 * half and abs(values.high - half) < 0.1 * half for half in (0.5, 1.0))
    usual |= any(abs(values.low + half) < 0.02 * half and 0 < values.high <= half for half in (0.5, 1.0))  # no white
    centred = abs(values.mean) < 0.1 and values.high - values.low < 1.1
    return usual or centred


def ends_in_noise(split: Split) -> bool:
    """Whether the least pixels thin out, as those of noise do that was added: the least of a camera's are many."""
    images = split.images
    if images is None or images.dtype.kind != "f":
        return False
    some = np.asarray(images[:: max(1, images.size // SAMPLED)], np.float64).ravel()
    some = some[np.isfinite(some)]
    if some.size < LEAST_SAMPLED or len(np.unique(some)) < min(some.size // 2, MANY_LEVELS):
        return False
    low, middle = some.min(), np.median(some)
    return bool((some < low + EDGE * (middle - low)).mean() < FEW_AT_EDGE)


def is_standard(values: Values) -> bool:
    low, high = STANDARD_DEVIATION
    return abs(values.mean) <= STANDARD_MEAN and low <= values.deviation <= high


def is_off_centre(split: Split, values: Values) -> bool:
    """Whether pixels are centred and scaled by other numbers than their own, further off than those of 0..1 are."""
    usual = is_symmetric(values) or is_standard(values) or values.rms <= LIKE_UNIT
    return values.low < -UNIT_SLACK and not usual and not ends_in_noise(split)


def back_to(name: str, values: Values, high: int) -> str:
    """Return the statement that brings pixels into 0..high: by a usual number where they begin near zero."""
    top = next((each for each in TOPS if each / 2 < values.raw_high <= 1.001 * each), None)
    if top is not None and 0 <= values.raw_low < top / 10:
        change = f"* {high / top:g}" if high > top else f"/ {top / high:g}"
        return f'{name} = ({name} {change}).astype("float32")  # into 0..{high}, the same in every split'
    span = max(values.raw_high - values.raw_low, 1e-12)
    shifted = f"({name} - {number(values.raw_low)})" if values.raw_low else name
    return f'{name} = ({shifted} * {high / span:.8g}).astype("float32")  # into 0..{high}, the same in every split'


def number(value: float) -> str:
    return f"({value:.6g})" if value < 0 else f"{value:.6g}"
