"""python -m bench.doctor: what the doctor costs, from a cold process to the verdict.

Each line is the fastest of several processes, started anew and run in turns, so that another program's load
falls on both alike. The yardstick is the least a script can do in one pass with numpy: least and greatest pixel,
mean, deviation, finite or not, and the count of each label. The claims, checked at the end: at most 3 times its
time on full MNIST (60,000 + 10,000 images, .npy), at most 250 MB resident, and for 10 times the data at most 10
times the time and no more memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROUNDS = 7  # of each process; the fastest counts
ROUNDS_LARGE = 3
TIMES = 10
MOST_RATIO, MOST_MEGABYTES = 3.0, 250.0
MEMORY_SLACK = 1.15  # hashes (8 bytes an image) and labels do grow with the number of images
ROOT = Path(__file__).resolve().parent.parent

YARDSTICK = """
import sys
import numpy as np
for split in ("train", "test"):
    images = np.load(f"{sys.argv[1]}/{split}_images.npy", mmap_mode="r")
    low, high, total, squares, finite = np.inf, -np.inf, 0.0, 0.0, True
    for start in range(0, len(images), 4096):
        chunk = np.asarray(images[start : start + 4096], dtype=np.float32)
        low, high = min(low, chunk.min()), max(high, chunk.max())
        total += chunk.sum(dtype=np.float64)
        squares += np.square(chunk).sum(dtype=np.float64)
        finite = finite and bool(np.isfinite(chunk).all())
    mean = total / images.size
    print(low, high, mean, (squares / images.size - mean**2) ** 0.5, finite)
    print(np.bincount(np.load(f"{sys.argv[1]}/{split}_labels.npy")))
"""


@dataclass
class Cost:
    """Of one process: wall-clock seconds, and the most memory it held, in MB."""

    seconds: float
    megabytes: float


def main() -> int:
    """Print the table and return 0 when every claim holds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        # Written by another process: a child's resident memory counts what its parent held when it was started.
        version = subprocess.run(
            [sys.executable, "-m", "bench.doctor", place], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        print(
            f"the doctor on {version.stdout.decode().strip()}, {os.cpu_count()} cores; "
            f"fastest of {ROUNDS} cold processes"
        )
        kept = True
        for name in ("uint8", "float32"):
            doctor, yardstick = _in_turns(folder / name, ROUNDS)
            _tell(f"full size, {name}", doctor, yardstick)
            kept &= doctor.seconds <= MOST_RATIO * yardstick.seconds and doctor.megabytes <= MOST_MEGABYTES
        small, _ = _in_turns(folder / "uint8", ROUNDS_LARGE)
        large, yardstick = _in_turns(folder / "ten", ROUNDS_LARGE)
        _tell(f"{TIMES} times, uint8", large, yardstick)
        time_, memory = large.seconds / small.seconds, large.megabytes / small.megabytes
        print(f"{TIMES} times the data: {time_:.1f} times the time, {memory:.2f} times the memory")
        kept &= time_ <= TIMES and memory <= MEMORY_SLACK
    print("every claim holds" if kept else "A CLAIM DOES NOT HOLD")
    return 0 if kept else 1


def prepare(folder: Path) -> None:
    """Write the data of every measurement and print where they are from."""
    source = _write_full_size(folder)
    _write_copies(folder / "uint8", folder / "ten")
    print(source)


def _write_full_size(folder: Path) -> str:
    """Write 60,000 + 10,000 digits as uint8 and as float32; return where they are from."""
    arrays, source = _real_digits(), "MNIST"
    if arrays is None:
        arrays, source = _synthetic_digits(), "synthetic digits of MNIST's size (MNIST is not in the download cache)"
    for name in ("uint8", "float32"):
        place = folder / name
        place.mkdir()
        for split in ("train", "test"):
            images = arrays[f"{split}_images"].reshape(-1, 28, 28, 1)
            np.save(place / f"{split}_images.npy", images if name == "uint8" else images / np.float32(255))
            np.save(place / f"{split}_labels.npy", arrays[f"{split}_labels"])
        (place / "contract.yaml").write_text(json.dumps(_contract(scales_inside=name == "uint8")))
    return source


def _contract(scales_inside: bool) -> dict[str, object]:
    return {
        "name": "bench",
        "input_shape": [28, 28, 1],
        "scales_inside": scales_inside,
        "loss": "sparse_categorical_crossentropy",
        "from_logits": False,
        "output_units": 10,
        "output_rank": 2,
        "output_tail": ["softmax"],
    }


def _real_digits() -> dict[str, np.ndarray] | None:
    from deep_mnist.data.transfer import cache_folder

    place = cache_folder() / "mnist"
    names = [f"{split}_{part}" for split in ("train", "test") for part in ("images", "labels")]
    if not all((place / f"{name}.npy").is_file() for name in names):
        return None
    return {name: np.load(place / f"{name}.npy") for name in names}


def _synthetic_digits() -> dict[str, np.ndarray]:
    from tests.support.digits import draw_digits

    train, test = draw_digits(60_000, seed=0), draw_digits(10_000, seed=1)
    return {"train_images": train[0], "train_labels": train[1], "test_images": test[0], "test_labels": test[1]}


def _write_copies(small: Path, large: Path) -> None:
    """Write TIMES as many images: each copy under other noise in its lowest bit, so that none is a duplicate."""
    large.mkdir()
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        images = np.load(small / f"{split}_images.npy", mmap_mode="r")
        shape = (TIMES * len(images), *images.shape[1:])
        copies = np.lib.format.open_memmap(large / f"{split}_images.npy", "w+", np.uint8, shape)
        for turn in range(TIMES):
            noise = random.integers(0, 2, images.shape, dtype=np.uint8)
            copies[turn * len(images) : (turn + 1) * len(images)] = images ^ noise
        np.save(large / f"{split}_labels.npy", np.tile(np.load(small / f"{split}_labels.npy"), TIMES))
    (large / "contract.yaml").write_text((small / "contract.yaml").read_text())


def _in_turns(folder: Path, rounds: int) -> tuple[Cost, Cost]:
    """Return the cost of the doctor and of the yardstick on a folder."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds):
        costs[0].append(_cost([sys.executable, "-m", "deep_mnist.doctor", str(folder), "--json"]))
        costs[1].append(_cost([sys.executable, "-c", YARDSTICK, str(folder)]))
    doctor, yardstick = (Cost(min(c.seconds for c in all_), max(c.megabytes for c in all_)) for all_ in costs)
    return doctor, yardstick


def _cost(command: Sequence[str]) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"Expected {command[:3]} to succeed. Received: status {process.returncode}\n{output.decode()}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(seconds, kilobytes * 1024 / 1e6)


def _tell(name: str, doctor: Cost, yardstick: Cost) -> None:
    print(
        f"{name:20} doctor {doctor.seconds:.2f} s, {doctor.megabytes:.0f} MB   "
        f"numpy one pass {yardstick.seconds:.2f} s, {yardstick.megabytes:.0f} MB   "
        f"ratio {doctor.seconds / yardstick.seconds:.2f}"
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    prepare(Path(sys.argv[1]))
