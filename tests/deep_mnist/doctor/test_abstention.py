"""The doctor tells a fault of labels or splits only with proof, and says in a note what it could not judge."""

from __future__ import annotations

import numpy as np
import pytest

from bench.false_alarms import judged
from tests.support.doctor_cases import CaseFiles, digits, graver
from tests.support.keras_models import classifier


def clouds(count: int, seed: int) -> np.ndarray:
    """Smooth noise, float32 (n, 28, 28, 1) in 0..1: images without clusters, as far as pixels tell."""
    random = np.random.default_rng(seed)
    waves = np.fft.rfft2(random.standard_normal((count, 28, 28)))
    distance = np.hypot(np.fft.fftfreq(28)[:, None], np.fft.rfftfreq(28)[None]) + 0.02
    fields = np.fft.irfft2(waves / distance**1.5, (28, 28))
    low, high = (edge(fields, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    return ((fields - low) / (high - low))[..., None].astype(np.float32)


def of_clouds() -> CaseFiles:
    random = np.random.default_rng(7)
    return digits().with_arrays(
        train_images=clouds(400, 1),
        train_labels=random.integers(0, 10, 400),
        test_images=clouds(160, 2),
        test_labels=random.integers(0, 10, 160),
    )


def test_labels_that_nothing_can_be_learned_of_are_a_note(tmp_path):
    """No other split, no cluster speaks against the labels: a person is asked to look, the data stay fit."""
    diagnosis = of_clouds().judged(tmp_path)

    assert diagnosis.verdict == "fit" and graver(diagnosis) == []
    note = next(each for each in diagnosis.findings if each.field == "labels.alignment")
    assert "could not judge" in note.received and note.where


def test_shuffled_labels_of_both_splits_contradict_the_clusters(tmp_path):
    """Without any right label, the digits' own clusters are the witness."""
    random = np.random.default_rng(5)
    shuffled = digits().labels(lambda labels: labels[random.permutation(len(labels))])

    found = shuffled.judged(tmp_path).findings
    assert any(each.field == "labels.alignment" and each.severity == "error" for each in found)
    assert any("clusters of their own" in each.received for each in found)


def test_a_set_that_repeats_itself_is_not_taken_for_duplicates(tmp_path):
    """Every image three times with other noise, split at random: train's own images lie as close as test's."""
    random = np.random.default_rng(3)
    case = digits(200, 20)
    images = np.repeat(case.arrays["train_images"], 3, axis=0)
    images = np.clip(images + random.normal(0, 0.01, images.shape), 0, 1).astype(np.float32)
    labels, order = np.repeat(case.arrays["train_labels"], 3), random.permutation(600)
    case = case.with_arrays(
        train_images=images[order[:450]], train_labels=labels[order[:450]],
        test_images=images[order[450:]], test_labels=labels[order[450:]],
    )  # fmt: skip

    assert graver(case.judged(tmp_path)) == []


def test_ninety_nine_of_one_class_for_one_of_another_raise_nothing(tmp_path):
    """Rare examples may all lie in one split, and say nothing about the labels."""
    case = digits(400, 160)
    for split in ("train", "test"):
        labels = case.arrays[f"{split}_labels"]
        kept = np.concatenate(
            [np.flatnonzero(labels == 1), np.flatnonzero(labels == 7)[: 1 if split == "train" else 0]]
        )
        case = case.change(lambda array, kept=kept: array[kept], f"{split}_images", f"{split}_labels")
    case = (
        case.labels(lambda labels: (labels == 7).astype(np.int64))
        .with_net(classifier(units=2))
        .with_settings(num_classes=2)
    )

    assert graver(case.judged(tmp_path)) == []


@pytest.mark.parametrize("draw", range(6))
def test_a_class_that_is_a_colour_raises_nothing(draw):
    """Every pixel tells the class there: no shortcut, no duplicates, no seam."""
    assert [each for each in judged("colour is the class", draw)[1] if each.severity != "note"] == []
