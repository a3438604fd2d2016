"""Check of examples of which a mask leaves no step: the mean of none is 0 / 0."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.evidence.live.first_layers import way_of
from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.evidence.live.text_inputs import takes_text
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 4096  # examples
TRIED = 4  # of either kind
MEAN = "GlobalAveragePooling1D"

NOTHING_LEFT = Rule(
    code="I250",
    name="examples-of-padding-alone",
    field="images.finite",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="The mask leaves no step of some examples, for which the network answers NaN.",
    why="GlobalAveragePooling1D divides 0 by 0; one such example makes the loss, and all weights after it, NaN.",
)


@check(NOTHING_LEFT)
def check_padding_alone(case: Case) -> Iterator[Finding]:
    """Yield train's examples that are padding alone, where the network itself gives NaN for them, and for no others."""
    call, images = case.call, case.train.images
    if call is None or images is None or not images.ndim or call.verb != "fit" or case.contract.inputs:
        return
    model, some = call.model, np.asarray(images[:LOOKED_AT])
    layers = layers_of(case)
    masking = [each for each in layers if getattr(each, "mask_zero", False) or hasattr(each, "mask_value")]
    if (
        not masking
        or not any(type(each).__name__ == MEAN for each in layers)
        or not getattr(model, "outputs", None)
        or not is_small(model)
    ):
        return
    empty = _left_out(model, some, masking[0])
    if empty is None or not empty.any() or empty.all() or not _fails(model, some, empty):
        return
    embedding = masking[0] if getattr(masking[0], "mask_zero", False) else None
    kind = "texts without a word that is known" if takes_text(model) else "sequences of padding alone"
    yield NOTHING_LEFT.found(
        "train",
        expected="a step that the mask leaves in every example",
        received=f"{int(empty.sum())} {kind}: the network answers NaN",
        fix=_mended(case, embedding) or "Leave out the examples that are padding alone, or do not mask.",
        where=tuple(np.flatnonzero(empty)[:10].tolist()),
    )


def _left_out(model: Any, examples: np.ndarray, masking: Any) -> np.ndarray | None:
    """Return which examples (n,) hold nothing but what a layer masks, None where what it reads is not known."""
    if hasattr(masking, "mask_value"):
        steps = examples if examples.ndim == 3 and examples.dtype.kind in "fiu" else None
        return None if steps is None else np.asarray((steps == masking.mask_value).all(axis=(1, 2)))
    way = way_of(model, examples)
    if way.last is None or way.reader != "Embedding" or way.last.ndim != 2:
        return None
    return np.asarray((way.last == 0).all(axis=1))


def _fails(model: Any, examples: np.ndarray, empty: np.ndarray) -> bool:
    """Whether the network gives NaN for examples of padding alone, and numbers for others."""
    import keras

    with unchanged(model):
        try:
            parts = [examples[np.flatnonzero(each)[:TRIED]] for each in (empty, ~empty)]
            nothing, rest = (np.asarray(model(keras.ops.convert_to_tensor(each), training=False)) for each in parts)
        except Exception:  # a layer of the user's own, another backend
            return False
    return bool(np.isnan(nothing).any() and np.isfinite(rest).all())


def _mended(case: Case, embedding: Any) -> str:
    """Return the line that leaves the examples out, or makes an Embedding that masks nothing; "" where none can."""
    call = case.call
    if call is None or embedding is None or case.frame is None:
        return ""
    if isinstance(call.x, np.ndarray) and isinstance(call.y, np.ndarray) and call.x.dtype != object:
        kept = f"kept = (train_images != 0).any(axis={tuple(range(1, call.x.ndim))})"
        return f"{kept}; train_images, train_labels = train_images[kept], train_labels[kept]"
    text = ProgramText(case.frame)
    made = [each for each in text.calls("Embedding") if keyword_of(each, "mask_zero") is not None]
    return text.rewritten(made[0], mask_zero=ast.Constant(False)) if len(made) == 1 else ""
