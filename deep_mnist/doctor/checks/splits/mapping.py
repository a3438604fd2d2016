"""Checks whether the test split numbers its classes as train does.

A table {label in test: class in train} is read from one half of the test images and must hold on the other half.
False alarms, healthy draws of 60 to 5,000 images (`python -m bench.false_alarms`): none in 300 of each of digits,
clothes, two sets of photos, textures, colour is the class, digits anywhere, digits on photos, 99:1, two classes and
100 classes.
"""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.case import Split
from deep_mnist.doctor.checks.labels.statistical import STATISTICAL
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.probe.classifier import Fit, Sample
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

FEWEST_OF_CLASS = 6  # test images of a class; most of them guessed as one and the same other class is no luck
CLEAR = 0.6  # share of a class's images that are guessed alike
CLEARLY = 5.0  # standard errors by which the table must do better than the labels as they are, on the other half

OTHER_NUMBERS = Rule(
    code="S130",
    name="test-classes-numbered-differently",
    field="labels.mapping",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS, Need.TEST),
    follows=(*STATISTICAL, Follows(rules=("S170",), on=On.ANY_SPLIT)),
    summary="The test split numbers its classes in another way than the train split.",
    why="Training looks fine and the test accuracy is chance: the names of the classes were exchanged.",
)


def find_mapping(fitted: Fit, sample: Sample, guesses: np.ndarray) -> dict[int, int] | None:
    """Return {label in test: class in train} when some test labels stand for other classes than in train."""
    table = {
        int(label): _meaning(fitted, int(label), guesses[sample.classes == label])
        for label in np.unique(sample.classes)
    }
    moved = {label for label, real in table.items() if label != real}
    known = {label for label in table if label in moved or (sample.classes == label).sum() >= FEWEST_OF_CLASS}
    if not moved or len({table[label] for label in known}) < len(known):  # two for one: no other numbering
        return None
    return table if _holds(sample.classes, guesses) else None


def _meaning(fitted: Fit, label: int, mine: np.ndarray) -> int:
    """Return the class of train that a test label stands for; itself unless another one is clear."""
    if len(mine) < FEWEST_OF_CLASS:
        return label
    likely = _most(mine)
    confused = float((fitted.guesses[fitted.sample.classes == label] == likely).mean())  # within train, by itself
    share = float((mine == likely).mean())
    luck = np.sqrt(max(confused * (1 - confused), 0.01) / len(mine))
    return likely if share >= CLEAR and share - confused > CLEARLY * luck else label


def _holds(classes: np.ndarray, guesses: np.ndarray) -> bool:
    """Whether a table read from every second image is correct far more often on the others than the labels are."""
    odd = np.arange(len(classes)) % 2 == 1
    gained = lost = 0
    for learn, judge in ((odd, ~odd), (~odd, odd)):
        table = {int(label): _most(guesses[learn & (classes == label)]) for label in np.unique(classes[learn])}
        read = np.array([table.get(int(label), int(label)) for label in classes[judge]])
        correct, plain = read == guesses[judge], classes[judge] == guesses[judge]
        gained, lost = gained + int((correct & ~plain).sum()), lost + int((plain & ~correct).sum())
    return bool((gained - lost) / np.sqrt(gained + lost + 1) > CLEARLY - 1)


def _most(guesses: np.ndarray) -> int:
    values, counts = np.unique(guesses, return_counts=True)
    return int(values[counts.argmax()])


def mapped(test: Split, table: dict[int, int], evidence: str) -> Finding:
    """Return the finding on test labels that stand for other classes than in train."""
    changed = ", ".join(f"{label} for {real}" for label, real in table.items() if label != real)
    rows = test.labels is not None and test.labels.ndim == 2 and test.labels.shape[1] > 1
    order = [label for label, _ in sorted(table.items(), key=lambda pair: pair[1])]
    fix = (
        f"test_labels = test_labels[:, {order}]"
        if rows
        else f"test_labels = np.vectorize({table}.get)(test_labels)  # number the classes alike in every split"
    )
    return OTHER_NUMBERS.found(
        "test",
        expected="the train split's class numbers",
        received=f"other numbers ({changed[:120]}): {evidence}",
        fix=fix,
    )
