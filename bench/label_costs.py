"""What a search through the labels costs, and what it brings: for `bench.labels`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from bench.training import CALLERS, prepare
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import open_dataset, write_dataset
from deep_mnist.labels.predict import Predictor, as_network_takes
from deep_mnist.labels.search import search
from deep_mnist.labels.source import LabelledSplit

SEEDS = range(5)


def cost_ratio(work: Path) -> float:
    """Return the processor time of `python -m deep_mnist.labels mnist` over one training's, both whole processes."""
    prepare(work)
    training = _processor_time("-m", "bench.label_costs", str(work / "fast"), str(work / "once"), "0")
    out = work / "timed"
    searched = _processor_time("-m", "deep_mnist.labels", "mnist", "--network", "fast", "--out", str(out))
    print(f"one training {training:.0f} s of processor time, the search {searched:.0f} s", flush=True)
    return searched / training


def _processor_time(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**CALLERS, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def corrected_trainings(source: LabelledSplit, share: float, work: Path) -> Iterator[str]:
    """Yield lines that compare trainings on changed labels with trainings on what the search makes of them.

    Of "relabelled" every suspect gets the suggested class, as if a person agreed with each; of "dropped" none is
    learned; "unchanged" has the labels as they were.
    """
    from bench.labels import changed_labels

    given = changed_labels(source, "uniform", share)
    found = search(replace(source, given=given), Predictor("fast"), work / "folds")
    suspects = np.array([each.index for each in found.of_kind("label")], np.int64)
    relabelled = given.copy()
    relabelled[suspects] = found.ranking.suggested[suspects]
    everything, kept = np.arange(len(given)), np.setdiff1d(np.arange(len(given)), suspects)
    sets = {
        "unchanged": (source.given, everything),
        f"{share:.0%} changed": (given, everything),
        "suspects relabelled": (relabelled, everything),
        "suspects dropped": (given, kept),
    }
    yield f"test accuracy of `fast` on {len(given)} examples, {len(SEEDS)} seeds, mean ± deviation"
    for name, (labels, rows) in sets.items():
        folder = work / f"set {name}"
        _write_set(folder, replace(source, images=source.images[rows], given=labels[rows]), work)
        accuracies = [_accuracy(folder, work / "trained", seed) for seed in SEEDS]
        yield f"  {name:22} {100 * mean(accuracies):.2f} ± {100 * stdev(accuracies):.2f} %"


def _write_set(folder: Path, source: LabelledSplit, work: Path) -> None:
    """Write a dataset with these training labels, the last twelfth to validate, and MNIST's own test split."""
    images, labels, record = as_network_takes(source, resolve_contract("fast"))
    cut = len(labels) * 11 // 12
    test = open_dataset(work / "fast")
    arrays = {"train_images": images[:cut], "train_labels": labels[:cut]}
    arrays |= {"validation_images": images[cut:], "validation_labels": labels[cut:]}
    arrays |= {"test_images": np.asarray(test.images("test")), "test_labels": np.asarray(test.labels("test"))}
    write_dataset(folder, arrays, record)


def _accuracy(folder: Path, out: Path, seed: int) -> float:
    command = [sys.executable, "-m", "bench.label_costs", str(folder), str(out), str(seed)]
    environment = {**CALLERS, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(ended.stdout.splitlines()[-1])["accuracy"])


def train_once(folder: Path, out: Path, seed: int) -> float:
    """Return the test accuracy of `fast`, trained as the step does."""
    import keras

    from components.train.request import TrainRequest
    from components.train.train import train

    train(folder, out, out / "curves.html", TrainRequest(network="fast", seed=seed))
    dataset = open_dataset(folder)
    model = keras.saving.load_model(out / "model.keras", compile=False)
    predicted = model.predict(np.asarray(dataset.images("test")), batch_size=1000, verbose=0).argmax(1)
    return float((predicted == dataset.labels("test")).mean())


if __name__ == "__main__":
    print(json.dumps({"accuracy": train_once(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))}))
