"""Checks of what a data pipeline makes of images: ImageDataGenerator's and tf.data's random maps, on a small sample."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_stages import MapStage, random_maps
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.evidence.live.spread import drowned, loss_between, spread_of
from deep_mnist.doctor.evidence.sampling import sample_indices
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

SAMPLE = 16  # images sent through
RATIO = 1.6  # of the ranges of two generators
BRIGHTNESS = ("random_brightness", "adjust_brightness", "stateless_random_brightness")
GENERATOR = "ImageDataGenerator"
FLAT = 0.02  # deviation of all values; images of 0..1 have 0.2 to 0.3
SCALED = 10.0  # root mean square: -1..1 and standardized pixels stay below 1.5, pixels of 0..255 have some 100
SHRINKS = 1 / 32  # a rescale below it is meant for 0..255
CENTERED = -64.0  # lower than this are pixels of 0..255 less their means, as preprocess_input of mode caffe leaves them

MAP_FLATTENS = Rule(
    code="D041",
    name="random-map-drowns-images",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A random map() of the dataset leaves little of the images: an amount meant for another range of values.",
    why="The network trains on flat or bleached images and is judged on whole ones: validation stays at chance.",
)
GENERATOR_FLATTENS = Rule(
    code="D042",
    name="image-generator-flattens",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="An ImageDataGenerator leaves little of the images: brightness_range is a factor, of which 1 leaves all.",
    why="The network trains on nearly black images and is judged on whole ones: validation stays at chance.",
)
GENERATORS_DIFFER = Rule(
    code="D043",
    name="image-generators-scale-differently",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The ImageDataGenerators of train and validation scale one and the same image differently.",
    follows=(Follows(rules=("D061",), on=On.ANY_SPLIT),),
    why="Training looks fine and the validation score is chance: the network never saw such pixels.",
)
RESCALED_BEHIND = Rule(
    code="D044",
    name="rescale-behind-preprocessing",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="An ImageDataGenerator's rescale, applied last, divides what its preprocessing_function scaled.",
    why="The network sees a 255th of its range: images look alike to it, and published weights say nothing.",
)


@check(MAP_FLATTENS, GENERATOR_FLATTENS, GENERATORS_DIFFER, RESCALED_BEHIND)
def check_pipelines(case: Case) -> Iterator[Finding]:
    """Yield at most one finding on what happens to images before fit receives them."""
    call = case.call
    if call is None:
        return
    train = getattr(call.x, "image_data_generator", None)
    if train is not None:
        behind = [*_rescaled_behind(case)]
        yield from behind or _of_generators(case, train, getattr(call.held_out, "image_data_generator", None))
        return
    for stage in random_maps(call.x, SAMPLE):
        if finding := _of_map(case, stage):
            yield finding
            return


# --- ImageDataGenerator -----------------------------------------------------------------------------


def _of_generators(case: Case, train: Any, test: Any) -> Iterator[Finding]:
    raw = _raw(case.call.x if case.call is not None else None)
    if raw is None:
        return
    try:
        with unchanged_random_states():
            plain = np.stack([train.standardize(each.copy()) for each in raw])
            altered = np.stack([train.standardize(train.random_transform(each.copy())) for each in raw])
            tested = np.stack([test.standardize(each.copy()) for each in raw]) if test is not None else None
    except Exception:  # a preprocessing_function of the user's own may raise anything
        return
    before, after = spread_of(plain), spread_of(altered)
    if before is None or after is None:
        return
    if words := loss_between(before, after):
        yield _generator_flattens(case, train, words)
    elif tested is not None and (other := spread_of(tested)) is not None:
        ours, theirs = before.high - before.low, other.high - other.low
        if ours > 0 and theirs > 0 and max(ours / theirs, theirs / ours) > RATIO:
            yield _generators_differ(case, train, test, (before.low, before.high), (other.low, other.high))


def _raw(data: Any) -> np.ndarray | None:
    """Return some images as they are before the generator, float32 (n, rows, columns, channels)."""
    held = getattr(data, "x", None)
    if isinstance(held, np.ndarray) and held.ndim == 4 and len(held):
        chosen: np.ndarray = held[sample_indices(len(held), SAMPLE)].astype(np.float32)
        return chosen
    paths = getattr(data, "filepaths", None)
    if not isinstance(paths, list | np.ndarray) or not len(paths):
        return None
    import keras

    try:
        chosen_paths = [paths[int(index)] for index in sample_indices(len(paths), SAMPLE)]
        size, mode = data.target_size, data.color_mode
        loaded = [keras.utils.load_img(each, color_mode=mode, target_size=size) for each in chosen_paths]
        return np.stack([keras.utils.img_to_array(each) for each in loaded]).astype(np.float32)
    except Exception:  # an unreadable file stops fit itself
        return None


def _generator_flattens(case: Case, generator: Any, words: str) -> Finding:
    stated = getattr(generator, "brightness_range", None)
    fix, received = "Make the ImageDataGenerator's ranges smaller until images stay recognizable.", words
    expected = "augmentation that leaves images recognizable"
    if stated is not None and len(stated) == 2 and float(stated[0]) < 0.5:
        low, high = (float(each) for each in stated)
        right = (1 + low, 1 + high) if low < 0 < high < 1 else (0.8, 1.2)
        expected = f"brightness_range as factors around 1, such as [{right[0]:g}, {right[1]:g}]"
        received = f"brightness_range [{low:g}, {high:g}], where 0 is black and 1 leaves the image as it is: {words}"
        fix = _of_generator_call(case, generator, brightness_range=f"[{right[0]:g}, {right[1]:g}]") or fix
    return GENERATOR_FLATTENS.found("train", expected=expected, received=received, fix=fix)


def _generators_differ(
    case: Case, train: Any, test: Any, ours: tuple[float, float], theirs: tuple[float, float]
) -> Finding:
    fix = "Give both ImageDataGenerators the same rescale and preprocessing_function."
    raw_train = ours[1] > 1.5 >= theirs[1] and not case.contract.scales_inside
    split, wrong, right = ("train", train, test) if raw_train else ("test", test, train)
    if (getattr(wrong, "rescale", None) or 1) != (getattr(right, "rescale", None) or 1):
        fix = _of_generator_call(case, wrong, rescale=_rescale_text(case, right)) or fix
    seen = {"train": f"{ours[0]:.4g}..{ours[1]:.4g}", "test": f"{theirs[0]:.4g}..{theirs[1]:.4g}"}
    return GENERATORS_DIFFER.found(
        split,
        expected=f"the same values for one image from both generators, {seen['test' if raw_train else 'train']}",
        received=seen[split],
        fix=fix,
    )


def _rescale_text(case: Case, generator: Any) -> str:
    call = _generator_call(case, generator)
    stated = keyword_of(call, "rescale") if call is not None else None
    return ast.unparse(stated) if stated is not None else repr(getattr(generator, "rescale", None))


def _rescaled_behind(case: Case) -> Iterator[Finding]:
    """Yield a finding for each split whose generator divides by 255 what its own function has scaled before."""
    call, told = case.call, set[int]()
    for split, data in (("train", call.x), ("test", call.held_out)) if call is not None else ():
        generator = getattr(data, "image_data_generator", None)
        if generator is None or id(generator) in told or not _may_rescale_twice(case, generator):
            continue
        told.add(id(generator))
        raw = _raw(data)
        try:
            made = np.stack([generator.preprocessing_function(each.copy()) for each in raw]) if raw is not None else raw
        except Exception:  # a preprocessing_function of the user's own may raise anything
            continue
        if made is not None and np.isfinite(made).all() and (severity := _when_divided(case, made, generator.rescale)):
            line, number = without_rescale(case, data) or ("Leave rescale out of this ImageDataGenerator.", None)
            low, high = float(made.min()), float(made.max())
            found = RESCALED_BEHIND.found(
                split,
                severity=severity,
                expected=f"{low:.4g}..{high:.4g}, as preprocessing_function makes them",
                received=f"{low * generator.rescale:.2g}..{high * generator.rescale:.2g}: rescale is applied behind it",
                fix=line,
            )
            yield replace(found, line=number)


def _may_rescale_twice(case: Case, generator: Any) -> bool:
    """Whether a generator has a function and a small factor, and nothing behind them makes any range good."""
    standardizes = generator.samplewise_std_normalization or generator.featurewise_std_normalization
    scales = case.contract.scales_inside or standardizes
    return bool(generator.preprocessing_function) and 0 < (generator.rescale or 1) < SHRINKS and not scales


def _when_divided(case: Case, made: np.ndarray, factor: float) -> str:
    """Return how grave it is to multiply what a function made of images by a small factor, "" where it is right."""
    deviation, size = float(made.std()), float(np.sqrt(np.mean(np.square(made, dtype=np.float64))))
    if size < SCALED and deviation * factor < FLAT <= deviation:
        return "warning" if case.contract.normalizes_input and not case.contract.convention else "error"
    return "warning" if case.contract.convention == "caffe" and size > SCALED and made.min() < CENTERED else ""


def _generator_call(case: Case, generator: Any) -> ast.Call | None:
    """Return the call that made a generator: by the name that it was given, else the only one."""
    if case.frame is None:
        return None
    text = ProgramText(case.frame)
    calls = text.calls(GENERATOR)
    name = text.name_of(generator)
    for call in calls:
        statement = text.statement_of(call)
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return call
    return calls[0] if len(calls) == 1 else None


def without_rescale(case: Case, data: Any) -> tuple[str, int] | None:
    """Return the line of an ImageDataGenerator that scales, without its rescale, and the line's number."""
    generator = getattr(data, "image_data_generator", None)
    call = _generator_call(case, generator) if getattr(generator, "rescale", None) else None
    if call is None or case.frame is None or keyword_of(call, "rescale") is None:
        return None
    text = ProgramText(case.frame)
    found = next((each for each in text.calls(GENERATOR) if each.lineno == call.lineno), call)
    kept = [each for each in found.keywords if each.arg != "rescale"]
    line = text.with_expression(found, ast.Call(found.func, found.args, kept))
    return (line, found.lineno) if line else None


def _of_generator_call(case: Case, generator: Any, **keywords: str) -> str:
    call = _generator_call(case, generator)
    if call is None or case.frame is None:
        return ""
    text = ProgramText(case.frame)
    found = next((each for each in text.calls(GENERATOR) if each.lineno == call.lineno), call)
    return text.rewritten(found, (), **{name: ast.parse(each, mode="eval").body for name, each in keywords.items()})


# --- tf.data ---------------------------------------------------------------------------------------


def _of_map(case: Case, stage: MapStage) -> Finding | None:
    before, after = spread_of(stage.before), spread_of(stage.after)
    if before is None or after is None:
        return None
    words = drowned(before, after)
    if not words:
        return None
    return MAP_FLATTENS.found(
        "train",
        expected="a random map() that leaves images recognizable",
        received=f"{before.low:.4g}..{before.high:.4g} become {after.low:.4g}..{after.high:.4g}: {words}",
        fix=_smaller_amount(case, stage) or "Choose the amount of brightness in the range that the values have there.",
    )


def _smaller_amount(case: Case, stage: MapStage) -> str:
    """Return the statement that changes brightness, by an amount for 0..1 in the place of one for 0..255."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame, stage.file)
    for call in text.calls(*BRIGHTNESS):
        amount = keyword_of(call, "max_delta") or keyword_of(call, "delta")
        name = "delta" if called(call) == "adjust_brightness" else "max_delta"
        again = _by_255(amount if amount is not None else call.args[1] if len(call.args) > 1 else None)
        if again is None:
            continue
        if amount is not None:
            return text.rewritten(call, (), **{name: again})
        return text.rewritten(call, [call.args[0], again])
    return ""


def _by_255(amount: ast.expr | None) -> ast.expr | None:
    if isinstance(amount, ast.Constant) and isinstance(amount.value, int | float) and abs(amount.value) > 1:
        return ast.parse(f"{amount.value} / 255", mode="eval").body
    return None
