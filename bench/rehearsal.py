"""python -m bench.rehearsal [--seeds 20] [--drawn 8]: the cost of a rehearsal, and its alarms on sound networks.

Each built-in network that can be trained is rehearsed on real MNIST (a random 1,024 of the training images) with as
many seeds; every error or warning is a false alarm. Printed are the alarms, the median seconds and steps of the first
seeds, which run alone, beside the seconds that one epoch of the whole training split would take at the measured rate,
and the process's peak memory. The other seeds, and as many sound trainings of each kind of `healthy_trainings.py` as
--drawn says, are only judged, in as many processes as there are cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.claims import Claim, tell
from bench.healthy_trainings import KINDS
from deep_mnist.data.fetch_known import known_dataset
from deep_mnist.data.known import KNOWN
from deep_mnist.doctor.finding import Finding

NETWORKS = ("fast", "deep_mnist", "example2", "example3")
TRAINING_IMAGES = 60_000
TIMED = 5  # seeds of each network, which nothing else runs beside
MOST_SECONDS = 20.0


def main() -> int:
    """Rehearse and print the table; return 1 when a sound network was alarmed or the time limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehearsal", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--drawn", type=int, default=8, help="trainings of each kind")
    parser.add_argument("--first", type=int, default=0, help="their first seed")
    options = parser.parse_args()
    names = [name for name in options.networks.split(",") if name]
    if options.seeds < 1 or not set(names) <= set(NETWORKS):
        parser.error(f"Expected one seed at least and networks of {', '.join(NETWORKS)}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = known_dataset(KNOWN["mnist"]).folder
    print(f"{'network':12} {'seeds':>5} {'alarms':>6} {'seconds':>8} {'steps':>5} {'an epoch':>9}")
    good = True
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for name in names:
            good &= _measure(name, folder, range(options.seeds), pool)
        good &= _measure_drawn(range(options.first, options.first + options.drawn), pool)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"peak memory {peak} MiB, TensorFlow's own included")
    return 0 if good else 1


def _measure(name: str, folder: Path, seeds: range, pool: ProcessPoolExecutor) -> bool:
    shown = [_rehearse(name, folder, seed) for seed in seeds[:TIMED]]
    alarms = [alarm for each in shown for alarm in alarms_of(each.findings)]
    alarms += [alarm for each in pool.map(partial(built_in_alarms, name, folder), seeds[TIMED:]) for alarm in each]
    seconds = statistics.median(each.seconds for each in shown)
    steps = statistics.median(each.steps for each in shown)
    epoch = statistics.median(each.facts["seconds_per_step"] for each in shown) * TRAINING_IMAGES / 32
    print(f"{name:12} {len(seeds):5} {len(alarms):6} {seconds:8.1f} {steps:5.0f} {epoch:7.0f} s", flush=True)
    for each in alarms:
        print(f"    {each}")
    return tell(
        Claim(f"rehearsal: false alarms on {name}, {len(seeds)} seeds", len(alarms), 0, digits=0),
        Claim(f"rehearsal: median seconds of {name}", seconds, MOST_SECONDS),
    )


def _rehearse(name: str, folder: Path, seed: int) -> Any:
    import keras

    from components.train.networks import NETWORKS as BUILT_IN
    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    images = np.load(folder / "train_images.npy", mmap_mode="r")
    labels = np.load(folder / "train_labels.npy")
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


def built_in_alarms(name: str, folder: Path, seed: int) -> list[str]:
    """Return what a rehearsal of a built-in network says beside notes."""
    return alarms_of(_rehearse(name, folder, seed).findings)


def alarms_of(findings: Sequence[Finding]) -> list[str]:
    """Return the sentences of findings that are no notes."""
    return [each.sentence() for each in findings if each.severity != "note"]


def _measure_drawn(seeds: range, pool: ProcessPoolExecutor) -> bool:
    """Print the alarms on drawn trainings, each with its kind and seed; return whether there were none."""
    drawn = [(kind, seed) for kind in KINDS for seed in seeds]
    alarms = 0
    for (kind, seed), found in zip(drawn, pool.map(drawn_alarms, *zip(*drawn, strict=True)), strict=True):
        alarms += len(found)
        for each in found:
            print(f"    {kind}, seed {seed}: {each}", flush=True)
    return tell(Claim(f"rehearsal: false alarms on {len(drawn)} trainings of {len(KINDS)} kinds", alarms, 0, digits=0))


def drawn_alarms(kind: str, seed: int) -> list[str]:
    """Return what a rehearsal says, beside notes, of the training that a seed draws of a kind."""
    import keras

    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    keras.utils.set_random_seed(seed)
    drawn = KINDS[kind](np.random.default_rng((seed, zlib.crc32(kind.encode()))))
    sizes = {"batch_size": drawn.batch_size, "epochs": drawn.epochs, "examples": len(drawn.x)}
    found = rehearse(drawn.model, drawn.x, drawn.y, seed=seed, **sizes).findings
    keras.backend.clear_session()
    return alarms_of(found)


if __name__ == "__main__":
    sys.exit(main())
