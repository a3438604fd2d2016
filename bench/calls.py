"""python -m bench.calls: how long a person waits for a command, from a cold process to its last line.

The fastest of several calls, started alternately; modules lie there as bytecode, as pip leaves them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.claims import Claim, tell
from bench.doctor import ROUNDS, cost
from tests.support.digits import draw_digits

EXAMPLES = {"train": 500, "test": 100}
MOST_SECONDS = {"doctor, 600 images": 0.35, "pipeline --help": 0.25, "pipeline plan": 1.5}


def main() -> int:
    """Print a line a command; 0 when each meets its goal."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for seed, (split, count) in enumerate(EXAMPLES.items()):
            images, labels = draw_digits(count, seed)
            np.save(folder / f"{split}_images.npy", images)
            np.save(folder / f"{split}_labels.npy", labels)
        loss = "sparse_categorical_crossentropy"
        commands = {
            "doctor, 600 images": ["-m", "deep_mnist.doctor", scratch, "--loss", loss],
            "pipeline --help": ["-m", "pipeline", "--help"],
            "pipeline plan": ["-m", "pipeline", "plan"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, arguments in commands.items():
                seconds[name].append(cost([sys.executable, *arguments]).seconds)
    goals = [Claim(f"seconds of {name}", min(seconds[name]), most) for name, most in MOST_SECONDS.items()]
    return 0 if tell(*goals) else 1


if __name__ == "__main__":
    sys.exit(main())
