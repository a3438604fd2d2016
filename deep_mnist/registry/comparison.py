"""Two models on the same images: which of them is correct where the other is not, and whether that is luck."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_correct(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return bool (n,): where the most probable class is the true one.

    Args:
        predictions: float (n, classes), any monotonic score.
        labels: int (n,), 0..classes-1.

    >>> is_correct(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])).tolist()
    [True, False]
    """
    found: np.ndarray = predictions.argmax(axis=1) == labels
    return found


def class_accuracies(correct: np.ndarray, labels: np.ndarray, classes: int) -> list[float | None]:
    """Return each class's share of correct predictions, 0..1; None for a class without examples.

    >>> class_accuracies(np.array([True, False, True]), np.array([0, 0, 2]), classes=3)
    [0.5, None, 1.0]
    """
    return [float(correct[labels == label].mean()) if (labels == label).any() else None for label in range(classes)]


def mcnemar(correct: np.ndarray, other: np.ndarray, confidence: float) -> dict[str, Any]:
    """Compare two models on the same images by McNemar's exact test.

    Args:
        correct: bool (n,), where the new model is correct.
        other: bool (n,), where the champion is correct.
        confidence: 1 minus the significance level of the one-sided test for a loss.

    >>> new, champion = np.arange(100) >= 20, np.arange(100) >= 5  # correct on 80 and 95 of 100 images
    >>> result = mcnemar(new, champion, confidence=0.95)
    >>> result["only_champion_correct"], result["difference"], result["significant_loss"]
    (15, -0.15, True)
    """
    from scipy.stats import binomtest, norm

    gained, lost = int(np.count_nonzero(correct & ~other)), int(np.count_nonzero(other & ~correct))
    discordant, count = gained + lost, len(correct)
    p_loss = float(binomtest(lost, discordant, 0.5, alternative="greater").pvalue) if discordant else 1.0
    p_value = float(binomtest(lost, discordant, 0.5).pvalue) if discordant else 1.0
    difference = (gained - lost) / count if count else 0.0
    spread = (
        float(norm.ppf(0.5 + confidence / 2)) * np.sqrt(max(discordant - (gained - lost) ** 2 / count, 0.0)) / count
    )
    return {
        "only_new_correct": gained,
        "only_champion_correct": lost,
        "difference": difference,
        "interval": [float(difference - spread), float(difference + spread)],
        "p_value": p_value,
        "p_loss": p_loss,
        "confidence": confidence,
        "significant_loss": p_loss < 1 - confidence,
    }


def classes_lost(correct: np.ndarray, other: np.ndarray, labels: np.ndarray, confidence: float) -> list[int]:
    """Return the classes in which the new model lost significantly, by Holm's step-down correction.

    >>> labels = np.repeat([0, 1], 50)
    >>> new, champion = np.tile(np.arange(50) >= 20, 2), np.ones(100, bool)
    >>> new[labels == 0] = True
    >>> classes_lost(new, champion, labels, confidence=0.95)
    [1]
    """
    present = [int(label) for label in np.unique(labels)]
    tests = {
        label: mcnemar(correct[labels == label], other[labels == label], confidence)["p_loss"] for label in present
    }
    lost = []
    for rank, label in enumerate(sorted(tests, key=lambda each: tests[each])):
        if tests[label] >= (1 - confidence) / (len(tests) - rank):
            break
        lost.append(label)
    return sorted(lost)
