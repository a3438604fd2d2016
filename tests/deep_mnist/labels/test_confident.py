"""The ranking and the estimate, from probabilities that are known exactly."""

from __future__ import annotations

import numpy as np

from deep_mnist.labels.classifier import calibrated
from deep_mnist.labels.confident import rank


def sure_predictions(classes: np.ndarray, sure: float = 0.9) -> np.ndarray:
    """Return probabilities of a classifier that knows every class, float64 (n, 4)."""
    probabilities = np.full((len(classes), 4), (1 - sure) / 3)
    probabilities[np.arange(len(classes)), classes] = sure
    return probabilities


def test_the_changed_labels_are_the_suspects_and_the_estimate_counts_them() -> None:
    """A classifier that knows the classes accuses exactly the labels that were changed."""
    classes = np.arange(400) % 4
    given = classes.copy()
    given[[3, 50, 77, 200, 201]] = (given[[3, 50, 77, 200, 201]] + 1) % 4

    found = rank(sure_predictions(classes), given)

    assert sorted(found.suspects.tolist()) == [3, 50, 77, 200, 201]
    assert round(found.wrong) == 5
    assert found.interval[0] <= 5 <= found.interval[1]
    assert found.suggested[3] == classes[3]


def test_right_labels_of_a_classifier_that_is_often_unsure_are_not_accused() -> None:
    """Disagreement without confidence accuses nobody."""
    classes = np.arange(400) % 4
    probabilities = sure_predictions(classes, 0.95)
    probabilities[::20] = 0.25  # nothing is known of every 20th example
    probabilities[::20, 0] += 0.01
    probabilities[::20, 3] -= 0.01

    assert rank(probabilities, classes).suspects.size == 0


def test_labels_that_the_classifier_has_learned_to_doubt_are_found() -> None:
    """One in five of a class is called another: the classifier learns it, and is four to one at its surest."""
    classes = np.arange(1000) % 4
    given = np.where((classes == 0) & (np.arange(1000) % 5 == 0), 1, classes)
    probabilities = sure_predictions(classes, 0.97)
    probabilities[classes == 0] = [0.79, 0.19, 0.01, 0.01]

    found = rank(probabilities, given)

    assert sorted(found.suspects.tolist()) == np.flatnonzero(given != classes).tolist()


def test_a_classifier_that_confuses_two_classes_accuses_no_more_than_it_is_sure_of() -> None:
    """Some of a class look like another, the rest are told apart surely: no odds are learned, tenfold stays."""
    classes = np.arange(1000) % 4
    probabilities = sure_predictions(classes, 0.97)
    probabilities[(classes == 1) & (np.arange(1000) % 5 == 0)] = [0.8, 0.18, 0.01, 0.01]

    assert rank(probabilities, classes).suspects.size == 0


def test_a_class_of_few_examples_is_not_judged() -> None:
    """Nine examples of a class are too few to call one of their labels wrong."""
    classes = np.r_[np.arange(300) % 3, np.full(9, 3)]
    probabilities = sure_predictions(np.r_[classes[:300], np.zeros(9, np.int64)])

    found = rank(probabilities, classes)

    assert not found.classes[3].judged
    assert found.suspects.size == 0


def test_a_class_that_the_classifier_does_not_know_is_not_judged() -> None:
    """Where its own label is improbable on average, a contradiction says nothing of the label."""
    classes = np.arange(400) % 4
    seen = np.where(classes == 2, np.where(np.arange(400) % 3, 1, 2), classes)

    found = rank(sure_predictions(seen), classes)

    assert [each.judged for each in found.classes] == [True, True, False, True]
    assert not (classes[found.suspects] == 2).any()


def test_scores_become_probabilities_as_sharp_as_the_labels_say() -> None:
    """Scores that are always right become sure, and those that are right half of the time do not."""
    random = np.random.default_rng(0)
    given = random.integers(0, 4, 2000)
    scores = np.eye(4)[given]
    half = np.eye(4)[np.where(random.random(2000) < 0.5, given, random.integers(0, 4, 2000))]

    assert calibrated(scores, given).max() > 0.99
    assert 0.5 < calibrated(half, given).max() < 0.75
