"""python -m bench.rehearsal [--seeds 20] [--drawn 8]: the cost of a rehearsal, and its alarms on sound networks.

Each built-in network that can be trained is rehearsed on real MNIST (a random 1,024 of the training images) with as
many seeds; every error or warning is a false alarm. Printed are the alarms, the median seconds and steps, beside the
seconds that one epoch of the whole training split would take at the measured rate, and the process's peak memory.
Then as many sound trainings of each kind of `healthy_trainings.py` as --drawn says are drawn from seeds and rehearsed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.claims import Claim, tell
from bench.healthy_trainings import KINDS
from deep_mnist.data.fetch_known import known_dataset
from deep_mnist.data.known import KNOWN
from deep_mnist.doctor.finding import Finding

NETWORKS = ("fast", "deep_mnist", "example2", "example3")
MOST_SECONDS = 20.0


def main() -> int:
    """Rehearse and print the table; return 1 when a sound network was alarmed or the time limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehearsal", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--drawn", type=int, default=8, help="trainings of each kind")
    parser.add_argument("--first", type=int, default=0, help="their first seed")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = known_dataset(KNOWN["mnist"]).folder
    images = np.load(folder / "train_images.npy", mmap_mode="r")
    labels = np.load(folder / "train_labels.npy")
    print(f"{'network':12} {'seeds':>5} {'alarms':>6} {'seconds':>8} {'steps':>5} {'an epoch':>9}")
    good = True
    for name in filter(None, options.networks.split(",")):
        good &= _measure(name, images, labels, options.seeds)
    good &= _measure_drawn(range(options.first, options.first + options.drawn))
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


def _measure_drawn(seeds: range) -> bool:
    """Print the alarms on drawn trainings, each with its kind and seed; return whether there were none."""
    alarms, count = 0, 0
    for kind in KINDS:
        for seed in seeds:
            found = [each for each in rehearse_drawn(kind, seed) if each.severity != "note"]
            alarms, count = alarms + len(found), count + 1
            for each in found:
                print(f"    {kind}, seed {seed}: {each.sentence()}", flush=True)
    return tell(Claim(f"rehearsal: false alarms on {count} trainings of {len(KINDS)} kinds", alarms, 0, digits=0))


def rehearse_drawn(kind: str, seed: int) -> Sequence[Finding]:
    """Return what a rehearsal finds of the training that a seed draws of a kind."""
    import keras

    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    keras.utils.set_random_seed(seed)
    drawn = KINDS[kind](np.random.default_rng((seed, zlib.crc32(kind.encode()))))
    sizes = {"batch_size": drawn.batch_size, "epochs": drawn.epochs, "examples": len(drawn.x)}
    found = rehearse(drawn.model, drawn.x, drawn.y, seed=seed, **sizes).findings
    keras.backend.clear_session()
    return found


if __name__ == "__main__":
    sys.exit(main())
