"""What is measured on one split: plain functions of probabilities and labels, finite Python numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np

from deep_mnist.html import image_uri

ROC_POINTS = 200
CALIBRATION_BINS = 15
GALLERY = 24
Z95 = 1.959963984540054


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[list[int]]:
    """Return counts by true class (rows) and predicted class (columns)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).tolist()


def wilson(correct: int, count: int) -> list[float]:
    """Return the 95 % Wilson interval of a share, 0..1; of nothing, all of it."""
    if not count:
        return [0.0, 1.0]
    share, square = correct / count, Z95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = Z95 / (1 + square / count) * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return [max(0.0, float(middle - spread)), min(1.0, float(middle + spread))]


def cross_entropy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood of the true class, in nats."""
    return float(-np.log(np.clip(predictions[np.arange(len(labels)), labels], 1e-12, 1.0)).mean())


def per_class(matrix: list[list[int]]) -> list[dict[str, Any]]:
    """Return each class's counts and shares; `accuracy`, its share of correct predictions, is also its recall."""
    counts = np.asarray(matrix)
    rows = []
    for label, row in enumerate(counts):
        correct, examples, claimed = int(row[label]), int(row.sum()), int(counts[:, label].sum())
        share = correct / examples if examples else 0.0
        rows.append(
            {
                "label": label,
                "examples": examples,
                "correct": correct,
                "accuracy": share,
                "interval": wilson(correct, examples),
                "precision": correct / claimed if claimed else 0.0,
                "recall": share,
            }
        )
    return rows


def roc(scores: np.ndarray, positive: np.ndarray, points: int = ROC_POINTS) -> dict[str, Any]:
    """Return one receiver operating characteristic, at most `points` points, all finite.

    Args:
        scores: float (n,), 0..1.
        positive: bool (n,).
    """
    order = np.argsort(-scores, kind="stable")
    ranked, true = scores[order], positive[order]
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True)) if len(ranked) else np.array([], int)
    tpr = np.concatenate([[0.0], np.cumsum(true)[ends] / max(1, int(true.sum()))])
    fpr = np.concatenate([[0.0], np.cumsum(~true)[ends] / max(1, int((~true).sum()))])
    thresholds = np.concatenate([[1.0], ranked[ends]])
    kept = _spread(fpr, tpr, points)
    return {
        "auc": float(np.trapezoid(tpr, fpr)),
        "fpr": np.round(fpr[kept], 6).tolist(),
        "tpr": np.round(tpr[kept], 6).tolist(),
        "thresholds": np.round(thresholds[kept], 6).tolist(),
    }


def _spread(fpr: np.ndarray, tpr: np.ndarray, points: int) -> np.ndarray:
    """Choose at most `points` indices, first and last among them, evenly along the curve's length."""
    if len(fpr) <= points:
        return np.arange(len(fpr))
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(fpr)) + np.abs(np.diff(tpr)))])
    places = np.linspace(0.0, length[-1], points - 1)
    chosen = np.searchsorted(length, places)
    return np.unique(np.append(chosen, len(fpr) - 1))[-points:]


def roc_curves(predictions: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    """Return one curve for each class, that class against the rest."""
    return [{"label": label, **roc(predictions[:, label], labels == label)} for label in range(predictions.shape[1])]


def micro_roc(predictions: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the curve of every (image, class) pair together."""
    return roc(predictions.reshape(-1), np.eye(predictions.shape[1], dtype=bool)[labels].reshape(-1))


def calibration(predictions: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the expected calibration error and the bins of confidence it is the mean over."""
    confidence, correct = predictions.max(axis=1), predictions.argmax(axis=1) == labels
    places = np.clip((confidence * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
    bins, error = [], 0.0
    for place in np.unique(places):
        chosen = places == place
        says, observed, count = float(confidence[chosen].mean()), float(correct[chosen].mean()), int(chosen.sum())
        error += count / len(labels) * abs(says - observed)
        low, high = place / CALIBRATION_BINS, (place + 1) / CALIBRATION_BINS
        bins.append(
            {"low": float(low), "high": float(high), "confidence": says, "accuracy": observed, "examples": count}
        )
    return {"ece": float(error), "bins": bins}


def confidence_quantiles(predictions: np.ndarray) -> list[float]:
    """Return the 0 %, 1 %, … 100 % quantiles of the greatest probability: what a server compares its own with."""
    return [round(float(each), 6) for each in np.quantile(predictions.max(axis=1), np.linspace(0, 1, 101))]


def worst_errors(predictions: np.ndarray, labels: np.ndarray, images: np.ndarray) -> list[dict[str, Any]]:
    """Return the wrong predictions made with the most confidence, each with its image as a data URI."""
    predicted, confidence = predictions.argmax(axis=1), predictions.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:GALLERY]
    return [
        {
            "index": int(index),
            "true": int(labels[index]),
            "predicted": int(predicted[index]),
            "confidence": float(confidence[index]),
            "image": image_uri(images[index]),
        }
        for index in chosen
    ]
