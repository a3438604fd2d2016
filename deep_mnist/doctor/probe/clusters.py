"""Clusters that images fall into by themselves, without labels."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.probe.classifier import Sample
from deep_mnist.doctor.probe.features import Blocks, distances

AXES = 20  # principal axes that clusters are looked for in
STARTS, ROUNDS = 4, 15  # of k-means
FEWEST, MOST = 4, 10  # clusters looked for
TIGHTER = 0.88  # of the spread around centres that Gaussian data of the same axes have; photos 0.98 to 1.02, digits 0.8
ALIKE = 0.4  # normalized mutual information of the clusters in pixels and in edges; photos 0.03, digits 0.6


def agreement(blocks: Blocks, classes: int) -> str:
    """Return a phrase when the images fall into clusters, seen alike in pixels and in edges; else "".

    Args:
        classes: Number of the labels' classes: about as many clusters are looked for.
    """
    count = min(max(classes, FEWEST), MOST)
    random = np.random.default_rng(0)
    found = [_clustered(block, count, random) for block in (blocks.pixels, blocks.edges)]
    shared = _mutual(found[0][0], found[1][0])
    if max(tightness for _, tightness in found) > TIGHTER or shared < ALIKE:
        return ""
    return f"{count} of them, alike in pixels and in edges by {shared:.2f} of 1"


def centred(sample: Sample) -> Sample:
    """Return the images rolled so that what differs from their border's mean tone lies in the middle."""
    images = sample.images
    edge = np.concatenate([images[:, :1].mean(axis=(1, 2)), images[:, -1:].mean(axis=(1, 2))], axis=1).mean(axis=1)
    weight = np.abs(images.mean(axis=3) - edge[:, None, None])
    rolled = np.empty_like(images)
    for index, (image, mass) in enumerate(zip(images, weight, strict=True)):
        shift = [_to_middle(mass.sum(axis=1 - axis)) for axis in (0, 1)]
        rolled[index] = np.roll(image, shift, axis=(0, 1))
    return Sample(sample.indices, rolled, sample.classes, sample.labelled)


def _to_middle(mass: np.ndarray) -> int:
    total = float(mass.sum())
    middle = float((mass * np.arange(len(mass))).sum() / total) if total > 0 else (len(mass) - 1) / 2
    return round((len(mass) - 1) / 2 - middle)


def _clustered(features: np.ndarray, count: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return (cluster of each row, spread around the centres relative to that of Gaussian data)."""
    axes = _principal(features)
    gaussian = random.standard_normal(axes.shape).astype(np.float32) * axes.std(axis=0)
    labels, spread = _k_means(axes, count, random)
    usual = _k_means(gaussian, count, random)[1] * float(np.square(axes).sum() / max(np.square(gaussian).sum(), 1e-9))
    return labels, spread / max(usual, 1e-9)


def _principal(features: np.ndarray) -> np.ndarray:
    """Return rows on their principal axes, by eigh: it ends on every finite matrix, which svd does not."""
    values = (features - features.mean(axis=0)).astype(np.float64)
    sizes, vectors = np.linalg.eigh(values @ values.T)
    principal: np.ndarray = vectors[:, : -AXES - 1 : -1] * np.sqrt(np.maximum(sizes[: -AXES - 1 : -1], 0))
    return principal.astype(np.float32)


def _k_means(rows: np.ndarray, count: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return (cluster of each row, sum of squared distances to the centres) of the best of the starts."""
    best: tuple[np.ndarray, float] = (np.zeros(len(rows), np.int64), np.inf)
    for _ in range(STARTS):
        centres = rows[random.choice(len(rows), count, replace=False)]
        for _ in range(ROUNDS):
            nearest = distances(rows, centres).argmin(axis=1)
            present = np.unique(nearest)
            centres[present] = [rows[nearest == each].mean(axis=0) for each in present]
        squares = distances(rows, centres)
        if (spread := float(squares.min(axis=1).sum())) < best[1]:
            best = (squares.argmin(axis=1), spread)
    return best


def _mutual(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mutual information of two clusterings, divided by the geometric mean of their entropies."""
    table = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(table, (one, other), 1 / len(one))
    entropies = [_entropy(table.sum(axis=axis)) for axis in (0, 1)]
    shared = sum(entropies) - _entropy(table.reshape(-1))
    return float(shared / np.sqrt(max(entropies[0] * entropies[1], 1e-12)))


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
