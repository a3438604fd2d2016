"""Confident learning: which labels contradict what a classifier predicts of examples that it never saw.

After Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70 (2021): an
example counts as confidently of class j where its probability of j reaches the mean that examples labelled j have. The
counts of (given, confident) pairs, scaled to the size of each class, estimate how many labels are wrong; so many of
those that the classifier contradicts tenfold, the least probable labels first, are the suspects. A classifier that has
learned wrong labels, one 4 in five called a 9, is never so sure of a 4: there a quarter of the odds of its surest
examples is enough. No line of it is another implementation's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST_OF_CLASS = 10  # examples; a rarer class is learned too badly for its labels to be called wrong
FEWEST_SURE = 0.5  # mean probability of a class's own label; below it the classifier does not know the class
ROUNDING = 1e-6  # of a mean: where all are equally sure, all reach it
LIKELIER = 10.0  # of a suspect: another class is so many times as probable as the given one
SUREST, OF_SUREST, LEAST_LIKELIER = 0.9, 0.25, 2.0  # or a quarter of the odds that a tenth of the examples exceeds
LEARNED = 0.55  # mean probability of a class's own label, below which its odds are low since little was learned of it
NORMAL_95 = 1.959964  # deviations that hold 95 % of a normal distribution


@dataclass(frozen=True)
class ClassEstimate:
    """How many labels of one class are wrong.

    Attributes:
        label: The class that is given.
        examples: That have it.
        wrong: Estimated number among them.
        low, high: 95 % interval of that number: the luck of the draw and of the classifier, not its bias.
        judged: False of a class with too few examples or that the classifier does not know; the numbers are then 0.
    """

    label: int
    examples: int
    wrong: float
    low: float
    high: float
    judged: bool = True


@dataclass(frozen=True)
class Ranking:
    """What the predictions say of every label.

    Attributes:
        given: int64 (n,), the labels.
        wrongness: float64 (n,), 0..1: the best other class beside the given one; above 0.5 it is likelier.
        of_given: float64 (n,), 0..1: probability of the given class, by which the examples are ranked.
        suggested: int64 (n,), the most probable class.
        suspects: Examples whose labels are likely wrong, the most suspicious first.
        classes: An estimate for each class.
    """

    given: np.ndarray
    wrongness: np.ndarray
    of_given: np.ndarray
    suggested: np.ndarray
    suspects: np.ndarray
    classes: tuple[ClassEstimate, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the number of wrong labels: the classes' own draws are independent."""
        below = sum((each.wrong - each.low) ** 2 for each in self.classes) ** 0.5
        above = sum((each.high - each.wrong) ** 2 for each in self.classes) ** 0.5
        return max(0.0, self.wrong - below), self.wrong + above

    @property
    def contradicted(self) -> np.ndarray:
        """Examples of which another class is predicted, the least probable labels first."""
        differing = np.flatnonzero(self.suggested != self.given)
        ordered: np.ndarray = differing[np.argsort(self.of_given[differing], kind="stable")]
        return ordered

    @property
    def wrong(self) -> float:
        """Estimated number of wrong labels."""
        return sum(each.wrong for each in self.classes)


def rank(probabilities: np.ndarray, given: np.ndarray) -> Ranking:
    """Return what out-of-fold predictions say of the labels.

    Args:
        probabilities: Real (n, classes), each row of a classifier that never saw the example.
        given: Integers (n,) in 0..classes-1, the labels.

    >>> probabilities = np.repeat([[0.95, 0.05], [0.05, 0.95]], 20, axis=0)
    >>> labels = np.repeat([0, 1], 20)
    >>> labels[3] = 1
    >>> rank(probabilities, labels).suspects.tolist()
    [3]
    """
    values = np.asarray(probabilities, np.float64)
    rows = np.arange(len(given))
    of_given = values[rows, given]
    others = values.copy()
    others[rows, given] = -1.0
    best_other = others.max(axis=1)
    confident = confident_classes(values, given)
    classes = tuple(_estimate(label, given, of_given, confident) for label in range(values.shape[1]))
    suggested = values.argmax(axis=1)
    wrongness = best_other / np.maximum(best_other + of_given, 1e-300)
    needed = _needed_odds(values, given, confident)[given, others.argmax(axis=1)]
    likelier = wrongness >= needed / (1 + needed)
    return Ranking(
        np.asarray(given), wrongness, of_given, suggested, _suspects(of_given, likelier, given, classes), classes
    )


def confident_classes(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return int64 (n,): the class that each example confidently belongs to, -1 where none.

    Args:
        probabilities, given: As for `rank`.
    """
    reached = np.where(probabilities >= _own_means(probabilities, given) - ROUNDING, probabilities, -1.0)
    confident: np.ndarray = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    return confident


def _own_means(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return float64 (classes,): the mean probability of a class's own label, infinite where no example has it."""
    classes = range(probabilities.shape[1])
    return np.array(
        [probabilities[given == each, each].mean() if (given == each).any() else np.inf for each in classes]
    )


def _estimate(label: int, given: np.ndarray, of_given: np.ndarray, confident: np.ndarray) -> ClassEstimate:
    """Return the share of confident examples that are of another class, scaled to all of the class."""
    of_class = given == label
    examples = int(of_class.sum())
    sure = int((confident[of_class] >= 0).sum())
    if examples < FEWEST_OF_CLASS or not sure or of_given[of_class].mean() < FEWEST_SURE:
        return ClassEstimate(label, examples, 0.0, 0.0, 0.0, judged=False)
    off = sure - int((confident[of_class] == label).sum())
    low, high = wilson(off, sure)
    return ClassEstimate(label, examples, examples * off / sure, examples * low, examples * high)


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    >>> [round(float(each), 3) for each in wilson(0, 100)]
    [0.0, 0.037]
    """
    square = NORMAL_95**2
    middle = (found + square / 2) / (of + square)
    half = NORMAL_95 * np.sqrt(found * (of - found) / of + square / 4) / (of + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def _needed_odds(values: np.ndarray, given: np.ndarray, confident: np.ndarray) -> np.ndarray:
    """Return float64 (classes, classes): how many times as probable another class [column] must be as the given one."""
    count = values.shape[1]
    needed = np.full((count, count), LIKELIER)
    for other in range(count):
        sure = values[confident == other]
        if len(sure) >= FEWEST_OF_CLASS:
            surest = np.quantile(sure[:, [other]] / np.maximum(sure, 1e-300), SUREST, axis=0)
            needed[:, other] = np.clip(OF_SUREST * surest, LEAST_LIKELIER, LIKELIER)
    needed[_own_means(values, given) < LEARNED] = LIKELIER
    return needed


def _suspects(
    of_given: np.ndarray, likelier: np.ndarray, given: np.ndarray, classes: tuple[ClassEstimate, ...]
) -> np.ndarray:
    """Return at most as many as are estimated to be wrong, of those where another class is far likelier."""
    judged = np.array([each.judged for each in classes])
    able = np.flatnonzero(likelier & judged[given])
    count = round(sum(each.wrong for each in classes))
    found: np.ndarray = able[np.argsort(of_given[able], kind="stable")[:count]]
    return found
