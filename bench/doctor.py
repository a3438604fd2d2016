"""python -m bench.doctor: what the doctor costs, from a cold process to the verdict.

    python -m bench.doctor                  # full MNIST, and ten times as much
    python -m bench.doctor --millions 6     # 6 million images (4.7 GB of disk), against a plain pass
    python -m bench.doctor --sparse 100     # 50 GB and 100 GB of zeros in a file that takes no room: is time linear?

Each line is the fastest of several processes, started anew and run alternately, so that another program's load
falls on both alike. Modules lie there as bytecode, as pip leaves them. The yardstick is the least a script can do in
one pass with numpy: least and greatest pixel, mean, deviation, finite or not, and the count of each label.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.claims import Claim, tell

ROUNDS = 7  # of each process; the fastest counts
ROUNDS_LARGE = 3
TIMES = 10
MOST_RATIO, MOST_RATIO_PLAIN, MOST_MEGABYTES = 1.5, 1.2, 100.0
MOST_TWICE = 2.2  # times as long for twice as much
SPLITS = {"train": 6, "test": 1}  # shares of the images of a large set
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


PLAIN = """
import sys
import numpy as np
for split in ("train", "test"):
    images = np.load(f"{sys.argv[1]}/{split}_images.npy", mmap_mode="r")
    low, high, total, finite = np.inf, -np.inf, 0.0, True
    for start in range(0, len(images), 4096):
        chunk = images[start : start + 4096]
        low, high, total = min(low, chunk.min()), max(high, chunk.max()), total + chunk.mean() * len(chunk)
        finite = finite and bool(np.isfinite(chunk).all())
    print(low, high, total / len(images), finite)
"""


@dataclass
class Cost:
    """Of one process: wall-clock seconds, and the most memory it held, in MB."""

    seconds: float
    megabytes: float

    def over(self, other: Cost) -> float:
        """Return how many times the other's seconds these are."""
        return self.seconds / other.seconds


def main() -> int:
    """Print the table and return 0 when every claim holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--millions", type=int, default=0, metavar="N", help="judge N million images")
    parser.add_argument("--sparse", type=int, default=0, metavar="GB", help="judge so many gigabytes of zeros")
    parser.add_argument("--prepare", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare)
        return 0
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "bench.doctor", "--prepare", place]
        source = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        print(f"the doctor on {source}, {os.cpu_count()} cores; fastest of {ROUNDS} cold processes")
        if options.sparse:
            return 0 if _judge_sparse(Path(place), options.sparse) else 1
        if options.millions:
            return 0 if _judge_millions(Path(place), options.millions) else 1
        return 0 if _judge_usual(Path(place)) else 1


def _judge_usual(folder: Path) -> bool:
    _apart(_write_copies, folder / "uint8", folder / "ten", TIMES)
    met = True
    for name in ("uint8", "float32"):
        doctor, yardstick = _in_turns(folder / name, ROUNDS)
        _tell(f"full size, {name}", doctor, yardstick)
        met &= tell(
            Claim(f"doctor: time over one numpy pass, full MNIST, {name}", doctor.over(yardstick), MOST_RATIO),
            Claim(f"doctor: resident MB, {name}", doctor.megabytes, MOST_MEGABYTES, digits=0),
        )
    small, _ = _in_turns(folder / "uint8", ROUNDS_LARGE)
    large, yardstick = _in_turns(folder / "ten", ROUNDS_LARGE)
    _tell(f"{TIMES} times, uint8", large, yardstick)
    return met & tell(
        Claim(f"doctor: time of {TIMES} times the data over time of full MNIST", large.over(small), TIMES),
        Claim(f"doctor: resident MB, {TIMES} times the data", large.megabytes, MOST_MEGABYTES, digits=0),
    )


def _judge_millions(folder: Path, millions: int) -> bool:
    _apart(_write_copies, folder / "uint8", folder / "many", round(millions * 1e6 / 60_000))
    doctor, plain = _in_turns(folder / "many", ROUNDS_LARGE, PLAIN)
    _tell(f"{millions} million images", doctor, plain)
    return tell(
        Claim(f"doctor: time over a plain pass, {millions} million images", doctor.over(plain), MOST_RATIO_PLAIN),
        Claim(f"doctor: resident MB, {millions} million images", doctor.megabytes, MOST_MEGABYTES, digits=0),
    )


def _judge_sparse(folder: Path, gigabytes: int) -> bool:
    costs = []
    half = gigabytes / 2  # of the same kind: what fits the page cache is read in two thirds of the time
    for size in (half, gigabytes):
        place = folder / f"sparse{size:g}"
        _apart(_write_sparse, place, round(size * 1e9))
        command = [sys.executable, "-m", "deep_mnist.doctor", str(place), "--json"]
        twice = [cost(command, statuses=(0, 1)) for _ in range(2)]  # the first fills the page cache, as far as it goes
        costs.append(min(twice, key=lambda each: each.seconds))
        print(f"{size:g} GB of zeros: {costs[-1].seconds:.1f} s, {costs[-1].megabytes:.0f} MB", flush=True)
    return tell(
        Claim(f"doctor: time of {gigabytes} GB over time of {half:g} GB", costs[1].over(costs[0]), MOST_TWICE),
        Claim(f"doctor: resident MB, {gigabytes} GB", costs[1].megabytes, MOST_MEGABYTES, digits=0),
    )


def prepare(folder: Path) -> None:
    """Write the data of every measurement and print where they are from."""
    print(_write_full_size(folder))


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


def _apart(work: Callable[..., None], *arguments: object) -> None:
    """Call in another process: a child's resident memory counts what its parent held when it was started."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"Expected {work.__name__} to succeed. Received: status {process.exitcode}")


def _write_copies(small: Path, large: Path, times: int) -> None:
    """Write `times` as many images: each copy under other noise in its lowest bit, so that none is a duplicate."""
    large.mkdir()
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        images = np.load(small / f"{split}_images.npy")
        shape = (times * len(images), *images.shape[1:])
        with (large / f"{split}_images.npy").open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for _ in range(times):
                noise = np.frombuffer(random.bytes(images.size), np.uint8).reshape(images.shape)
                stream.write((images ^ (noise & 1)).data)
        np.save(large / f"{split}_labels.npy", np.tile(np.load(small / f"{split}_labels.npy"), times))
    (large / "contract.yaml").write_text((small / "contract.yaml").read_text())


def _write_sparse(place: Path, size: int) -> None:
    """Write uint8 images of zeros, `size` bytes in all, as files with a hole in place of the pixels."""
    place.mkdir()
    for split, share in SPLITS.items():
        count = size * share // sum(SPLITS.values()) // 784
        with (place / f"{split}_images.npy").open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, 28, 28, 1)}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + count * 784)
        np.save(place / f"{split}_labels.npy", np.arange(count, dtype=np.uint64).astype(np.uint8) % 10)
    (place / "contract.yaml").write_text(json.dumps(_contract(scales_inside=True)))


def _in_turns(folder: Path, rounds: int, yardstick: str = YARDSTICK) -> tuple[Cost, Cost]:
    """Return the cost of the doctor and of the yardstick on a folder."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds):
        costs[0].append(cost([sys.executable, "-m", "deep_mnist.doctor", str(folder), "--json"]))
        costs[1].append(cost([sys.executable, "-c", yardstick, str(folder)]))
    doctor, other = (Cost(min(c.seconds for c in all_), max(c.megabytes for c in all_)) for all_ in costs)
    return doctor, other


def cost(command: Sequence[str], statuses: Sequence[int] = (0,)) -> Cost:
    """Return what a command costs that ends with one of some statuses; its modules may be kept as bytecode."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in statuses:
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
    sys.exit(main())
