"""Check of the masks that a network gives its attention: 1 stands for what is read, and not for padding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.evidence.live.own_code import all_layers
from deep_mnist.doctor.evidence.live.own_step import patched
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

PADDING = 0
FEWEST = 2  # rows that hold both padding and words
PLACE = 4  # of attention_mask among the arguments of MultiHeadAttention's call

MASK_INVERTED = Rule(
    code="M136",
    name="attention-mask-inverted",
    field="model.network",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="MultiHeadAttention is given a mask that is 1 exactly at the padding of the tokens and 0 at their words.",
    why="Keras reads where attention_mask is 1: attention sees the padding alone, and not one word.",
)


@check(MASK_INVERTED)
def check_attention_masks(case: Case) -> Iterator[Finding]:
    """Yield an attention_mask that marks what is to be left out."""
    if not can_be_tried(case) or case.call is None or case.call.step is not None:
        return
    if not any("Attention" in type(each).__name__ for each in all_layers(case.call.model)):
        return
    x = rows_of(case)[0]
    tokens = [each for each in sys.modules["tensorflow"].nest.flatten(x) if _are_tokens(each)]
    for layer, mask in _masks_of(case.call.model, x) if tokens else ():
        if any(_is_of_padding(mask, each) for each in tokens):
            yield MASK_INVERTED.found(
                expected="attention_mask 1 where there are words, and 0 where there is padding",
                received=f"1 at each token {PADDING} and 0 at all others, in {layer.name}",
                fix="Turn the mask round where it is made: tf.math.not_equal(tokens, 0) in the place of equal.",
            )
            return


def _are_tokens(rows: Any) -> bool:
    """Whether rows (n, steps) are whole numbers, some of which end or begin in padding."""
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "fiu":
        return False
    if not np.array_equal(rows, np.rint(rows)):
        return False
    padded = rows == PADDING
    return int((padded.any(axis=1) & ~padded.all(axis=1) & (padded[:, 0] != padded[:, -1])).sum()) >= FEWEST


def _masks_of(model: Any, x: Any) -> list[tuple[Any, np.ndarray]]:
    """Return the attention masks that a run of the network on some rows gives, with their layers."""
    tf, given = sys.modules["tensorflow"], list[tuple[Any, np.ndarray]]()

    def watch(own: Any) -> Any:
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            mask = kwargs.get("attention_mask", args[PLACE] if len(args) > PLACE else None)
            with suppress(TypeError, ValueError, NotImplementedError):  # of a symbol
                given.extend([(layer, np.asarray(mask))] if mask is not None else [])
            return own(layer, *args, **kwargs)

        return call

    attention = sys.modules["keras"].layers.MultiHeadAttention
    with unchanged(model), patched(attention, "__call__", watch), suppress(Exception):  # whatever fit would raise
        model(tf.nest.map_structure(tf.convert_to_tensor, x), training=False)
    return given


def _is_of_padding(mask: np.ndarray, tokens: np.ndarray) -> bool:
    """Whether a mask (n, …, steps) is the same for all queries, and true at the padding of each row alone."""
    if mask.ndim < 2 or mask.shape[0] != len(tokens) or mask.shape[-1] != tokens.shape[1]:
        return False
    rows = mask.reshape(len(tokens), -1, tokens.shape[1]).astype(bool)
    return bool((rows == (tokens == PADDING)[:, None]).all())
