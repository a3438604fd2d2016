"""Does a scheduled run have anything new to train on?

    <registry>/<name>/retraining/judged/<fingerprint>.json      these data, with this recipe, were trained on and judged
    <registry>/<name>/retraining/slots/<slot>/<fingerprint>     the run that took this slot of the schedule

A fingerprint is that of the data and of the recipe. What was judged is not trained again, promoted or not; what failed
is tried again in the next slot. A slot is taken by one conditional write, so a schedule that fires twice trains once;
a task that Kubernetes starts again finds its own run's claim and goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deep_mnist.contract.folder import contract_of
from deep_mnist.data.dataset import open_dataset
from deep_mnist.registry.metrics import record, slot_seconds
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.store import ABSENT, NotFoundError, PreconditionFailedError


@dataclass(frozen=True)
class TrainingIdentity:
    """What decides, besides the data, which model a training gives; see `compare`."""

    network: str
    model: str
    epochs: int
    seed: int
    code: str


def compare_with_registry(
    dataset: str, recipe: TrainingIdentity, registry: str, model_name: str, slot: str, run_id: str, attempt: str
) -> bool:
    """Compare as the step does: paths in, the result out, printed and written."""
    opened = open_dataset(Path(dataset))
    digest = opened.digest
    models = Registry(registry, model_name)
    described = {**asdict(recipe), "own_model": contract_of(opened).model_digest}
    fingerprint = hashlib.sha256(json.dumps([digest, described], sort_keys=True).encode()).hexdigest()
    path = Path(attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {"fingerprint": fingerprint, "data_digest": digest, "recipe": described, "slot": slot, "run": run_id}
        )
    )
    judged = _known(models, fingerprint, digest, described)
    record(models, outcome="unchanged" if judged else "", slot=slot)
    known = judged or _taken(models, fingerprint, slot, run_id)
    new = f"changed: data {digest[:12]} have not been trained on with this recipe"
    print(f"unchanged: {known}" if known else new, flush=True)
    return not known


def remember_in_registry(attempt: str, promotion: str, registry: str, model_name: str) -> None:
    """Write what was judged; a repetition writes the same again."""
    facts = json.loads(Path(attempt).read_text())
    decided = json.loads(Path(promotion).read_text())
    judgement = {
        **facts,
        "promoted": decided.get("promoted"),
        "version": decided.get("version"),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    models = Registry(registry, model_name)
    models.store.write(_judged_key(model_name, facts["fingerprint"]), json.dumps(judgement, indent=1).encode())
    print(f"remembered: data {facts['data_digest'][:12]}, promoted: {judgement['promoted']}", flush=True)


def _known(models: Registry, fingerprint: str, digest: str, described: Mapping[str, Any]) -> str:
    """Return why there is nothing to train, "" if there is."""
    try:
        judgement = json.loads(models.store.read(_judged_key(models.name, fingerprint))[0])
        outcome = f"promoted as version {judgement['version']}" if judgement["promoted"] else "not promoted"
        return f"data {digest[:12]} with this recipe were judged at {judgement['time']} and {outcome}"
    except NotFoundError:
        pass
    champion = models.champion()
    if (
        champion is None
        or champion.facts.data_digest != digest
        or models.store.list(f"{models.name}/retraining/judged/")
    ):
        return ""
    # Nothing was ever judged on a schedule: the champion comes from a run that somebody started.
    return _as_champion(models, champion.version, digest, described)


def _as_champion(models: Registry, version: int, digest: str, described: Mapping[str, Any]) -> str:
    """Return that the champion is what these data and this recipe give; "" where any of it differs, or is not said."""
    try:
        trained = json.loads(models.store.read(f"{models.name}/{version}/training.json")[0])
        made_by = json.loads(models.store.read(f"{models.name}/{version}/model_card.json")[0])["made_by"]
        epochs = (trained["requested_epochs"], trained["recipe"]["epochs"])
        known = {
            "network": described["network"] if described["model"] else trained["network"],
            "model": trained["model"],
            "own_model": trained["model_digest"],
            "epochs": described["epochs"] if described["epochs"] in epochs else None,
            "seed": trained["seed"],
            "code": made_by["train"]["image"],
        }
    except (NotFoundError, KeyError, TypeError, ValueError):
        return ""
    return f"version {version}, the champion, was trained on data {digest[:12]}" if known == dict(described) else ""


def _taken(models: Registry, fingerprint: str, slot: str, run_id: str) -> str:
    """Take the slot for this run; return who has it already, "" if we do."""
    if slot_seconds(slot) is None:
        return ""
    key = f"{models.name}/retraining/slots/{slot.replace(':', '')}/{fingerprint}"
    try:
        models.store.write(key, run_id.encode(), if_generation=ABSENT)
    except PreconditionFailedError:
        holder = models.store.read(key)[0].decode()
        return "" if holder == run_id else f"run {holder} has taken the slot {slot}"
    return ""


def _judged_key(name: str, fingerprint: str) -> str:
    return f"{name}/retraining/judged/{fingerprint}.json"
