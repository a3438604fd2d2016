"""python -m bench.training: accuracy of `fast` over five seeds, and its time against the seed document's Example 2.

    python -m bench.training --seeds 30   # a record as speed runs tell it: mean and deviation, with and without warm-up

Each training is a fresh process, and Example 2 (`model.fit`, 5 epochs, batch 32, as the document has it) runs
between them, so that whatever else keeps this machine busy weighs on both. Seconds count from the data in memory
to the trained model: building, tracing, training, and the score of each epoch; imports are left out for both.
Example 2 runs with TensorFlow's own switches, as its reader gets it; the training step sets its own.
The test split is read here only, to report; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.claims import Claim, tell

CALLERS = dict(os.environ)  # before `components` sets TensorFlow's switches, which Example 2 does without

TRAININGS = ("fast 0", "fast 1", "example2", "fast 2", "fast 3", "fast 4")
ACCURACY, WALL, CPU = 0.9955, 0.28, 1.0
MORE_ACCURATE, LONGER = 0.996, 0.4  # are as good


def record(seeds: int) -> int:
    """Print a line a seed and an Example 2 before and after them, then means and deviations; they have no goal."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        before = measure("example2", Path(folder))
        found = [measure(f"fast {seed}", Path(folder)) for seed in range(seeds)]
        example = statistics.mean([before["seconds"], measure("example2", Path(folder))["seconds"]])
    for name, shown in (
        ("test accuracy, %", [100 * each["accuracy"] for each in found]),
        ("wall seconds, warm-up included", [each["seconds"] for each in found]),
        ("wall seconds, warm-up excluded", [each["warm_seconds"] for each in found]),
        ("wall over Example 2's", [each["seconds"] / example for each in found]),
        ("processor seconds", [each["cpu_seconds"] for each in found]),
    ):
        middle, spread = statistics.median(shown), statistics.stdev(shown)
        print(
            f"{name:32}mean {statistics.mean(shown):8.3f}  deviation {spread:6.3f}  "
            f"median {middle:8.3f}  least {min(shown):8.3f}  most {max(shown):8.3f}"
        )
    return 0


def main() -> int:
    """Print a line a training, then medians and ratios with their goals; 0 when all are met."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        found = [measure(training, Path(folder)) for training in TRAININGS]
    fast = [each for each in found if each["training"].startswith("fast")]
    example = next(each for each in found if each["training"] == "example2")
    accuracy = statistics.median(each["accuracy"] for each in fast)
    ratio = statistics.median(each["seconds"] for each in fast) / example["seconds"]
    cpu = statistics.median(each["cpu_seconds"] for each in fast) / example["cpu_seconds"]
    met = tell(
        Claim("fast: test accuracy, median of 5 seeds", accuracy, ACCURACY, at_least=True, digits=4),
        Claim("fast: wall time over Example 2's", ratio, LONGER if accuracy >= MORE_ACCURATE else WALL),
        Claim("fast: processor time over Example 2's", cpu, CPU),
    )
    return 0 if met else 1


def prepare(folder: Path) -> None:
    """Download MNIST and write what the network `fast` asks for."""
    from components.download.download import download_dataset
    from components.preprocess.preprocess import preprocess_dataset
    from deep_mnist.contract.load import resolve_contract

    download_dataset("mnist", folder / "raw")
    preprocess_dataset(folder / "raw", resolve_contract("fast"), folder / "fast", source="mnist")


def measure(training: str, folder: Path) -> dict[str, Any]:
    """Run one training in a process of its own and print its line."""
    environment = {**CALLERS, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "bench.training", "--one", training, str(folder)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(
        f"{training:10} test accuracy {found['accuracy']:.4f}  {found['seconds']:6.1f} s  "
        f"{found['cpu_seconds']:6.1f} CPU s",
        flush=True,
    )
    return found


def run_fast(seed: int, folder: Path) -> dict[str, Any]:
    """Train `fast` as the step does."""
    from components.train.request import TrainRequest
    from components.train.train import train

    out = folder / f"fast{seed}"
    began = time.process_time()
    train(folder / "fast", out, out / "curves.html", TrainRequest(network="fast", seed=seed))
    cpu = time.process_time() - began
    times = json.loads((out / "training.json").read_text())["times"]

    import keras
    import numpy as np

    model = keras.saving.load_model(out / "model.keras", compile=False)
    images, labels = (np.load(folder / "fast" / f"test_{kind}.npy") for kind in ("images", "labels"))
    correct = model.predict(images, batch_size=1000, verbose=0).argmax(1) == labels
    return {
        "accuracy": float(correct.mean()),
        "seconds": times["fit_seconds"],
        "warm_seconds": times["training_seconds"],  # without building and tracing
        "cpu_seconds": cpu,
    }


def run_example2(folder: Path) -> dict[str, Any]:
    """Train the seed's Example 2 as the document does, on all 60,000 images."""
    import keras  # and with it TensorFlow, before the training step's package sets switches of its own
    import numpy as np

    from components.train.networks import NETWORKS

    def read(split: str) -> tuple[np.ndarray, np.ndarray]:
        images, labels = (np.load(folder / "raw" / f"{split}_{kind}.npy") for kind in ("images", "labels"))
        return images.reshape(-1, 28, 28, 1).astype("float32") / 255.0, keras.utils.to_categorical(labels, 10)

    images, labels = read("train")
    began, cpu_began = time.perf_counter(), time.process_time()
    model = NETWORKS["example2"].build()
    model.fit(images, labels, epochs=5, verbose=0)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    _, accuracy = model.evaluate(*read("test"), batch_size=1000, verbose=0)
    return {"accuracy": float(accuracy), "seconds": seconds, "cpu_seconds": cpu}


def child(training: str, folder: Path) -> int:
    """Run one training here and print its figures as the last line."""
    name, _, seed = training.partition(" ")
    found = run_fast(int(seed), folder) if name == "fast" else run_example2(folder)
    print(json.dumps({"training": training, **found}))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.training")
    parser.add_argument("--seeds", type=int, help="a record over so many, two at least")
    parser.add_argument("--one", nargs=2, metavar=("TRAINING", "FOLDER"), help="one training, in this process")
    options = parser.parse_args()
    if options.seeds is not None and options.seeds < 2:
        parser.error("Expected two seeds at least: one has no deviation.")
    if options.one:
        sys.exit(child(options.one[0], Path(options.one[1])))
    sys.exit(main() if options.seeds is None else record(options.seeds))
