"""What is suspicious about a split's labels: likely wrong ones, doubtful examples, duplicates that disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deep_mnist.doctor.probe.features import distances
from deep_mnist.labels.confident import Ranking, rank
from deep_mnist.labels.duplicates import near_duplicates
from deep_mnist.labels.outliers import outliers

NEIGHBOURS = 6  # shown beside a suspect
MOST_DOUBTFUL = 100  # of each kind but the first two that are listed
BOTH, APART = 0.3, 0.2  # of an ambiguous example: each of its two best probabilities, and their difference at most
CHUNK = 64  # suspects whose distances to all examples are held at a time


@dataclass(frozen=True)
class Suspect:
    """One example to look at.

    Attributes:
        index: Into the split.
        kind: "label" (likely wrong), "duplicate" (nearly the same as an example of another label), "contradicted"
            (another class is predicted), "ambiguous" (two classes are equally probable) or "outlier" (like no other).
        given, suggested: Classes.
        wrongness: 0..1, see `Ranking`.
        probability_given, probability_suggested: Out of fold.
        neighbours: The nearest examples, nearest first; of a duplicate its twins first.
    """

    index: int
    kind: str
    given: int
    suggested: int
    wrongness: float
    probability_given: float
    probability_suggested: float
    neighbours: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds of it."""
        return {
            **vars(self),
            "wrongness": round(self.wrongness, 6),
            "probability_given": round(self.probability_given, 6),
            "probability_suggested": round(self.probability_suggested, 6),
            "neighbours": list(self.neighbours),
        }


@dataclass(frozen=True)
class Suspects:
    """What was found in one split.

    Attributes:
        split: Its name.
        by: What predicted: a network's name, or "cheap".
        given: int64 (n,), the labels.
        ranking: Of every label.
        examples: To look at, the likely wrong labels first.
        probabilities: float32 (n, classes), out of fold.
        class_names: One for each class.
        seconds: Of the whole search.
    """

    split: str
    by: str
    given: np.ndarray
    ranking: Ranking
    examples: tuple[Suspect, ...]
    probabilities: np.ndarray
    class_names: Sequence[str]
    seconds: float = 0.0

    def lasting(self, seconds: float) -> Suspects:
        """Return the same with the time that the search took."""
        return replace(self, seconds=seconds)

    def of_kind(self, kind: str) -> list[Suspect]:
        """Return the examples of one kind, in order."""
        return [each for each in self.examples if each.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: numbers, estimates by class, examples."""
        return {
            "split": self.split,
            "by": self.by,
            "examples": len(self.given),
            "agreement": float((self.ranking.suggested == self.given).mean()),
            "suspects": len(self.of_kind("label")),
            "estimated_wrong": round(self.ranking.wrong, 1),
            "interval": [round(each, 1) for each in self.ranking.interval],
            "classes": [
                {
                    "label": each.label,
                    "name": self.class_names[each.label],
                    "examples": each.examples,
                    "estimated_wrong": round(each.wrong, 1),
                    "interval": [round(each.low, 1), round(each.high, 1)],
                    "judged": each.judged,
                }
                for each in self.ranking.classes
            ],
            "found": [each.to_dict() for each in self.examples],
            "seconds": round(self.seconds, 2),
        }

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield a row for every example of the split, the least probable labels first: what CSV holds."""
        kinds: dict[int, list[str]] = {}
        for each in self.examples:
            kinds.setdefault(each.index, []).append(each.kind)
        for index in np.argsort(self.ranking.of_given, kind="stable"):
            yield {
                "index": int(index),
                "given": int(self.given[index]),
                "suggested": int(self.ranking.suggested[index]),
                "wrongness": f"{self.ranking.wrongness[index]:.6f}",
                "probability_given": f"{self.ranking.of_given[index]:.6f}",
                "probability_suggested": f"{self.probabilities[index].max():.6f}",
                "kinds": " ".join(kinds.get(int(index), ())),
            }


def suspects_of(
    probabilities: np.ndarray,
    given: np.ndarray,
    features: np.ndarray,
    *,
    split: str = "train",
    by: str = "",
    class_names: Sequence[str] = (),
    pairs: np.ndarray | None = None,
) -> Suspects:
    """Return what out-of-fold predictions and the examples themselves say of the labels.

    Args:
        probabilities: Real (n, classes).
        given: Integers (n,), the labels.
        features: float32 (n, k), by which examples are near each other.
        split, by, class_names: For the report.
        pairs: Of `near_duplicates`, where that is known already.
    """
    ranking = rank(probabilities, given)
    twins = near_duplicates(features) if pairs is None else pairs
    chosen = {
        "label": ranking.suspects,
        "duplicate": _disagreeing(twins, given, ranking),
        "contradicted": ranking.contradicted[: round(ranking.wrong) + MOST_DOUBTFUL],
        "ambiguous": _ambiguous(probabilities)[:MOST_DOUBTFUL],
        "outlier": outliers(features)[:MOST_DOUBTFUL],
    }
    seen: set[int] = set()
    picked = []
    for kind, indices in chosen.items():
        fresh = [int(each) for each in indices if int(each) not in seen]
        seen.update(fresh)
        picked += [(kind, each) for each in fresh]
    near = nearest(features, np.array([index for _, index in picked], np.int64))
    examples = []
    for (kind, index), others in zip(picked, near, strict=True):
        own = (int(given[index]), int(ranking.suggested[index]))
        sure = (float(probabilities[index, own[0]]), float(probabilities[index, own[1]]))
        examples.append(Suspect(index, kind, *own, float(ranking.wrongness[index]), *sure, tuple(map(int, others))))
    names = [*class_names, *map(str, range(len(class_names), probabilities.shape[1]))]
    return Suspects(split, by, np.asarray(given), ranking, tuple(examples), probabilities, names)


def _disagreeing(pairs: np.ndarray, given: np.ndarray, ranking: Ranking) -> np.ndarray:
    """Return the examples of near duplicates whose labels differ, the less probable labels first."""
    differing = pairs[given[pairs[:, 0]] != given[pairs[:, 1]]] if len(pairs) else pairs
    indices = np.unique(differing)
    ordered: np.ndarray = indices[np.argsort(ranking.of_given[indices], kind="stable")]
    return ordered


def _ambiguous(probabilities: np.ndarray) -> np.ndarray:
    """Return the examples of two about equally probable classes, the most equal first."""
    best = np.sort(probabilities, axis=1)[:, -2:]
    found = np.flatnonzero((best[:, 0] >= BOTH) & (best[:, 1] - best[:, 0] <= APART))
    ordered: np.ndarray = found[np.argsort(best[found, 1] - best[found, 0], kind="stable")]
    return ordered


def nearest(features: np.ndarray, indices: np.ndarray, count: int = NEIGHBOURS) -> np.ndarray:
    """Return int64 (indices, count): the examples nearest to some, themselves left out.

    Args:
        features: float32 (n, k).
        indices: Of the examples.
        count: At most one less than there are examples.
    """
    count = min(count, len(features) - 1)
    found = [np.zeros((0, count), np.int64)]
    for at in range(0, len(indices), CHUNK):
        some = indices[at : at + CHUNK]
        squares = distances(features[some], features)
        squares[np.arange(len(some)), some] = np.inf
        few = np.argpartition(squares, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(squares, few, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(few, order, axis=1))
    return np.concatenate(found)
