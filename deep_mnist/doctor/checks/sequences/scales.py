"""Checks of the scale of sequences: what a recurrent layer or a convolution meets first, without any normalization."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.inputs.columns import too_little
from deep_mnist.doctor.checks.live.own_words import changed, data_of
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.input_kind import InputKind
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import SEQUENCES, Follows, Need, Rule, Scope, check

SAMPLE = 500  # sequences looked at
HUGE = 1000.0  # root mean square; prices of a share have 10 to 500, raw audio of 16 bits 3000 and more
HOPELESS = 1e5  # beyond it no optimizer brings the first outputs back
MOST_FEATURES = 16  # whose numbers a line may hold

FAR_TOO_LARGE = Rule(
    code="I155",
    name="sequences-far-too-large",
    field="images.range",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    inputs=SEQUENCES,
    summary="A feature of the sequences is thousands in size where the first weights read it, and nothing scales it.",
    why="Gates saturate, or activations and gradients start thousands of times too large: the loss is huge, or NaN.",
    follows=(Follows(fields=("images.dtype", "images.rank", "images.finite"), least="error"),),
)
TOO_SMALL = Rule(
    code="I169",
    name="sequences-too-small-to-tell-apart",
    field="images.range",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    inputs=SEQUENCES,
    summary="The numbers of sequences differ by a thousandth and less, as returns of a minute do, and nothing scales "
    "them.",
    why="To the first layer all sequences are nearly one and the same: the network predicts the mean, or one class.",
)


@check(FAR_TOO_LARGE, TOO_SMALL)
def check_sequence_scale(case: Case, split: Split) -> Iterator[Finding]:
    """Yield sequences whose largest feature is far beyond what first weights are made for, or all of which are tiny."""
    contract, train = case.contract, _sample(case.train)
    known = contract.scaling_is_known and not contract.normalizes_input and contract.normalization is None
    if not known or contract.vocabulary is not None or train is None or (own := _sample(split)) is None:
        return
    if split.name == "train" and case.input_kind is InputKind.SEQUENCES:
        if spread := too_little(case, own.reshape(-1, own.shape[2]) * abs(contract.pixel_scale)):
            yield TOO_SMALL.found(
                "train",
                expected="sequences that deviate by about 1, or a Normalization layer first",
                received=f"a deviation of {spread:.2g}" + (" of all features together" if own.shape[2] > 1 else ""),
                fix=_standardized(case, split, train),
            )
    sizes = _sizes(own) * abs(contract.pixel_scale)
    largest = int(sizes.argmax())
    if (
        sizes[largest] < HUGE
        or own.shape[2] != train.shape[2]
        or _sizes(train).max() * abs(contract.pixel_scale) < HUGE
    ):
        return
    plain = contract.optimizer.get("name") == "sgd" and not contract.optimizer.get("clipped")
    yield FAR_TOO_LARGE.found(
        split.name,
        severity="error" if plain or sizes[largest] >= HOPELESS else "warning",
        expected="sequences of about -3..3, or a Normalization layer first",
        received=f"feature {largest} of size {sizes[largest]:.3g} (root mean square)",
        fix=_standardized(case, split, train),
        where=(largest,),
    )


def _sample(split: Split) -> np.ndarray | None:
    """Return some sequences as float64 (n, steps, features), None where they are none of finite numbers."""
    images = split.images
    if images is None or images.dtype.kind not in REAL_KINDS or images.ndim != 3 or not images.size:
        return None
    some = take(images, sample_indices(len(images), SAMPLE)).astype(np.float64)
    return some if np.isfinite(some).all() else None


def _sizes(sequences: np.ndarray) -> np.ndarray:
    """Return each feature's root mean square, without its commonest value: that of padding."""
    columns = sequences.reshape(-1, sequences.shape[2]).T
    return np.array([_size(each) for each in columns])


def _size(values: np.ndarray) -> float:
    found, counts = np.unique(values, return_counts=True)
    kept = values[values != found[counts.argmax()]]
    return float(np.sqrt(np.square(kept).mean())) if len(kept) else 0.0


def _standardized(case: Case, split: Split, train: np.ndarray) -> str:
    """Return the line that standardizes each feature of a split by train's numbers."""
    rows = train.reshape(-1, train.shape[2])
    means, deviations = (np.array([float(f"{each:.6g}") for each in part]) for part in (rows.mean(0), rows.std(0)))
    if len(means) > MOST_FEATURES:
        return "Standardize each feature by train's mean and deviation over all sequences and steps, in every split."
    deviations[deviations == 0] = 1.0
    plain = len(means) == 1
    mean, deviation = (each[0] if plain else each.tolist() for each in (means, deviations))
    whole = split.images is not None and split.images.dtype.kind != "f" and is_dataset(data_of(case, split.name))
    given = f'{alias_of(case.frame, "tensorflow", "tf")[0]}.cast({{}}, "float32")' if whole else "{}"
    return f"{changed(case, split.name, 'images', f'({given} - {mean}) / {deviation}')}  # train's, in every split"
