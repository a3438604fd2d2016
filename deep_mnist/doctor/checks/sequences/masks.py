"""Checks of what a mask leaves out: the steps of padding, and those alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.checks.live.own_words import changed, data_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 2000  # sequences
SHARE = 0.2  # of them: fewer may be chance, or a word that is left out on purpose

NEVER_MATCHES = Rule(
    code="I158",
    name="mask-matches-no-step",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="A Masking layer looks for a value that no step has, while many sequences end in one and the same step.",
    why="Padding that was scaled is no longer what the mask looks for: it is read as data.",
)
MASKED_WORD = Rule(
    code="I159",
    name="masked-token-in-use",
    field="images.range",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="Token 0 stands among the words of many texts, and mask_zero=True leaves it out as padding.",
    why="The word that is number 0 is never read, wherever it stands.",
)


@check(NEVER_MATCHES)
def check_masking(case: Case) -> Iterator[Finding]:
    """Yield a Masking layer that meets no padding where there is some."""
    images = case.train.images
    layer = next((each for each in layers_of(case) if type(each).__name__ == "Masking"), None)
    if layer is None or images is None or images.ndim != 3 or images.dtype.kind != "f" or case.contract.inputs:
        return
    some = np.asarray(images[:LOOKED_AT])
    if (some == layer.mask_value).all(axis=2).any() or not (tail := _shared_tail(some)).any() or _scales(case):
        return
    step = [float(f"{each:.7g}") for each in some[tail][0, -1]]
    names = [name for name, each in case.splits.items() if each.images is not None]
    value = f"np.where(np.isclose({{0}}, {step}, rtol=1e-4).all(axis=-1, keepdims=True), {layer.mask_value}, {{0}})"
    lines = dict.fromkeys(changed(case, name, "images", value) for name in names)
    fix = "; ".join(lines) + "  # or scale before the sequences are padded"
    yield NEVER_MATCHES.found(
        "train",
        expected=f"padding of {layer.mask_value:g} in every feature, as the Masking layer looks for",
        received=f"no such step, while {tail.mean():.0%} of the sequences end in the step {step}",
        fix=fix if hasattr(data_of(case, "train"), "shape") else "Scale the steps before they are padded.",
        where=tuple(np.flatnonzero(tail)[:10].tolist()),
    )


def _scales(case: Case) -> bool:
    """Whether layers may make other values of the input in front of the mask."""
    return case.contract.scales_inside or case.contract.normalization is not None


def _shared_tail(sequences: np.ndarray) -> np.ndarray:
    """Return which sequences (n, steps, features) end in the commonest last step, twice at least; none if few do."""
    if sequences.shape[1] < 3:
        return np.zeros(len(sequences), bool)
    last = sequences[:, -1]
    steps, counts = np.unique(last, axis=0, return_counts=True)
    tail: np.ndarray = (sequences[:, -2:] == steps[counts.argmax()]).all(axis=(1, 2))
    varied = bool((sequences != steps[counts.argmax()]).any())
    return tail if SHARE < tail.mean() < 1 and varied else np.zeros(len(sequences), bool)


@check(MASKED_WORD)
def check_masked_word(case: Case) -> Iterator[Finding]:
    """Yield a token 0 between words, for an Embedding that takes it for padding."""
    images = case.train.images
    embeddings = [each for each in layers_of(case) if type(each).__name__ == "Embedding"]
    if len(embeddings) != 1 or not getattr(embeddings[0], "mask_zero", False):
        return
    if images is None or images.ndim != 2 or images.dtype.kind not in "iu" or case.contract.inputs:
        return
    some = np.asarray(images[:LOOKED_AT])
    alone = (some[:, 1:-1] == 0) & (some[:, :-2] != 0) & (some[:, 2:] != 0)
    among = alone.any(axis=1)
    if among.mean() > SHARE:
        yield MASKED_WORD.found(
            "train",
            expected="0 as padding alone, behind the words of a text or in front of them",
            received=f"a 0 between two other tokens in {among.mean():.0%} of the texts: a word of its own",
            fix="Number the words from 1, so that 0 is left for padding, and give the Embedding one row more.",
            where=tuple(np.flatnonzero(among)[:10].tolist()),
        )
