"""Measure a trained model on the frozen test split, beside the champion, and say whether it may take its place."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate import measures
from components.evaluate.report import html, markdown, temperature_sentence
from components.evaluate.robustness import robustness
from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.export import ServingError, TrainedNetwork
from deep_mnist.lineage import versions_line
from deep_mnist.outputs import probabilities
from deep_mnist.registry.comparison import is_correct
from deep_mnist.registry.judged_split import JudgedSplit, open_split
from deep_mnist.registry.promotion import Floors, decide, describe_champion, score_champion
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import Trust


def evaluate_from_paths(
    dataset: Path,
    trained: Path,
    evaluation: Path,
    report: Path,
    summary: Path,
    *,
    registry: str,
    model_name: str,
    floors: Floors,
) -> dict[str, Any]:
    """Write the evaluation as JSON, HTML and Markdown and return it.

    Args:
        dataset: Folder written by preprocess.
        trained: Folder written by train.
        evaluation: Receives the JSON file that publish reads.
        report: Receives the HTML page.
        summary: Receives the Markdown page.
        registry: Address of the registry whose champion is scored beside the model; "" compares with nothing.
        model_name: Name under which the champion is registered there.
        floors: What the model must reach to be promoted.
    """
    started = time.monotonic()
    opened = open_dataset(dataset)
    split = open_split(opened)
    network = TrainedNetwork.load(trained)
    outputs = network.outputs(split.images, raw=split.raw)
    predictions = probabilities(outputs, network.kind, network.calibration.temperature)
    _check_labels(split, predictions)
    names = opened.names_of_classes(predictions.shape[1])
    with tempfile.TemporaryDirectory() as scratch:
        models = Registry(registry, model_name, trust=Trust.from_environment()) if registry else None
        champion = score_champion(models, split, Path(scratch)) if models else None
    result = {
        "format": 1,
        "model_name": model_name,
        "model_digest": network.digest,
        "data_digest": opened.digest,
        "test_digest": split.digest,
        "split": split.name,
        "class_names": names,
        **measure(predictions, split),
        "temperature": temperature_facts(network, outputs, predictions, split),
        "robustness": robustness(network, split),
        "champion": describe_champion(champion, split),
        "decision": decide(predictions, split.labels, network.digest, floors, champion, names),
    }
    result["seconds"] = round(time.monotonic() - started, 2)
    write_json(evaluation, result)
    report.write_text(html(result))
    summary.write_text(markdown(result))
    _say(result)
    _tell_versions(result, trained)
    return result


def measure(predictions: np.ndarray, split: JudgedSplit) -> dict[str, Any]:
    """Return every measure of one model's predictions, float64 (n, classes), on a split."""
    labels, classes = split.labels, predictions.shape[1]
    matrix = measures.confusion_matrix(predictions.argmax(axis=1), labels, classes)
    correct = int(is_correct(predictions, labels).sum())
    return {
        "accuracy": correct / len(labels),
        "accuracy_interval": measures.wilson(correct, len(labels)),
        "loss": measures.cross_entropy(predictions, labels),
        "examples": len(labels),
        "confusion_matrix": matrix,
        "per_class": measures.per_class(matrix),
        "roc": measures.roc_curves(predictions, labels),
        "roc_micro": measures.micro_roc(predictions, labels),
        "calibration": measures.calibration(predictions, labels),
        "confidence": measures.confidence_quantiles(predictions),
        "worst": measures.worst_errors(predictions, labels, split.images),
    }


def temperature_facts(
    network: TrainedNetwork, outputs: np.ndarray, predictions: np.ndarray, split: JudgedSplit
) -> dict[str, Any]:
    """Return the model's temperature, and the calibration error that it has without it.

    Raises:
        ServingError: The temperature changes a predicted class.
    """
    without = probabilities(outputs, network.kind)
    changed = int((without.argmax(axis=1) != predictions.argmax(axis=1)).sum())
    if changed:
        raise ServingError(
            f"Expected a temperature that changes no predicted class. Received: {changed} changed. Fix: Train again."
        )
    return {**network.calibration.to_dict(), "ece_without": measures.calibration(without, split.labels)["ece"]}


def _check_labels(split: JudgedSplit, predictions: np.ndarray) -> None:
    low, high = int(split.labels.min()), int(split.labels.max())
    if len(split.labels) != len(predictions) or low < 0 or high >= predictions.shape[1]:
        raise DatasetError(
            f"Expected {len(predictions)} {split.name} labels in 0..{predictions.shape[1] - 1}, one for each image. "
            f"Received: {len(split.labels)} in {low}..{high}. Fix: Run validate on the data."
        )


def write_json(path: Path, value: Any) -> None:
    """Write finite JSON; a bare NaN would be refused downstream, hours later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def kfp_metrics(result: dict[str, Any]) -> dict[str, float]:
    """Return what goes to KFP's table of metrics: finite Python floats."""
    floats = {
        "accuracy": result["accuracy"],
        "accuracy_low_95": result["accuracy_interval"][0],
        "accuracy_high_95": result["accuracy_interval"][1],
        "loss": result["loss"],
        "worst_class_accuracy": min(row["accuracy"] for row in result["per_class"] if row["examples"]),
        "calibration_error": result["calibration"]["ece"],
        "temperature": result["temperature"]["temperature"],
        "auc_micro": result["roc_micro"]["auc"],
        "promotable": float(result["decision"]["promote"]),
        **{f"accuracy_{row['name']}": row["accuracy"] for row in result["robustness"] if row["name"] != "none"},
    }
    if result["champion"] and result["champion"]["accuracy"] is not None:
        floats["champion_accuracy"] = result["champion"]["accuracy"]
    return {name: float(value) for name, value in floats.items() if math.isfinite(value)}


def _tell_versions(result: dict[str, Any], trained: Path) -> None:
    """Print by what digests a run's lineage knows what was judged."""
    path = trained / "training.json"
    weights = json.loads(path.read_text()).get("weights_sha256", "") if path.is_file() else ""
    print(versions_line(dataset=result["data_digest"], trained=weights, model=result["model_digest"]), flush=True)


def _say(result: dict[str, Any]) -> None:
    low, high = result["accuracy_interval"]
    print(
        f"evaluate: {result['split']} accuracy {result['accuracy']:.4f} (95 % {low:.4f} to {high:.4f}) "
        f"on {result['examples']} images, loss {result['loss']:.4f}, "
        f"calibration error {result['calibration']['ece']:.4f} "
        f"({temperature_sentence(result['temperature'])})"
    )
    if champion := result["champion"]:
        print(f"evaluate: champion version {champion['version']} accuracy {champion['accuracy']} on the same images")
    verb = "may be promoted" if result["decision"]["promote"] else "not promoted"
    print(f"evaluate: {verb}: {result['decision']['reason']}", flush=True)
