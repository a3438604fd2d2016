"""Export the model, prove that the export answers like the model, and let it reign if it may.

evaluation says no ──────────────────────────────▶ NOT PROMOTED
evaluation says yes ─▶ export ─▶ replay ─▶ compare-and-swap ─▶ PUBLISHED
                                              └─ lost: judge again beside the new champion, at most three times
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.dataset import open_dataset
from components.judging import Floors, Split, decide, open_split, score_champion
from components.publish.card import card_facts, card_markdown
from components.publish.replay import replay_in_fresh_process, write_golden_requests
from components.registry import Facts, LostRace, Registry, Reign
from components.serving import Network, export

ATTEMPTS = 3
COPIED = ("model.keras", "preprocessing.json", "training.json", "history.json")


class NotPromoted(RuntimeError):
    """Promotion was required, and the model may not reign."""


class StaleEvaluation(ValueError):
    """The evaluation is of another model or another test split."""


@dataclass(frozen=True)
class Request:
    """What publish is asked for; see the component's parameters."""

    registry: str
    model_name: str
    require_promotion: bool = False
    run_name: str = ""


@dataclass(frozen=True)
class Candidate:
    """A judged model and everything that goes into its version folder."""

    network: Network
    split: Split
    evaluation: dict[str, Any]
    trained: Path
    run_name: str

    @property
    def floors(self) -> Floors:
        return Floors(**self.evaluation["decision"]["floors"])

    def facts(self, reason: str) -> Facts:
        return Facts(
            model_digest=self.network.digest,
            data_digest=self.evaluation["data_digest"],
            test_digest=self.split.digest,
            accuracy=self.evaluation["accuracy"],
            examples=self.evaluation["examples"],
            reason=reason,
            run=self.run_name,
        )


def publish_from_paths(
    dataset: Path, trained: Path, evaluation: Path, promotion: Path, card: Path, request: Request
) -> dict[str, Any]:
    """Write the promotion (JSON) and the model card (Markdown); return the promotion.

    Raises:
        NotPromoted: With `require_promotion`, when the model may not reign.
        StaleEvaluation: The evaluation does not belong to this model and data.
        ReplayError: The exported model does not answer as the model does; nothing was uploaded.
    """
    split = open_split(open_dataset(dataset))
    candidate = Candidate(Network.load(trained), split, json.loads(evaluation.read_text()), trained, request.run_name)
    _require_same(candidate)
    registry = Registry(request.registry, request.model_name)
    result = promote(candidate, registry)
    promotion.parent.mkdir(parents=True, exist_ok=True)
    promotion.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    card.write_text(card_markdown(card_facts(candidate.evaluation, trained, request.model_name, result)))
    _say(result)
    if request.require_promotion and not result["promoted"]:
        raise NotPromoted(f"Expected the model to be promoted. Received: {result['reason']}")
    return result


def promote(candidate: Candidate, registry: Registry) -> dict[str, Any]:
    """Let the candidate reign if it may, and say what came of it."""
    champion = registry.champion()
    judged = candidate.evaluation["champion"]
    for reign in registry.since(judged["sequence"] if judged else 0):
        if _is_ours(reign, candidate):
            return _promotion(candidate, reign, registry, f"{reign.facts.reason} (promoted by an earlier attempt)")
    decision = _decision_beside(champion, candidate, registry)
    if not decision["promote"]:
        return _refusal(candidate, champion, decision)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "version"
        build_version(candidate, folder, registry.name)
        for _ in range(ATTEMPTS):
            try:
                reign = registry.promote(folder, candidate.facts(decision["reason"]), expected=champion)
                return _promotion(candidate, reign, registry, decision["reason"], previous=decision)
            except LostRace as error:
                print(f"publish: {error}", flush=True)
                champion = registry.champion()
                decision = _decision_beside(champion, candidate, registry)
                if not decision["promote"]:
                    return _refusal(candidate, champion, decision)
    decision["reason"] = f"lost {ATTEMPTS} races against other promoters; run again"
    return _refusal(candidate, champion, decision)


def build_version(candidate: Candidate, folder: Path, name: str) -> None:
    """Write everything a version holds and prove the export in a fresh process.

    Raises:
        ReplayError: The export answers otherwise than the model, or a mistaken preparation does better.
    """
    export(candidate.network, folder)
    write_golden_requests(candidate.network, candidate.split, folder)
    proof = replay_in_fresh_process(folder)
    print(
        f"publish: {proof['requests']} golden requests replayed on the export, "
        f"largest difference {proof['largest_difference']:.1e}",
        flush=True,
    )
    for file in COPIED:
        if (candidate.trained / file).is_file():
            (folder / file).write_bytes((candidate.trained / file).read_bytes())
    (folder / "evaluation.json").write_text(json.dumps(candidate.evaluation, indent=1) + "\n")
    facts = card_facts(candidate.evaluation, candidate.trained, name, None, proof)
    (folder / "model_card.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "model_card.md").write_text(card_markdown(facts))


def _require_same(candidate: Candidate) -> None:
    """Refuse an evaluation of something else: judged must be what is published."""
    for what, received in (("model_digest", candidate.network.digest), ("test_digest", candidate.split.digest)):
        expected = candidate.evaluation[what]
        if received != expected:
            raise StaleEvaluation(f"Expected {what} {expected}, as evaluated. Received: {received}. Rerun evaluate.")


def _is_ours(reign: Reign, candidate: Candidate) -> bool:
    """Say whether an earlier attempt of this very run promoted this very model."""
    facts = reign.facts
    return bool(candidate.run_name) and (facts.run, facts.model_digest) == (
        candidate.run_name,
        candidate.network.digest,
    )


def _decision_beside(champion: Reign | None, candidate: Candidate, registry: Registry) -> dict[str, Any]:
    """Return evaluate's decision if the champion is still the one it was made beside, else a new one."""
    judged = candidate.evaluation["champion"]
    if (judged["id"] if judged else None) == (champion.id if champion else None):
        return dict(candidate.evaluation["decision"])
    print("publish: the champion changed since the evaluation; judging again beside it", flush=True)
    answers = candidate.network.answers(candidate.split.images, raw=candidate.split.raw)
    with tempfile.TemporaryDirectory() as scratch:
        contender = score_champion(registry, candidate.split, Path(scratch))
        decision = decide(answers, candidate.split.labels, candidate.network.digest, candidate.floors, contender)
    hit = None if contender is None or contender.answers is None else contender.answers.argmax(axis=1)
    decision["champion_accuracy"] = None if hit is None else float((hit == candidate.split.labels).mean())
    return decision


def _champion_accuracy(candidate: Candidate, decision: dict[str, Any]) -> float | None:
    judged = candidate.evaluation["champion"] or {}
    return decision.get("champion_accuracy", judged.get("accuracy"))


def _promotion(
    candidate: Candidate, reign: Reign, registry: Registry, reason: str, previous: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "promoted": True,
        "version": reign.version,
        "accuracy": candidate.evaluation["accuracy"],
        "champion_accuracy": _champion_accuracy(candidate, previous or {}),
        "reason": reason,
        "uri": registry.uri(reign.version),
        "sequence": reign.sequence,
        "model_digest": candidate.network.digest,
    }


def _refusal(candidate: Candidate, champion: Reign | None, decision: dict[str, Any]) -> dict[str, Any]:
    return {
        "promoted": False,
        "version": champion.version if champion else 0,
        "accuracy": candidate.evaluation["accuracy"],
        "champion_accuracy": _champion_accuracy(candidate, decision),
        "reason": decision["reason"],
        "uri": "",
        "sequence": champion.sequence if champion else 0,
        "model_digest": candidate.network.digest,
    }


def _say(result: dict[str, Any]) -> None:
    said = f"PUBLISHED version={result['version']} at {result['uri']}" if result["promoted"] else "NOT PROMOTED"
    print(f"publish: {said}: {result['reason']}", flush=True)
