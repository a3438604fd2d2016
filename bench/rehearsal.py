"""python -m bench.rehearsal [--seeds 20]: what a rehearsal costs, and how often it is wrong about sound networks.

Each built-in network that can be trained is rehearsed on real MNIST (a random 1,024 of the training images) with as
many seeds; every error or warning is a false alarm. Printed are the alarms, the median seconds and steps, beside the
seconds that one epoch of the whole training split would take at the measured rate, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
from typing import Any

import numpy as np

from bench.claims import Claim, tell
from deep_mnist.data.fetch_known import known_dataset
from deep_mnist.data.known import KNOWN

NETWORKS = ("fast", "deep_mnist", "example2", "example3")
MOST_SECONDS = 20.0


def main() -> int:
    """Rehearse and print the table; return 1 when a sound network was alarmed or the time limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehearsal", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = known_dataset(KNOWN["mnist"]).folder
    images = np.load(folder / "train_images.npy", mmap_mode="r")
    labels = np.load(folder / "train_labels.npy")
    print(f"{'network':12} {'seeds':>5} {'alarms':>6} {'seconds':>8} {'steps':>5} {'an epoch':>9}")
    good = True
    for name in options.networks.split(","):
        good &= _measure(name, images, labels, options.seeds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"peak memory {peak} MiB, TensorFlow's own included")
    return 0 if good else 1


def _measure(name: str, images: np.ndarray, labels: np.ndarray, seeds: int) -> bool:
    shown = [_rehearse(name, images, labels, seed) for seed in range(seeds)]
    alarms = [each for rehearsal in shown for each in rehearsal.findings if each.severity != "note"]
    seconds = statistics.median(each.seconds for each in shown)
    steps = statistics.median(each.steps for each in shown)
    epoch = statistics.median(each.facts["seconds_per_step"] for each in shown) * len(images) / 32
    print(f"{name:12} {seeds:5} {len(alarms):6} {seconds:8.1f} {steps:5.0f} {epoch:7.0f} s", flush=True)
    for each in alarms:
        print(f"    {each.sentence()}")
    return tell(
        Claim(f"rehearsal: false alarms on {name}, {seeds} seeds", len(alarms), 0, digits=0),
        Claim(f"rehearsal: median seconds of {name}", seconds, MOST_SECONDS),
    )


def _rehearse(name: str, images: np.ndarray, labels: np.ndarray, seed: int) -> Any:
    import keras

    from components.train.networks import NETWORKS as BUILT_IN
    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    keras.utils.set_random_seed(seed)
    model = BUILT_IN[name].build()
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:1024])
    x: np.ndarray = np.asarray(images[rows])[..., np.newaxis]
    y: np.ndarray = labels[rows]
    if name.startswith("example"):
        x, y = (x / 255).astype(np.float32), np.eye(10, dtype=np.float32)[y]
    rehearsal = rehearse(model, x, y, batch_size=32, examples=len(images), seed=seed)
    keras.backend.clear_session()
    return rehearsal


if __name__ == "__main__":
    sys.exit(main())
