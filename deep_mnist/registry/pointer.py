"""The states of a registry's pointer, as they stand in champion.json and in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from deep_mnist.storage.store import Generation


class RegistryError(ValueError):
    """A registry that does not hold what it should, or a wrong request to it."""

    fix = "look into the registry with python -m pipeline models"


class LostRaceError(RegistryError):
    """Another promoter moved the pointer since it was read; nothing of ours is left in the registry."""

    fix = "run it again: it is compared with the champion of now"


@dataclass(frozen=True)
class Facts:
    """What is known of a model when it is promoted; all of it goes to the log.

    Attributes:
        model_digest: SHA-256 of the network's configuration and weights.
        data_digest: Of the dataset it was trained on.
        test_digest: Of the test split it was judged on.
        accuracy: Share of that split predicted correctly, 0..1.
        examples: How many that split has.
        reason: Why it was promoted.
        run: Name of the run.
    """

    model_digest: str
    data_digest: str
    test_digest: str
    accuracy: float
    examples: int
    reason: str
    run: str


@dataclass(frozen=True)
class Promotion:
    """One state of the pointer.

    Attributes:
        sequence: 1, 2, 3…: the pointer's states in order, without gaps.
        id: Unique to this state.
        action: "promote" or "rollback".
        version: The active version.
        restores: After a rollback, the earlier version whose copy this is.
        time: UTC, ISO 8601.
        files_sha256: SHA-256 of the version's version.json.
        facts: Of the model.
        generation: The pointer object's generation while this is its state; absent in the log.
    """

    sequence: int
    id: str
    action: str
    version: int
    restores: int | None
    time: str
    files_sha256: str
    facts: Facts
    generation: Generation | None = field(default=None, compare=False)

    @property
    def model_version(self) -> int:
        """The version under which this model was first promoted."""
        return self.restores or self.version

    def to_json(self) -> bytes:
        state = {name: value for name, value in asdict(self).items() if name != "generation"}
        return (json.dumps({"format": 1, **state}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, where: str, generation: Generation | None = None) -> Promotion:
        try:
            state = json.loads(data)
            if state.pop("format") != 1:
                raise ValueError("another format")
            return cls(**{**state, "facts": Facts(**state["facts"])}, generation=generation)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RegistryError(
                f"Expected a pointer's state, format 1, at {where}. Received: {error}. Fix: Restore that object."
            ) from error


def rollback_target(log: Sequence[Promotion], to: int | None, name: str) -> Promotion:
    """Return the state of a log whose model a rollback promotes again.

    Raises:
        RegistryError: There is no such version, or its model is the champion.
    """
    current = log[-1].model_version
    by_version: Mapping[int, Promotion] = {promotion.version: promotion for promotion in log}
    if to is not None:
        if to not in by_version or by_version[to].model_version == current:
            known = sorted(promotion.version for promotion in log if promotion.model_version != current)
            raise RegistryError(
                f"Expected one of the earlier versions {known} of {name}. Received: {to}"
                f"{' (its model is the champion already)' if to in by_version else ''}."
            )
        return by_version[to]
    earlier = [promotion for promotion in log if promotion.action == "promote" and promotion.version < current]
    if not earlier:
        raise RegistryError(
            f"Expected a version of {name} before {current} to roll back to. Received: none. Fix: Name one with --to."
        )
    return earlier[-1]
