"""A cheap classifier's out-of-fold predictions, without TensorFlow: kernel ridge regression on landmarks.

The sums over a fold are subtracted from the sums over all, so five folds cost little more than one fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.probe.classifier import as_images
from deep_mnist.doctor.probe.features import MOST_SIDE, blocks_of, distances, to_side

LANDMARKS = 2500  # examples that all are compared with; twice as many take four times as long
WIDTH = 2.0  # of the Gaussians: the factor of squared distances over their median
RIDGES = (0.1, 0.3, 1.0)  # below, float32 sums are too rough
CHUNK = 4096  # examples at a time
MEDIAN_OF = 500  # landmarks


def features_of(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return blocks of features, each float32 (n, k): of images what the doctor's probe sees, of rows themselves.

    Args:
        images: Any real dtype; (n, r, c), (n, r, c, channels), (n, channels, r, c), (n, r * c) or rows (n, columns).
    """
    if as_images(images[:1], Contract()) is None:
        rows = images.reshape(len(images), -1).astype(np.float32)
        return ((rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6),)
    reduced = np.concatenate([_reduced(images[at : at + CHUNK]) for at in range(0, len(images), CHUNK)])
    found = blocks_of(reduced, float(reduced.mean()), float(reduced.std()))
    return (found.pixels, found.edges, found.tones) if reduced.shape[3] > 1 else (found.pixels, found.edges)


def _reduced(images: np.ndarray) -> np.ndarray:
    values = as_images(images, Contract())
    if values is None:
        raise ValueError(f"Expected images. Received: an array of shape {images.shape}. Fix: Give (n, rows, columns).")
    return to_side(values, MOST_SIDE)


def predict_folds(features: tuple[np.ndarray, ...], given: np.ndarray, fold: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return float32 (n, classes): each example's probabilities by a classifier that never saw its fold.

    Args:
        features: Of `features_of`.
        given: Integers (n,) in 0..classes-1, the labels.
        fold: int64 (n,) of `fold_of`; examples of fold -1 are learned and never predicted.
        seed: Of the draw of landmarks.
    """
    count, classes = len(given), int(given.max()) + 1
    landmarks = np.sort(np.random.default_rng(seed).choice(count, min(LANDMARKS, count), replace=False))
    kernel = _kernel(features, landmarks)
    targets = np.eye(classes, dtype=np.float32)[given]
    folds = int(fold.max()) + 1
    sums = [_sums(kernel, targets, fold == each) for each in range(folds)]
    learned = [*sums, *([_sums(kernel, targets, fold < 0)] if (fold < 0).any() else ())]
    gram, products = sum(each[0] for each in learned), sum(each[1] for each in learned)
    among = kernel[landmarks].astype(np.float64)
    scores = np.zeros((len(RIDGES), count, classes), np.float32)
    for number, (own_gram, own_products) in enumerate(sums):
        for place, weights in enumerate(_weights(gram - own_gram, products - own_products, among)):
            at = np.flatnonzero(fold == number)
            scores[place, at] = kernel[at] @ weights
    told = fold >= 0
    found = min((calibrated(each[told], given[told]) for each in scores), key=lambda each: log_loss(each, given[told]))
    whole = np.zeros((count, classes), np.float32)
    whole[told] = found
    return whole


def _kernel(features: tuple[np.ndarray, ...], landmarks: np.ndarray) -> np.ndarray:
    """Return float32 (n, landmarks): the similarity of every example to the landmarks, the mean of the blocks'."""
    kernel = np.zeros((len(features[0]), len(landmarks)), np.float32)
    for block in features:
        chosen = block[landmarks]
        scale = -WIDTH / (float(np.median(distances(chosen[:MEDIAN_OF], chosen))) or 1.0)
        for part in _parts(len(kernel)):
            squares = distances(block[part], chosen)
            squares *= scale
            kernel[part] += np.exp(squares, out=squares)
    kernel /= len(features)
    return kernel


def _parts(count: int) -> Iterator[slice]:
    return (slice(at, at + CHUNK) for at in range(0, count, CHUNK))


def _sums(kernel: np.ndarray, targets: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, wanted = kernel[chosen], targets[chosen]
    return rows.T @ rows, rows.T @ (wanted - 1 / wanted.shape[1])


def _weights(gram: np.ndarray, products: np.ndarray, among: np.ndarray) -> Iterator[np.ndarray]:
    """Yield float32 (landmarks, classes) for each ridge."""
    for ridge in RIDGES:
        system = gram + ridge * among
        system[np.diag_indices(len(system))] += 1e-7 * np.trace(system) / len(system)
        yield np.linalg.solve(system, products).astype(np.float32)


def calibrated(scores: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return softmax(sharpness * scores), float32 (n, classes), of the sharpness under which the labels are likeliest.

    Args:
        scores: Real (n, classes).
        given: Integers (n,), the labels.
    """
    sharpnesses = np.geomspace(1, 64, 25)
    return min((_softmax(each * scores) for each in sharpnesses), key=lambda each: log_loss(each, given))


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def log_loss(probabilities: np.ndarray, given: np.ndarray) -> float:
    """Return the mean of -log of the given labels' probabilities, each held above a thousandth."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(given)), given], 1e-3)).mean())
