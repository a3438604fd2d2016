"""Whether a new model takes the champion's place: both scored on the same images, one rule, its reasons.

The rule: every condition holds, or the champion stays.

    floor            share of the test split predicted correctly, at least min_accuracy
    class floor      the same for every class, at least min_class_accuracy
    another model    the champion is not this very model, nor did a rollback take this very model away
    more correct     strictly more correct than the champion; a tie keeps the champion
    no loss          no significant loss, over all images or in any class: McNemar's exact test, one-sided, on the
                     images that only one of the two predicts correctly, at the stated confidence; over the classes with
                     Holm's correction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.export import ServingError, TrainedNetwork
from deep_mnist.registry.comparison import class_accuracies, classes_lost, is_correct, mcnemar
from deep_mnist.registry.judged_split import JudgedSplit
from deep_mnist.registry.pointer import Promotion
from deep_mnist.registry.registry import Registry


@dataclass(frozen=True)
class Floors:
    """What a model must reach, each 0..1, and how sure a loss must be to count."""

    min_accuracy: float
    min_class_accuracy: float
    confidence: float

    def __post_init__(self) -> None:
        for name in ("min_accuracy", "min_class_accuracy"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Expected 0 <= {name} <= 1. Received: {getattr(self, name)}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"Expected 0.5 <= confidence < 1. Received: {self.confidence}")


@dataclass(frozen=True)
class Contender:
    """The champion, scored on the split of this run.

    Attributes:
        predictions: float64 (n, classes), or None when it cannot take these images; `error` then says why.
        withdrawn: Digests of the models that a rollback took away.
    """

    promotion: Promotion
    network: TrainedNetwork | None
    predictions: np.ndarray | None
    error: str = ""
    withdrawn: frozenset[str] = frozenset()


def score_champion(registry: Registry, split: JudgedSplit, scratch: Path) -> Contender | None:
    """Fetch the champion and score it on `split`, raw images through its own preprocessing record."""
    promotion = registry.champion()
    if promotion is None:
        return None
    withdrawn = registry.withdrawn()
    folder = scratch / f"champion-{promotion.version}"
    folder.mkdir(parents=True, exist_ok=True)
    registry.files.download(promotion, folder)
    try:
        network = TrainedNetwork.load(folder)
        if network.record.prepared == split.raw:
            raise ServingError("one of the two takes raw images, the other data that its user prepared")
        predictions = network.predict(split.images, raw=split.raw)
    except (ServingError, ValueError) as error:
        return Contender(promotion, None, None, f"{error}", withdrawn)
    return Contender(promotion, network, predictions, "", withdrawn)


def describe_champion(champion: Contender | None, split: JudgedSplit) -> dict[str, Any] | None:
    """Return the champion and how it does on this split, which is not the split it was promoted on if data changed."""
    if champion is None:
        return None
    promotion, predictions = champion.promotion, champion.predictions
    correct = None if predictions is None else is_correct(predictions, split.labels)
    classes = max(int(split.labels.max()) + 1, 0 if predictions is None else predictions.shape[1])
    shares = [] if correct is None else class_accuracies(correct, split.labels, classes)
    return {
        "version": promotion.version,
        "sequence": promotion.sequence,
        "generation": promotion.generation,
        "id": promotion.id,
        "model_digest": promotion.facts.model_digest,
        "accuracy_when_promoted": promotion.facts.accuracy,
        "same_test_split": promotion.facts.test_digest == split.digest,
        "accuracy": None if correct is None else float(correct.mean()),
        "per_class": [share or 0.0 for share in shares],
        "error": champion.error,
    }


def decide(
    predictions: np.ndarray,
    labels: np.ndarray,
    digest: str,
    floors: Floors,
    champion: Contender | None,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Return whether a model takes the champion's place, and why.

    Args:
        predictions: float (n, classes) of the new model on the judged split.
        labels: int (n,), 0..classes-1.
        digest: SHA-256 of the new model.
        floors: What it must reach.
        champion: Scored on the same split; None when nothing was ever promoted.
        names: Of the classes, for the texts; without them, the labels.

    Returns:
        {"promote", "reason", "checks": [{"name", "required", "received", "passed"}], "floors", "mcnemar",
        "classes_lost"}.

    >>> labels = np.arange(100) % 10
    >>> decision = decide(np.eye(10)[labels], labels, "5f1c", Floors(0.9, 0.5, 0.95), champion=None)
    >>> decision["promote"], decision["reason"]
    (True, 'first model of this name, above every floor')
    """
    correct = is_correct(predictions, labels)
    names = names or list(map(str, range(predictions.shape[1])))
    checks = [_floor(correct, floors), _class_floor(correct, labels, names, floors)]
    decision: dict[str, Any] = {"floors": vars(floors), "mcnemar": None, "classes_lost": []}
    if champion is None:
        checks.append(_check("champion", "none, or a worse one", "none", True))
    elif champion.predictions is None:
        checks.append(_check("champion", "one that takes the same images", champion.error, False))
    else:
        other = is_correct(champion.predictions, labels)
        decision["mcnemar"] = mcnemar(correct, other, floors.confidence)
        decision["classes_lost"] = classes_lost(correct, other, labels, floors.confidence)
        checks += _comparison(digest, decision, champion, correct, other, names)
    promote = all(check["passed"] for check in checks)
    return {
        "promote": promote,
        "reason": _reason(checks, decision, champion, promote, names),
        "checks": checks,
        **decision,
    }


def _check(name: str, required: str, received: str, passed: bool) -> dict[str, Any]:
    return {"name": name, "required": required, "received": received, "passed": bool(passed)}


def _floor(correct: np.ndarray, floors: Floors) -> dict[str, Any]:
    accuracy = float(correct.mean())
    return _check("floor", f"accuracy >= {floors.min_accuracy:g}", f"{accuracy:.4f}", accuracy >= floors.min_accuracy)


def _class_floor(correct: np.ndarray, labels: np.ndarray, names: Sequence[str], floors: Floors) -> dict[str, Any]:
    shares = class_accuracies(correct, labels, len(names))
    known = {label: share for label, share in enumerate(shares) if share is not None}
    worst = min(known, key=lambda label: known[label])
    below = [label for label, share in known.items() if share < floors.min_class_accuracy]
    received = f"class {names[worst]} {known[worst]:.4f}" + (f"; below: {_listed(below, names)}" if below else "")
    return _check("class floor", f"every class >= {floors.min_class_accuracy:g}", received, not below)


def _listed(labels: Sequence[int], names: Sequence[str]) -> str:
    return ", ".join(names[label] for label in labels)


def _comparison(
    digest: str,
    decision: Mapping[str, Any],
    champion: Contender,
    correct: np.ndarray,
    other: np.ndarray,
    names: Sequence[str],
) -> Sequence[dict[str, Any]]:
    test = decision["mcnemar"]
    same, withdrawn = digest == champion.promotion.facts.model_digest, digest in champion.withdrawn
    known = "the champion itself" if same else "a rollback took it away" if withdrawn else f"digest {digest[:12]}"
    lost = decision["classes_lost"]
    gain = test["only_new_correct"] - test["only_champion_correct"]
    return [
        _check("another model", "neither the champion nor rolled back", known, not (same or withdrawn)),
        _check(
            "more correct",
            f"more than the champion's {other.mean():.4f}",
            f"{correct.mean():.4f} ({gain:+d})",
            gain > 0,
        ),
        _check(
            "no loss",
            f"no significant loss at {100 * test['confidence']:g} % confidence",
            f"p={test['p_loss']:.3g}" + (f"; classes lost: {_listed(lost, names)}" if lost else ""),
            not test["significant_loss"] and not lost,
        ),
    ]


def _reason(
    checks: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any],
    champion: Contender | None,
    promote: bool,
    names: Sequence[str],
) -> str:
    failed = [check for check in checks if not check["passed"]]
    floors = [
        f"{check['name']}: {check['required']} required, {check['received']} reached"
        for check in failed
        if check["name"] in ("floor", "class floor")
    ]
    if champion is None:
        return "; ".join(floors) if floors else "first model of this name, above every floor"
    version = f"champion version {champion.promotion.version}"
    if champion.predictions is None:
        return "; ".join([*floors, f"{version} cannot be compared: {champion.error}"])
    if any(check["received"] == "a rollback took it away" for check in failed):
        return "a rollback took this very model away; roll back to its version to promote it again"
    if any(check["name"] == "another model" for check in failed):
        return f"the very same model is already the champion, version {champion.promotion.version}"
    return "; ".join([*floors, _statistics(decision, version, promote, names)])


def _statistics(decision: Mapping[str, Any], version: str, promote: bool, names: Sequence[str]) -> str:
    test = decision["mcnemar"]
    gained, lost = test["only_new_correct"], test["only_champion_correct"]
    numbers = f"correct where the other is wrong: new {gained}, champion {lost}; McNemar p={test['p_value']:.3g}"
    sure = f"at {100 * test['confidence']:g} % confidence"
    if test["significant_loss"]:
        return f"significantly worse than {version} {sure} ({numbers})"
    if decision["classes_lost"]:
        lost_classes = _listed(decision["classes_lost"], names)
        return f"significant loss in classes {lost_classes} against {version} {sure} ({numbers})"
    if gained == lost:
        return f"a tie keeps {version} ({numbers})"
    if gained < lost:
        return f"no better than {version} ({numbers})"
    return f"better than {version} ({numbers})" if promote else f"otherwise better than {version} ({numbers})"
