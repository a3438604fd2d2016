"""python -m bench.streaming: a training split that is read from its file against one that is resident.

Both run the recipe of `fast` on the same images, ten times as many bytes as the limit for resident data, and take
alternating rounds within one process, so that another program's load falls on both alike.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.claims import Claim, tell
from components.train.device import Device, find_device, set_threads
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop
from components.train.networks import NETWORKS
from components.train.request import TrainRequest
from components.train.trainee import built_in_trainee

IMAGES = 550_000  # 431 MB
TIMES = 10  # larger than the limit
ROUNDS, STEPS = 5, 64
ROUND_IMAGES = STEPS * NETWORKS["fast"].recipe.batch


def main() -> int:
    """Print both rates and their ratio; 0 when the goal is met."""
    set_threads(NETWORKS["fast"].recipe.parts)
    device = find_device(require_gpu=False)
    with tempfile.TemporaryDirectory() as folder:
        split = written(Path(folder) / "train_images.npy")
        limit = TrainRequest(resident_bytes=split.nbytes // TIMES).limit()
        ways = split.nbytes <= limit, True  # as the training step decides, and all of it resident
        seconds = in_turns({resident: _loop(split, device, resident=resident) for resident in ways})
    streamed, resident = (ROUND_IMAGES / statistics.median(seconds[way]) for way in ways)
    print(f"{split.nbytes / 1e6:.0f} MB, limit {limit / 1e6:.0f} MB; images a second:", end=" ")
    print(f"streamed {streamed:,.0f}, resident {resident:,.0f}")
    return 0 if tell(Claim("training: resident rate over streamed rate", resident / streamed, 1.3)) else 1


def _loop(split: TrainingSplit, device: Device, *, resident: bool) -> Loop:
    recipe = NETWORKS["fast"].recipe
    trainee = built_in_trainee(NETWORKS["fast"].build(), bfloat16=False, muon=recipe.muon)
    return Loop(trainee, recipe, split, seed=0, device=device, resident=resident)


def written(path: Path) -> TrainingSplit:
    """Write images to `path` and return them memory-mapped, with labels."""
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (IMAGES, 28, 28, 1))
    for start in range(0, IMAGES, 10_000):
        images[start : start + 10_000] = random.integers(0, 256, (10_000, 28, 28, 1), dtype=np.uint8)
    images.flush()
    return TrainingSplit(np.load(path, mmap_mode="r"), random.integers(0, 10, IMAGES, dtype=np.uint8))


def in_turns(loops: dict[bool, Loop]) -> dict[bool, list[float]]:
    """Return the seconds of each round of STEPS steps, the first round, which compiles, left out."""
    seconds: dict[bool, list[float]] = {kind: [] for kind in loops}
    for round_number in range(ROUNDS + 1):
        for kind, loop in loops.items():
            began = time.perf_counter()
            loop.run(0, round_number * STEPS, (round_number + 1) * STEPS)
            loop.sums.numpy()
            seconds[kind].append(time.perf_counter() - began)
    return {kind: each[1:] for kind, each in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
