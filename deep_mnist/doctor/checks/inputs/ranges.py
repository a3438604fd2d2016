"""Checks of pixel values against the range that the network's first layers expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.inputs.divisions import keeps_greys, true_division, undivided
from deep_mnist.doctor.checks.inputs.pixel_values import (
    NEAR_ONE_VALUE,
    UNIT_SLACK,
    Values,
    back_to,
    has_levels,
    is_off_centre,
    is_official,
    is_standard,
    number,
    values_of,
)
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import AXES_UNSOUND, IMAGES, Follows, Need, On, Rule, Scope, check

# All of these hold for what the first weights see: pixel * scale + offset of the layers before them.
UNSCALED = 10.0  # root mean square; 0..1, -1..1 and standardized pixels stay below 1.5, MNIST in 0..255 has 84
LARGE = 3.0  # root mean square worth a warning; MNIST under ImageNet's constants has 2.1, in 0..16 about 5
FLAT = 0.02  # deviation; MNIST has 0.31 in 0..1, rows of unit length 0.035, scaled twice 0.0012
DOCUMENTED = {
    "tf": ("pixels -1..1", '{name} = {name}.astype("float32") / 127.5 - 1'),
    "torch": (
        "pixels standardized by ImageNet's mean and deviation",
        '{name} = (({name} / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype("float32")',
    ),
}
MOST_CELLS = 400  # of a board game, per plane; 19 x 19 is the largest
ONES_LEFT = 0.04  # share of ones in 0/1 pixels: MNIST thresholded at half has 13 %, divided as integers 0.7 %
CAUSES = (
    Follows(rules=("I110",), on=On.SAME_OR_TRAIN),  # pixels far beyond all others spoil what is said of ranges
    Follows(rules=("I182", "D041", "D042", "D044", "D045"), on=On.ANY_SPLIT),
    Follows(rules=("D043", "I192")),
)

GREYS_LOST = Rule(
    code="I100",
    name="images-rounded-to-zero-and-one",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels were divided as integers, so that only 0 and 1 are left of 256 greys.",
    why="Division among integers left 0 and 1, nearly all 0: little is left to learn.",
    follows=(AXES_UNSOUND,),
)
OUT_OF_RANGE = Rule(
    code="I103",
    name="images-out-of-range",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels lie far outside the range that the network is built for.",
    why="The network sees pixels far outside the range it is built for.",
    follows=CAUSES,
)
NOT_PREPROCESSED = Rule(
    code="I104",
    name="images-without-preprocess-input",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Raw pixels meet a network of keras.applications, whose preprocess_input makes another range of them.",
    why="Its published weights were trained on that range: on raw pixels it predicts nonsense, and learns slowly.",
    follows=CAUSES,
)
SCALED_TWICE = Rule(
    code="I105",
    name="images-scaled-twice",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels were scaled once more than the network expects: in the data twice, or in the data and by a layer.",
    why="All images look alike to the network: accuracy stays at chance.",
    follows=CAUSES,
)
NEVER_SCALED = Rule(
    code="I106",
    name="images-never-scaled",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels of 0..255 meet a network that has no layer to scale them.",
    why="Activations and gradients start hundreds of times too large: the loss jumps, accuracy sticks.",
    follows=CAUSES,
)
NEAR_ONE = Rule(
    code="I107",
    name="images-near-one-value",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="All pixels of all images lie near one value.",
    why="All images look alike to the network: accuracy stays at chance.",
    follows=CAUSES,
)
OTHER_STATISTICS = Rule(
    code="I108",
    name="images-standardized-by-other-data",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels were standardized by the mean and deviation of other data.",
    why="The inputs are off centre; weights must first undo it, and published results do not repeat.",
    follows=CAUSES,
)
LOW_CONTRAST = Rule(
    code="I109",
    name="images-of-low-contrast",
    field="images.range",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Pixels use a small part of their range, as images of heat, haze or X-rays do.",
    why="Right as they are, they train slowly: images look alike to the first weights.",
    follows=CAUSES,
)


@check(GREYS_LOST, OUT_OF_RANGE, NOT_PREPROCESSED, SCALED_TWICE, NEVER_SCALED, NEAR_ONE, OTHER_STATISTICS, LOW_CONTRAST)
def check_range(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on the range of a split's pixels."""
    seen, values = split.survey, values_of(split, case.contract)
    by_pixel = case.train.survey is not None and case.train.survey.standardized_by_pixel
    if seen is None or values is None or by_pixel or _are_signed_bytes(split):
        return
    if seen.constant < seen.count - seen.not_finite:
        train = values_of(case.train, case.contract) or values
        for each in _check_range(case.contract, split, values, train):
            if each.rule is OTHER_STATISTICS and not is_off_centre(case.train, train):
                continue  # S110 says where a split differs from train
            if each.rule is SCALED_TWICE and case.contract.scales_inside:
                yield replace(each, fix=undivided(case) or each.fix)
            elif each.rule is not GREYS_LOST:
                yield each
            elif split.images is None or split.images.dtype.kind != "f" or not keeps_greys(case):
                yield replace(each, fix=true_division(case) or each.fix)


def _are_signed_bytes(split: Split) -> bool:
    """Bytes read as -128..127: reported under images.dtype, whose line puts the range right as well."""
    images, seen = split.images, split.survey
    return images is not None and images.dtype == "int8" and seen is not None and seen.low < 0


def _check_range(contract: Contract, split: Split, values: Values, train: Values) -> Iterator[Finding]:
    if values.whole and values.raw_low >= 0 and values.raw_high <= 1 and _greys_lost(split):
        yield GREYS_LOST.found(
            split.name,
            expected=_required(contract),
            received=_received(values) + ", only 0 and 1: the greys are lost",
            fix=f'Scale after the cast, from the raw pixels: {split.name}_images = raw.astype("float32") / 255',
        )
    elif not contract.scaling_is_known:
        return
    elif contract.convention in DOCUMENTED and not contract.scales_inside and _is_raw(values):
        yield _not_preprocessed(contract, split, values)
    elif contract.scales_inside and contract.input_range[1] > 1.5:
        found = _check_raw(contract, split, values)  # a normalization's epsilon keeps what was scaled twice small
        yield from (_less_grave(each) for each in found) if contract.normalizes_input else found
    elif contract.normalizes_input or (not contract.scales_inside and is_official(split, values)):
        return
    else:
        yield from _check_scaled(contract, split, values, train)


def _less_grave(finding: Finding) -> Finding:
    """Return an error as a warning: a normalization behind the scaling makes some of it good."""
    return replace(finding, severity="warning") if finding.severity == "error" else finding


def _greys_lost(split: Split) -> bool:
    seen, images = split.survey, split.images
    if seen is None or images is None or not images.size:
        return False
    channels = images.shape[-1] if images.ndim > 3 else 1
    return seen.mean < ONES_LEFT and images[0].size > MOST_CELLS * channels  # a board holds few ones, and has few cells


def _is_raw(values: Values) -> bool:
    return values.whole and values.raw_low >= 0 and 64 < values.raw_high <= 255


def _not_preprocessed(contract: Contract, split: Split, values: Values) -> Finding:
    """Raw pixels into a network of keras.applications that documents another range."""
    mode = str(contract.convention)
    expected, fix = DOCUMENTED[mode]
    return NOT_PREPROCESSED.found(
        split.name,
        expected=f"{expected}, as preprocess_input of this network (mode {mode}) makes of 0..255",
        received=f"{_received(values)}, whole numbers, into a network named and built as keras.applications does",
        fix=fix.format(name=f"{split.name}_images"),
    )


def _check_raw(contract: Contract, split: Split, values: Values) -> Iterator[Finding]:
    """The network has a Rescaling layer for 0..255."""
    low, high = contract.input_range
    name, span = f"{split.name}_images", high - low
    width, expected = (
        max(values.raw_high - values.raw_low, 1e-12),
        f"pixels {low:g}..{high:g}, which the network scales itself",
    )
    is_narrow = values.deviation < FLAT * abs(contract.pixel_scale) * span and width < NEAR_ONE_VALUE * span
    if width < NEAR_ONE_VALUE * FLAT * span or is_narrow:
        if has_levels((values.raw_low - low) / span, width / span):
            yield _low_contrast(split, values)
            return
        fix = f"{name} = {name} * 255  # or do not divide by 255, in every split"
        if values.raw_low < 0:
            fix = f"{name} = ({name} - {number(values.raw_low)}) * {255 / width:.6g}"
        seen = f"{values.low:.4g}..{values.high:.4g}"
        why = f"Scaled twice, the first weights see {seen}: all images look alike to them."
        yield SCALED_TWICE.found(split.name, expected=expected, received=_received(values), fix=fix, why=why)
    elif values.raw_low < low - UNIT_SLACK * span or values.raw_high > high + UNIT_SLACK * span:
        fix = back_to(name, values, 255)
        yield OUT_OF_RANGE.found(split.name, expected=expected, received=_received(values), fix=fix)


def _check_scaled(contract: Contract, split: Split, values: Values, train: Values) -> Iterator[Finding]:
    """The network takes pixels as they are."""
    name, required, received = f"{split.name}_images", _required(contract), _received(values)
    fix = back_to(name, values, 1)
    if values.rms > UNSCALED and values.raw_low >= 0 and values.whole and values.raw_high <= 255:
        received += ", never divided by 255"
        fix = _as_train(name, values, train) if split.name != "train" and is_standard(train) else _divided(name, split)
        yield NEVER_SCALED.found(split.name, expected=required, received=received, fix=fix)
    elif values.rms > UNSCALED:
        received += f", root mean square {values.rms:.3g}"
        yield OUT_OF_RANGE.found(split.name, expected=required, received=received, fix=fix, why=NEVER_SCALED.why)
    elif values.deviation < FLAT and has_levels(values.low, values.high - values.low):
        yield _low_contrast(split, values)
    elif values.deviation < FLAT and values.high - values.low < NEAR_ONE_VALUE:
        twice = values.raw_low >= 0 and values.raw_high < 0.05
        received += ", scaled twice" if twice else ", all pixels near one value"
        yield (SCALED_TWICE if twice else NEAR_ONE).found(split.name, expected=required, received=received, fix=fix)
    elif values.rms > LARGE:
        why = "Inputs several times larger than usual: training is unstable or slow."
        yield OUT_OF_RANGE.found(split.name, severity="note", expected=required, received=received, fix=fix, why=why)
    elif is_off_centre(split, values):
        words = f"mean {values.mean:.3g}, deviation {values.deviation:.3g}: those of other data were used"
        fix = f"{name} = ({name} - {number(train.mean)}) / {train.deviation:.6g}  # train's, in every split"
        expected = "standardized pixels: mean 0, deviation 1"
        yield OTHER_STATISTICS.found(split.name, expected=expected, received=f"{received}, {words}", fix=fix)


def _low_contrast(split: Split, values: Values) -> Finding:
    return LOW_CONTRAST.found(
        split.name,
        expected="pixels that use their range",
        received=f"{_received(values)}, all near one value: images of low contrast (heat, haze, X-rays)?",
        fix=f"Nothing if the camera sees it so; a Normalization layer adapted to {split.name}_images first helps.",
    )


def _divided(name: str, split: Split) -> str:
    """The division by 255; of integers, where the line under images.dtype divides as well, at most once."""
    whole = split.images is not None and split.images.dtype.kind in "iu"
    return f'{name} = {name}.astype("float32") / 255' + (f" if {name}.max() > 1 else {name}" if whole else "")


def _as_train(name: str, values: Values, train: Values) -> str:
    """The mean and deviation that train, of the same pixels, was standardized by."""
    deviation = (values.raw_high - values.raw_low) / (train.raw_high - train.raw_low)
    mean = values.raw_low - train.raw_low * deviation
    return f'{name} = ({name}.astype("float32") - {number(mean)}) / {deviation:.6g}  # as train was standardized'


def _required(contract: Contract) -> str:
    low, high = contract.input_range
    return f"pixels {low:g}..{high:g}" + ("" if contract.scales_inside else " (or standardized), scaled once")


def _received(values: Values) -> str:
    return f"{values.raw_low:.4g}..{values.raw_high:.4g}"
