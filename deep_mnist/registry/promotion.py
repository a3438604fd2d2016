"""Whether a new model takes the champion's place: both scored on the same pictures, one rule, its reasons.

The rule: every condition holds, or the champion stays.

    floor            share of the test split that is right, at least min_accuracy
    class floor      the same for every class, at least min_class_accuracy
    another model    the champion is not this very model, nor did a rollback take this very model away
    more right       strictly more right than the champion; a tie keeps the champion
    no loss          no significant loss, over all pictures or in any class: McNemar's exact test, one-sided, on the
                     pictures that only one of the two has right, at the stated confidence; over the classes with
                     Holm's correction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.registry.comparison import class_accuracies, classes_lost, hits, mcnemar
from deep_mnist.registry.judged_split import JudgedSplit
from deep_mnist.registry.pointer import Reign
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.export import ServingError, TrainedNetwork


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
    """The reigning model, scored on the split of this run.

    Attributes:
        answers: float64 (n, classes), or None when it cannot take these pictures; `trouble` then says why.
        withdrawn: Digests of the models that a rollback took away.
    """

    reign: Reign
    network: TrainedNetwork | None
    answers: np.ndarray | None
    trouble: str = ""
    withdrawn: frozenset[str] = frozenset()


def score_champion(registry: Registry, split: JudgedSplit, scratch: Path) -> Contender | None:
    """Fetch the reigning model and score it on `split`, raw pictures through its own preprocessing record."""
    reign = registry.champion()
    if reign is None:
        return None
    withdrawn = registry.withdrawn()
    folder = scratch / f"champion-{reign.version}"
    folder.mkdir(parents=True, exist_ok=True)
    registry.files.download(reign, folder)
    try:
        network = TrainedNetwork.load(folder)
        if network.record.prepared == split.raw:
            raise ServingError("one of the two takes raw pictures, the other data that its user prepared")
        answers = network.answers(split.images, raw=split.raw)
    except (ServingError, ValueError) as error:
        return Contender(reign, None, None, f"{error}", withdrawn)
    return Contender(reign, network, answers, "", withdrawn)


def describe_champion(champion: Contender | None, split: JudgedSplit) -> dict[str, Any] | None:
    """Return who reigns and how it does on this split, which is not the split it was promoted on if data changed."""
    if champion is None:
        return None
    reign, answers = champion.reign, champion.answers
    hit = None if answers is None else hits(answers, split.labels)
    classes = max(int(split.labels.max()) + 1, 0 if answers is None else answers.shape[1])
    shares = [] if hit is None else class_accuracies(hit, split.labels, classes)
    return {
        "version": reign.version,
        "sequence": reign.sequence,
        "generation": reign.generation,
        "id": reign.id,
        "model_digest": reign.facts.model_digest,
        "accuracy_when_promoted": reign.facts.accuracy,
        "same_test_split": reign.facts.test_digest == split.digest,
        "accuracy": None if hit is None else float(hit.mean()),
        "per_class": [share or 0.0 for share in shares],
        "trouble": champion.trouble,
    }


def decide(
    answers: np.ndarray, labels: np.ndarray, digest: str, floors: Floors, champion: Contender | None
) -> dict[str, Any]:
    """Return {"promote", "reason", "checks": [{"name", "required", "received", "passed"}], "mcnemar", …}."""
    hit = hits(answers, labels)
    checks = [_floor(hit, floors), _class_floor(hit, labels, answers.shape[1], floors)]
    decision: dict[str, Any] = {"floors": vars(floors), "mcnemar": None, "classes_lost": []}
    if champion is None:
        checks.append(_check("champion", "none, or a worse one", "none", True))
    elif champion.answers is None:
        checks.append(_check("champion", "one that takes the same pictures", champion.trouble, False))
    else:
        other = hits(champion.answers, labels)
        decision["mcnemar"] = mcnemar(hit, other, floors.confidence)
        decision["classes_lost"] = classes_lost(hit, other, labels, floors.confidence)
        checks += _comparison(digest, decision, champion, hit, other)
    promote = all(check["passed"] for check in checks)
    return {
        "promote": promote,
        "reason": _reason(checks, decision, champion, promote),
        "checks": checks,
        **decision,
    }


def _check(name: str, required: str, received: str, passed: bool) -> dict[str, Any]:
    return {"name": name, "required": required, "received": received, "passed": bool(passed)}


def _floor(hit: np.ndarray, floors: Floors) -> dict[str, Any]:
    accuracy = float(hit.mean())
    return _check("floor", f"accuracy >= {floors.min_accuracy:g}", f"{accuracy:.4f}", accuracy >= floors.min_accuracy)


def _class_floor(hit: np.ndarray, labels: np.ndarray, classes: int, floors: Floors) -> dict[str, Any]:
    shares = class_accuracies(hit, labels, classes)
    known = {label: share for label, share in enumerate(shares) if share is not None}
    worst = min(known, key=lambda label: known[label])
    below = [label for label, share in known.items() if share < floors.min_class_accuracy]
    received = f"class {worst} {known[worst]:.4f}" + (f"; below: {below}" if below else "")
    return _check("class floor", f"every class >= {floors.min_class_accuracy:g}", received, not below)


def _comparison(
    digest: str, decision: Mapping[str, Any], champion: Contender, hit: np.ndarray, other: np.ndarray
) -> Sequence[dict[str, Any]]:
    test = decision["mcnemar"]
    same, withdrawn = digest == champion.reign.facts.model_digest, digest in champion.withdrawn
    known = "it reigns" if same else "a rollback took it away" if withdrawn else f"digest {digest[:12]}"
    lost = decision["classes_lost"]
    gain = test["only_new_right"] - test["only_champion_right"]
    return [
        _check("another model", "neither reigning nor rolled back", known, not (same or withdrawn)),
        _check("more right", f"more than the champion's {other.mean():.4f}", f"{hit.mean():.4f} ({gain:+d})", gain > 0),
        _check(
            "no loss",
            f"no significant loss at {100 * test['confidence']:g} % confidence",
            f"p={test['p_loss']:.3g}" + (f"; classes lost: {lost}" if lost else ""),
            not test["significant_loss"] and not lost,
        ),
    ]


def _reason(
    checks: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any],
    champion: Contender | None,
    promote: bool,
) -> str:
    failed = [check for check in checks if not check["passed"]]
    floors = [
        f"{check['name']}: {check['required']} wanted, {check['received']} reached"
        for check in failed
        if check["name"] in ("floor", "class floor")
    ]
    if champion is None:
        return "; ".join(floors) if floors else "first model of this name, above every floor"
    version = f"champion version {champion.reign.version}"
    if champion.answers is None:
        return "; ".join([*floors, f"{version} cannot be compared: {champion.trouble}"])
    if any(check["received"] == "a rollback took it away" for check in failed):
        return "a rollback took this very model away; roll back to its version to let it reign again"
    if any(check["name"] == "another model" for check in failed):
        return f"the very same model reigns already as version {champion.reign.version}"
    return "; ".join([*floors, _statistics(decision, version, promote)])


def _statistics(decision: Mapping[str, Any], version: str, promote: bool) -> str:
    test = decision["mcnemar"]
    gained, lost = test["only_new_right"], test["only_champion_right"]
    numbers = f"right where the other is wrong: new {gained}, champion {lost}; McNemar p={test['p_value']:.3g}"
    sure = f"at {100 * test['confidence']:g} % confidence"
    if test["significant_loss"]:
        return f"significantly worse than {version} {sure} ({numbers})"
    if decision["classes_lost"]:
        return f"significant loss in classes {decision['classes_lost']} against {version} {sure} ({numbers})"
    if gained == lost:
        return f"a tie keeps {version} ({numbers})"
    if gained < lost:
        return f"no better than {version} ({numbers})"
    return f"better than {version} ({numbers})" if promote else f"otherwise better than {version} ({numbers})"
