"""python -m bench.profile_training: where a step of `fast` spends its time, by kind of operation and by layer.

TensorFlow's profiler notes when each operation began and ended. On a busy machine that counts waiting too; only
shares on a quiet one say where the time goes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.train.device import find_device, set_threads
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop
from components.train.networks import NETWORKS
from components.train.trainee import built_in_trainee

STEPS = 40
SHOWN = 20
WRAPPERS = re.compile(r"while/body/_\d+/|gradient_tape/|while/|fast_\d+/")


def main() -> int:
    """Print processor time and wall time a step, then milliseconds a step of each kind and of each operation."""
    import tensorflow as tf

    loop = _loop()
    loop.run(0, 0, STEPS)
    loop.sums.numpy()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        began, cpu = time.perf_counter(), time.process_time()
        loop.run(0, STEPS, 2 * STEPS)
        loop.sums.numpy()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        tf.profiler.experimental.stop()
        kinds, operations = _sums(Path(folder))
    print(
        f"a step of {loop.batch} images: {1e3 * seconds / STEPS:.1f} ms, {1e3 * cpu / STEPS:.1f} ms of processor time"
    )
    for title, sums in (("by kind", kinds), ("by operation", operations)):
        print(f"\n{title}, ms a step")
        for name, milliseconds in sorted(sums.items(), key=lambda each: -each[1])[:SHOWN]:
            print(f"{milliseconds / STEPS:8.3f}  {name}")
    return 0


def _loop() -> Loop:
    network = NETWORKS["fast"]
    set_threads(network.recipe.parts)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (128 * 100, 28, 28, 1), dtype=np.uint8)
    split = TrainingSplit(images, random.integers(0, 10, len(images), dtype=np.uint8))
    recipe = network.recipe
    trainee = built_in_trainee(network.build(), bfloat16=False, smoothing=recipe.smoothing, muon=recipe.muon)
    return Loop(trainee, recipe, split, seed=0, device=find_device(require_gpu=False))


def _sums(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the milliseconds of each kind of operation and of each operation."""
    kinds: dict[str, float] = defaultdict(float)
    operations: dict[str, float] = defaultdict(float)
    for name, milliseconds in _events(folder):
        path, _, kind = name.rpartition(":")
        kinds[kind] += milliseconds
        operations[f"{WRAPPERS.sub('', path)} {kind}"] += milliseconds
    return kinds, operations


def _events(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield name and milliseconds of each operation of a step in the profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if "while/body" in name and ":" in name:
                    yield name, event.duration_ps / 1e9


if __name__ == "__main__":
    sys.exit(main())
