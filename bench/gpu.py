"""python -m bench.gpu: everything that is to be known of training on a GPU, with the goals, as one JSON file.

    make bench-gpu ARGS="--json gpu.json"        # eight minutes; without a GPU it says so and measures nothing
    python -m bench.gpu --anywhere --images 2000 # the same on a CPU, to try the measurement itself

It needs the packages of requirements/train.txt and MNIST, 12 MB, from the cache or the network; no other. Parts come in
the order of their worth, and the file is written anew after each, so that what is cut off leaves what was measured:

    trainings   one after the other, of as many seeds as the time allows: accuracy on the test split after each epoch
                (read to report, nothing is chosen by it), images a second, seconds until it was 99.7 %
    steps       one step of variants that differ by a single thing; one of them was once 40 times slower (35 ms, H100)
    sizes       images a second and peak memory of other batches and networks

Of all seeds the first alone pays for tracing and compiling: its "first_call_seconds". "seconds" are those of the steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.__main__ import machine
from bench.claims import Claim, tell
from bench.gpu_steps import STEPS, variants

RATE, ACCURACY, SECONDS, WHOLE_SECONDS = 250_000, 0.997, 10, 30
BATCHES = (128, 256, 512, 1024)
NETWORKS = ("fast", "deep_mnist")
SHARE_OF_TRAININGS = 0.6  # of the time


def main() -> int:
    """Print every figure with its goal; 0 when all that could be measured are met."""
    options = _options()
    from components.train.device import find_device, why_no_gpu

    device = find_device(require_gpu=False)
    if device.kind != "GPU" and not options.anywhere:
        print(f"no GPU here, so nothing below was measured: {why_no_gpu()}")
        tell(*_claims([]))
        return 0
    made: dict[str, Any] = {"machine": {**machine(), "device": list(device.names), "kind": device.kind}}
    made["part_seconds"] = {}
    ends = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(device, *_data(Path(folder), options.images), options.epochs)
    trainings_end = time.monotonic() + SHARE_OF_TRAININGS * (ends - time.monotonic())
    parts: dict[str, Callable[[], Any]] = {
        "trainings": lambda: list(trainings(bench, options.seeds, trainings_end)),
        "steps": lambda: list(variants(jit=device.jit, steps=STEPS if device.kind == "GPU" else 2)),
        "sizes": lambda: list(sizes(bench)),
    }
    for name in options.only or parts:
        began = time.monotonic()
        if began < ends:
            made[name] = parts[name]()
            made["part_seconds"][name] = round(time.monotonic() - began, 1)
        if options.json:
            options.json.write_text(json.dumps(made, indent=1) + "\n")
    return 0 if tell(*_claims(made.get("trainings", []))) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="receives every figure")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which no part begins (%(default)s)")
    parser.add_argument("--seeds", type=int, default=50, help="at most so many trainings (%(default)s)")
    parser.add_argument("--anywhere", action="store_true", help="on a CPU, too")
    parser.add_argument("--images", type=int, default=0, help="take so many only")
    parser.add_argument("--epochs", type=int, default=0, help="in place of the recipe's")
    parser.add_argument("--only", nargs="+", choices=("trainings", "steps", "sizes"))
    return parser.parse_args()


def _claims(found: list[dict[str, Any]]) -> list[Claim]:
    def median(name: str) -> float | None:
        return statistics.median(each[name] for each in found) if found else None

    if len(found) > 1:
        accuracies = [100 * each["accuracy"] for each in found]
        spread = f"{statistics.mean(accuracies):.3f} % ± {statistics.stdev(accuracies):.3f}"
        print(f"{len(found)} seeds: test accuracy {spread}, least {min(accuracies):.2f}, most {max(accuracies):.2f}")
    whole = found[0]["seconds"] + found[0]["first_call_seconds"] if found else None
    return [
        Claim("GPU: images a second, median over seeds", median("images_per_second"), RATE, at_least=True, digits=0),
        Claim("GPU: test accuracy, median over seeds", median("accuracy"), ACCURACY, at_least=True, digits=4),
        Claim("GPU: seconds of training without compilation", median("seconds"), SECONDS),
        Claim("GPU: seconds of training with compilation, one seed", whole, WHOLE_SECONDS),
    ]


# --- what is trained ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """Where and on what everything is measured.

    Attributes:
        device: As the training step finds it.
        train, test: Splits as `fast` takes them.
        epochs: In place of a recipe's; 0 leaves it.
    """

    device: Any
    train: Any
    test: Any
    epochs: int

    def loop(self, name: str, batch: int = 0) -> Any:
        """Return a network's loop, as the training step makes it for this device."""
        from components.train.loop import Loop
        from components.train.request import TrainRequest, recipe_of
        from components.train.train import make_trainee

        request = TrainRequest(network=name, epochs=self.epochs)
        recipe = recipe_of(request, self.device.kind)
        recipe = replace(recipe, batch=batch or recipe.batch)
        trainee = make_trainee(request, recipe, None, self.device)
        return Loop(trainee, recipe, self.train, seed=0, device=self.device)


def _data(folder: Path, images: int) -> tuple[Any, Any]:
    """Return MNIST's training images, as the training step gets them, and its test images, in memory."""
    from bench.training import prepare
    from components.train.examples.split import TrainingSplit

    prepare(folder)

    def split(name: str, count: int | None) -> TrainingSplit:
        return TrainingSplit(
            *(np.load(folder / "fast" / f"{name}_{kind}.npy")[:count] for kind in ("images", "labels"))
        )

    return split("train", images or None), split("test", images or None)


def trainings(bench: Bench, seeds: int, ends: float) -> Iterator[dict[str, Any]]:
    """Train the default network from one seed after the other on one compiled loop, until the time is over."""
    from components.train.fit import Scorer

    loop = bench.loop("fast")
    scorer = Scorer(loop.trainee, bench.test)
    scorer.score()
    first_call = _timed(lambda: _run(loop, 0, 0, 1))
    for seed in range(seeds):
        restart(loop, "fast", bench.device.kind, seed)
        seconds, curve = 0.0, []
        for epoch in range(loop.recipe.epochs):
            seconds += _timed(lambda: _run(loop, epoch, 0, loop.steps_per_epoch))  # noqa: B023 - called at once
            curve.append((round(seconds, 3), scorer.score()["accuracy"]))
        reached = next((at for at, accuracy in curve if accuracy >= ACCURACY), None)
        found = {
            "seed": seed,
            "accuracy": curve[-1][1],
            "seconds": seconds,
            "seconds_to_goal": reached,
            "images_per_second": loop.steps * loop.batch / seconds,
            "first_call_seconds": first_call if seed == 0 else 0.0,
            "peak_megabytes": _peak_megabytes(bench.device.kind),
            "curve": curve,
        }
        print(f"seed {seed}: test accuracy {found['accuracy']:.4f}, {seconds:.2f} s of steps, 99.7 % after {reached} s")
        yield found
        if time.monotonic() + 2 * seconds > ends:
            return


def restart(loop: Any, name: str, kind: str, seed: int) -> None:
    """Put a compiled loop back to where a training from a seed begins: fresh weights, an optimizer without history."""
    import keras

    from components.train.networks import find_network

    keras.utils.set_random_seed(seed)
    loop.trainee.model.set_weights(find_network(name).sized_for(kind).build().get_weights())
    optimizer = loop.trainee.model.optimizer
    for variable in optimizer.variables:
        if variable is not optimizer.learning_rate:  # the loop sets it at every step
            variable.assign(np.zeros(variable.shape))
    loop.begin(seed)


def sizes(bench: Bench) -> Iterator[dict[str, Any]]:
    """Measure an epoch of other batches of the default network, and of other networks, after one that compiles."""
    for name, batch in [*(("fast", batch) for batch in BATCHES), *((name, 0) for name in NETWORKS[1:])]:
        _reset_peak(bench.device.kind)
        loop = bench.loop(name, batch)
        first_call = _timed(lambda: _run(loop, 0, 0, 1))  # noqa: B023 - called at once
        seconds = _timed(lambda: _run(loop, 0, 0, loop.steps_per_epoch))  # noqa: B023 - called at once
        found = {
            "network": name,
            "parameters": loop.trainee.final.count_params(),
            "batch": loop.batch,
            "images_per_second": loop.steps_per_epoch * loop.batch / seconds,
            "milliseconds_per_step": 1e3 * seconds / loop.steps_per_epoch,
            "first_call_seconds": first_call,
            "peak_megabytes": _peak_megabytes(bench.device.kind),
        }
        print(f"{name}, batch {loop.batch}: {found['images_per_second']:.0f} images a second", flush=True)
        yield found


def _run(loop: Any, epoch: int, first: int, last: int) -> None:
    loop.run(epoch, first, last)
    loop.sums.numpy()  # waits for the device


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _peak_megabytes(kind: str) -> float | None:
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6 if kind == "GPU" else None


def _reset_peak(kind: str) -> None:
    import tensorflow as tf

    if kind == "GPU":
        tf.config.experimental.reset_memory_stats("GPU:0")


if __name__ == "__main__":
    sys.exit(main())
