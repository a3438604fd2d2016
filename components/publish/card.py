"""The model card: what a model is, what it was made of, how good it is and how to make it again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.images import provenance
from deep_mnist.html import template

TRAINING = ("seed", "recipe", "versions", "device", "times", "code_digest")
_MARKDOWN = template(Path(__file__).with_name("card.md.j2"))


def card_facts(
    evaluation: Mapping[str, Any],
    trained: Path,
    name: str,
    promotion: Mapping[str, Any] | None,
    proof: Mapping[str, Any] | None = None,
    *,
    accepted: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the card as plain values.

    Args:
        evaluation: What evaluate wrote.
        trained: Folder that train wrote.
        name: Of the model in the registry.
        promotion: What came of publishing; None in the card that lies in the version folder, which is written before.
        proof: Result of the golden requests' replay, when there was one.
        accepted: What a person took responsibility for: rule or field, split (absent: any), because.
    """
    training = _read(trained / "training.json")
    record = _read(trained / "preprocessing.json")
    return {
        "format": 1,
        "name": name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "promotion": promotion,
        "accepted": [dict(each) for each in accepted],
        "intended_use": _intended_use(evaluation, record),
        "network": {
            "name": training.get("network"),
            "own_model": training.get("model") or None,
            "parameters": training.get("parameters"),
            "digest": evaluation["model_digest"],
        },
        "data": _data(evaluation, record),
        "preprocessing": record,
        "made_by": json.loads(os.environ.get("DEEP_MNIST_PROVENANCE") or provenance()),
        "training": {key: training.get(key) for key in TRAINING},
        "metrics": _metrics(evaluation),
        "decision": evaluation["decision"],
        "champion": evaluation["champion"],
        "replay": dict(proof) if proof else None,
        "forms": list(evaluation.get("forms", ())),
        "reproduce": _reproduce(training, record),
    }


def _intended_use(evaluation: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    return {
        "for": f"Recognising one centred grey image of {_sides(record)} pixels as one of "
        f"{len(evaluation['per_class'])} classes, images like those of {record.get('source') or 'its dataset'}.",
        "not_for": "Images of other origin without measuring first, decisions about people, and inputs that may "
        "belong to no class: the model always predicts one.",
    }


def _data(evaluation: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": record.get("source"),
        "digest": evaluation["data_digest"],
        "source_digests": record.get("source_digests", {}),
        "split_seed": record.get("split_seed"),
        "validation_fraction": record.get("validation_fraction"),
        "judged_on": evaluation["split"],
        "test_digest": evaluation["test_digest"],
        "prepared_by_user": record.get("prepared"),
        "labels_changed": card_changes(record),
    }


def card_changes(record: Mapping[str, Any]) -> str:
    """Return what a labels.yaml changed, "" without one.

    >>> card_changes({"label_changes": {"digest": "ab" * 32, "relabelled": 3, "dropped": 2, "unmatched": 0}})
    '3 relabelled, 2 dropped (labels.yaml, SHA-256 abababababab…)'
    """
    changes = record.get("label_changes")
    if not changes:
        return ""
    counts = f"{changes['relabelled']} relabelled, {changes['dropped']} dropped"
    return f"{counts} (labels.yaml, SHA-256 {changes['digest'][:12]}…)"


def _metrics(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return every measure, shares with their intervals."""
    return {
        "accuracy": _with_interval({**evaluation, "interval": evaluation["accuracy_interval"]}),
        "loss": evaluation["loss"],
        "calibration_error": evaluation["calibration"]["ece"],
        "temperature": evaluation["temperature"],
        "classes": {str(row["label"]): _of_class(row, evaluation["class_names"]) for row in evaluation["per_class"]},
        "robustness": {row["name"]: {**_with_interval(row), "how": row["how"]} for row in evaluation["robustness"]},
        "interval": "Wilson, 95 %",
    }


def card_markdown(facts: Mapping[str, Any]) -> str:
    """Return the card as a page to read."""
    return _MARKDOWN.render(c=facts)


def _read(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text()) if path.is_file() else None
    return value if isinstance(value, dict) else {}


def _sides(record: Mapping[str, Any]) -> str:
    return "x".join(str(side) for side in record.get("image_shape", ()) if side != 1) or "unknown"


def _with_interval(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["interval"]
    return {"value": row["accuracy"], "low": low, "high": high, "examples": row["examples"]}


def _of_class(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {"name": names[row["label"]], **_with_interval(row)}


def _reproduce(training: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Return the command that makes this model again, on the code whose digests the card gives."""
    own, source = training.get("model"), record.get("source")
    epochs = (training.get("recipe") or {}).get("epochs")
    words = [
        "make run",
        f"DATASET={shlex.quote(source) if source else '…'}",
        f"MODEL={shlex.quote(own)}" if own else f"NETWORK={training.get('network') or '…'}",
        f"SEED={training.get('seed', 0)}",
        *([f"EPOCHS={epochs}"] if epochs else []),
        *(["ARGS='--labels labels.yaml'"] if record.get("label_changes") else []),
    ]
    return " ".join(words)
