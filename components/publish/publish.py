"""Export the model, prove that the export predicts as the model does, and promote it if it may be promoted.

evaluation says no ──────────────────────────────▶ NOT PROMOTED
evaluation says yes ─▶ export ─▶ replay ─▶ compare-and-swap ─▶ PUBLISHED
                                              └─ lost: judge again beside the new champion, at most three times
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.publish.card import card_facts, card_markdown
from components.publish.forms import make_forms
from components.publish.provenance import write_provenance
from components.publish.replay import replay_in_fresh_process, write_golden_requests
from deep_mnist.contract.folder import acceptances_of
from deep_mnist.data.dataset import Dataset, open_dataset
from deep_mnist.export import TrainedNetwork, export
from deep_mnist.registry.judged_split import JudgedSplit, open_split
from deep_mnist.registry.metrics import record
from deep_mnist.registry.model_registry import ModelRegistryError, register
from deep_mnist.registry.pointer import Facts, LostRaceError, Promotion
from deep_mnist.registry.promotion import Floors, decide, describe_champion, score_champion
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import Trust
from deep_mnist.serving.model.profiling import profile_training_split
from deep_mnist.serving.model.reference_profile import write_profile
from deep_mnist.storage.store import StorageError

ATTEMPTS = 3
COPIED = ("model.keras", "preprocessing.json", "calibration.json", "training.json", "history.json")


class NotPromotedError(RuntimeError):
    """Promotion was required, and the model may not be promoted."""

    fix = "train a better model, or run without --require-promotion"


class StaleEvaluationError(ValueError):
    """The evaluation is of another model or another test split."""

    fix = "rerun evaluate"


@dataclass(frozen=True)
class PublishRequest:
    """What is requested of publish; see the component's parameters."""

    registry: str
    model_name: str
    require_promotion: bool = False
    run_name: str = ""
    model_registry: str = ""
    accept: Sequence[Mapping[str, Any]] = ()
    forms: Sequence[str] = ()


@dataclass(frozen=True)
class Candidate:
    """A judged model and everything that goes into its version folder; a new judgement replaces the old one here.

    Network and split are read when they are needed, so a model that may not be promoted is refused without TensorFlow.
    """

    dataset: Path
    trained: Path
    evaluation: dict[str, Any]
    run_name: str
    accepted: Sequence[Mapping[str, Any]] = ()
    forms: Sequence[str] = ()

    @cached_property
    def data(self) -> Dataset:
        return open_dataset(self.dataset)

    @cached_property
    def network(self) -> TrainedNetwork:
        network = TrainedNetwork.load(self.trained)
        self._require("model_digest", network.digest)
        return network

    @cached_property
    def split(self) -> JudgedSplit:
        split = open_split(self.data)
        self._require("test_digest", split.digest)
        return split

    def _require(self, what: str, received: str) -> None:
        """Refuse an evaluation of something else: what is published must be what was judged."""
        if received != self.evaluation[what]:
            raise StaleEvaluationError(
                f"Expected {what} {self.evaluation[what]}, as evaluated. Received: {received}. Fix: Rerun evaluate."
            )

    @property
    def floors(self) -> Floors:
        return Floors(**self.decision["floors"])

    @property
    def decision(self) -> dict[str, Any]:
        return self.evaluation["decision"]

    def facts(self) -> Facts:
        return Facts(
            model_digest=self.evaluation["model_digest"],
            data_digest=self.evaluation["data_digest"],
            test_digest=self.evaluation["test_digest"],
            accuracy=self.evaluation["accuracy"],
            examples=self.evaluation["examples"],
            reason=self.decision["reason"],
            run=self.run_name,
        )


def publish_from_paths(
    dataset: Path, trained: Path, evaluation: Path, promotion: Path, card: Path, request: PublishRequest
) -> dict[str, Any]:
    """Write the promotion (JSON) and the model card (Markdown); return the promotion.

    Raises:
        NotPromotedError: With `require_promotion`, when the model may not be promoted.
        StaleEvaluationError: The evaluation does not belong to this model and data.
        ReplayError: The exported model does not predict as the model does; nothing was uploaded.
        SignatureError: A key cannot be used, the champion is not what was signed, or the version must be signed and
            there is no key.
    """
    accepted = [*acceptances_of(open_dataset(dataset)), *request.accept]
    candidate = Candidate(
        dataset, trained, json.loads(evaluation.read_text()), request.run_name, accepted, request.forms
    )
    registry = Registry(request.registry, request.model_name, trust=Trust.from_environment())
    if swept := registry.sweep():
        print(f"publish: versions {swept}, left by promoters that were killed, are taken away", flush=True)
    result = promote(candidate, registry)
    promotion.parent.mkdir(parents=True, exist_ok=True)
    promotion.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    facts = card_facts(candidate.evaluation, trained, request.model_name, result, accepted=accepted)
    card.write_text(card_markdown(facts))
    _say(result)
    record(registry, outcome="promoted" if result["promoted"] else "not_promoted")
    _tell_model_registry(request.model_registry, registry)
    if request.require_promotion and not result["promoted"]:
        raise NotPromotedError(f"Expected the model to be promoted. Received: {result['reason']}")
    return result


def promote(candidate: Candidate, registry: Registry) -> dict[str, Any]:
    """Promote the candidate if it may be promoted, and say what came of it."""
    champion = registry.champion()
    judged = candidate.evaluation["champion"]
    for earlier in registry.since(judged["sequence"] if judged else 0):
        if _is_ours(earlier, candidate):
            return _outcome(candidate, earlier, f"{earlier.facts.reason} (promoted by an earlier attempt)", registry)
    if not _may_follow(champion, candidate, registry):
        return _outcome(candidate, champion, candidate.decision["reason"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "version"
        proof = export_version(candidate, folder)
        for _ in range(ATTEMPTS):
            describe_version(candidate, folder, registry.name, proof)
            try:
                promotion = registry.promote(folder, candidate.facts(), expected=champion)
                return _outcome(candidate, promotion, candidate.decision["reason"], registry)
            except LostRaceError as error:
                print(f"publish: {error}", flush=True)
            champion = registry.champion()
            if not _may_follow(champion, candidate, registry):
                return _outcome(candidate, champion, candidate.decision["reason"])
    return _outcome(candidate, champion, f"lost {ATTEMPTS} races against other promoters; run again")


def export_version(candidate: Candidate, folder: Path) -> dict[str, Any]:
    """Write what servers load, prove it in a fresh process, and return the proof; then the other forms.

    Raises:
        ReplayError: The export predicts otherwise than the model, or a mistaken preparation does better.
    """
    export(candidate.network, folder)
    write_golden_requests(candidate.network, candidate.split, folder)
    write_profile(profile_training_split(candidate.data, candidate.evaluation.get("confidence", ())), folder)
    proof = replay_in_fresh_process(folder)
    print(
        f"publish: {proof['requests']} golden requests replayed on the export, "
        f"largest difference {proof['largest_difference']:.1e}",
        flush=True,
    )
    candidate.evaluation["forms"] = make_forms(
        candidate.forms, candidate.trained, candidate.dataset, folder, candidate.evaluation["accuracy"]
    )
    return proof


def describe_version(candidate: Candidate, folder: Path, name: str, proof: dict[str, Any]) -> None:
    """Write what people look for beside what servers load: the Keras model, the evaluation, the card, the origin."""
    for file in COPIED:
        if (candidate.trained / file).is_file():
            (folder / file).write_bytes((candidate.trained / file).read_bytes())
    (folder / "evaluation.json").write_text(json.dumps(candidate.evaluation, indent=1) + "\n")
    facts = card_facts(candidate.evaluation, candidate.trained, name, None, proof, accepted=candidate.accepted)
    (folder / "model_card.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "model_card.md").write_text(card_markdown(facts))
    write_provenance(folder, facts, candidate.run_name)


def _is_ours(promotion: Promotion, candidate: Candidate) -> bool:
    """Say whether an earlier attempt of this very run promoted this very model."""
    facts = promotion.facts
    return bool(candidate.run_name) and (facts.run, facts.model_digest) == (
        candidate.run_name,
        candidate.evaluation["model_digest"],
    )


def _may_follow(champion: Promotion | None, candidate: Candidate, registry: Registry) -> bool:
    """Say whether the candidate may follow this champion; judge again if the evaluation was beside another."""
    judged = candidate.evaluation["champion"]
    if (judged["id"] if judged else None) != (champion.id if champion else None):
        print("publish: the champion changed since the evaluation; judging again beside it", flush=True)
        split, network = candidate.split, candidate.network
        predictions = network.predict(split.images, raw=split.raw)
        with tempfile.TemporaryDirectory() as scratch:
            contender = score_champion(registry, split, Path(scratch))
        names = candidate.evaluation["class_names"]
        decision = decide(predictions, split.labels, network.digest, candidate.floors, contender, names)
        candidate.evaluation.update(decision=decision, champion=describe_champion(contender, split))
    return bool(candidate.decision["promote"])


def _outcome(
    candidate: Candidate, promotion: Promotion | None, reason: str, registry: Registry | None = None
) -> dict[str, Any]:
    """Return what came of it; with the registry when the model was promoted, and `promotion` is then its own."""
    judged = candidate.evaluation["champion"]
    return {
        "promoted": registry is not None,
        "version": promotion.version if promotion else 0,
        "accuracy": candidate.evaluation["accuracy"],
        "champion_accuracy": judged["accuracy"] if judged else None,
        "reason": reason,
        "uri": registry.uri(promotion.version) if registry and promotion else "",
        "sequence": promotion.sequence if promotion else 0,
        "model_digest": candidate.evaluation["model_digest"],
    }


def _tell_model_registry(url: str, registry: Registry) -> None:
    """Bring Kubeflow's Model Registry up to date; when that fails, the next publish repairs it."""
    if not url:
        return
    try:
        versions = register(url, registry)
        print(f"publish: versions {versions} are new in the Model Registry at {url}", flush=True)
    except (ModelRegistryError, StorageError) as error:
        print(f"warning: the Model Registry was not updated; the next publish will do it: {error}", flush=True)


def _say(result: dict[str, Any]) -> None:
    """Print what came of it; `python -m pipeline watch` shows this line."""
    accuracy, champion = f"accuracy={result['accuracy']:.4f}", result["champion_accuracy"]
    if result["promoted"]:
        said = f"PUBLISHED version={result['version']} {accuracy} at {result['uri']}"
    else:
        said = f"NOT PROMOTED {accuracy}" + (f" champion={champion:.4f}" if champion is not None else "")
    print(f"publish: {said}: {result['reason']}", flush=True)
