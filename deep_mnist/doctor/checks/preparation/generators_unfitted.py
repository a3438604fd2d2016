"""Check for an ImageDataGenerator that is to use means, deviations or components that it was never given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MEASURED = {
    "featurewise_center": "mean",
    "featurewise_std_normalization": "std",
    "zca_whitening": "zca_whitening_matrix",
}
MOST_BATCHES = 20  # that are measured where the images lie in files

UNFITTED = Rule(
    code="D061",
    name="image-generator-not-fitted",
    field="images.range",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="An ImageDataGenerator is to normalize by statistics of the images, and its fit() was never called.",
    why="Keras warns at each batch and leaves the images as they are: nothing is centered, divided or whitened.",
)


@check(UNFITTED)
def check_unfitted(case: Case) -> Iterator[Finding]:
    """Yield a finding for each split whose generator lacks what it is to use."""
    call, told = case.call, set[int]()
    if call is None or case.frame is None:
        return
    text = ProgramText(case.frame)
    sides = {"train": call.x, "test": call.held_out}
    one_sided = any(_has_measured(getattr(each, "image_data_generator", None)) for each in sides.values())
    for split, data in sides.items():
        generator = getattr(data, "image_data_generator", None)
        asked = [name for name in MEASURED if _lacks(generator, name)]
        if not asked or id(generator) in told:
            continue
        told.add(id(generator))
        yield UNFITTED.found(
            split,
            severity="error" if one_sided else "",
            expected="a generator that has seen training images: fit() before the first batch",
            received=f"{', '.join(f'{name}=True' for name in asked)}, and no {MEASURED[asked[0]]}: images as they were",
            fix=_fitted(text, generator, call.x),
        )


def _lacks(generator: Any, name: str) -> bool:
    """Whether a generator is to use what fit() would have measured."""
    held = MEASURED[name]
    return bool(getattr(generator, name, False)) and getattr(generator, held, generator) is None


def _has_measured(generator: Any) -> bool:
    return any(getattr(generator, name, False) and not _lacks(generator, name) for name in MEASURED)


def _fitted(text: ProgramText, generator: Any, train: Any) -> str:
    """Return the line that measures training images; fit() applies rescale to them, and no preprocessing_function."""
    name, batches = text.name_of(generator), text.name_of(train)
    if name is None:
        return "Call fit() of the generator with the training images, before its first batch."
    source = getattr(train, "image_data_generator", None)
    images = _images_given(text, source) if source is not None else ""
    if images and not generator.preprocessing_function:
        return f"{name}.fit({images})  # before fit"
    if batches is None or not hasattr(train, "__len__") or source is not generator:
        return f"Call {name}.fit(images) with training images, as its preprocessing_function makes them, before fit."
    some = f"[{batches}[each][0] for each in range(min(len({batches}), {MOST_BATCHES}))]"
    scale = f" / {name}.rescale" if getattr(generator, "rescale", None) else ""
    return f"import numpy as np; {name}.fit(np.concatenate({some}){scale})  # before fit"


def _images_given(text: ProgramText, generator: Any) -> str:
    """Return what the flow() of a generator was given as images, "" where it is not one name or slice."""
    given = [
        argument_of(each, 0, "x")
        for each in text.calls("flow")
        if isinstance(each.func, ast.Attribute) and text.value_of(each.func.value) is generator
    ]
    plain = [each for each in given if isinstance(each, ast.Name | ast.Subscript)]
    return ast.unparse(plain[0]) if len(plain) == len(given) >= 1 else ""
