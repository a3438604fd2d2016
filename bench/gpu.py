"""python -m bench.gpu: what `fast` does on a GPU, with the goals; on a machine without one it says so.

The last part times variants of one step under XLA that differ by a single thing each. One of them was once 40 times
slower than the rest (35 ms a step on an H100); the recipe uses none of the three.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.claims import Claim, tell
from bench.training import measure, prepare

SEEDS = (0, 1, 2)
STEPS, BATCH = 100, 256
RATE, ACCURACY, SECONDS, WHOLE_SECONDS = 250_000, 0.997, 10, 30


def main() -> int:
    """Print every figure with its goal; 0 when all that could be measured are met."""
    import tensorflow as tf

    from components.train.device import find_device, why_no_gpu

    if find_device(require_gpu=False).kind != "GPU":
        print(f"no GPU here, so nothing below was measured: {why_no_gpu()}")
        tell(*_claims([]))
        return 0
    found = _trainings()
    met = tell(*_claims(found))
    for name, variant in VARIANTS.items():
        print(f"one step, {name}: {milliseconds(variant, tf.float32, '/GPU:0'):.2f} ms")
    return 0 if met else 1


def _claims(found: list[dict[str, Any]]) -> list[Claim]:
    def median(name: str) -> float | None:
        return statistics.median(each[name] for each in found) if found else None

    return [
        Claim("GPU: images a second, median of 3 seeds", median("rate"), RATE, at_least=True, digits=0),
        Claim("GPU: test accuracy, median of 3 seeds", median("accuracy"), ACCURACY, at_least=True, digits=4),
        Claim("GPU: seconds of training without compilation", median("steps_seconds"), SECONDS),
        Claim("GPU: seconds of training with compilation", median("seconds"), WHOLE_SECONDS),
    ]


def _trainings() -> list[dict[str, Any]]:
    found = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        for seed in SEEDS:
            training = measure(f"fast {seed}", folder)
            epochs = json.loads((folder / f"fast{seed}" / "history.json").read_text())["epochs"]
            rate = statistics.median(each["images_per_second"] for each in epochs[1:])
            warm = sum(each["seconds"] for each in epochs[1:])
            steps = warm * len(epochs) / (len(epochs) - 1)  # the first epoch compiles
            found.append({**training, "rate": rate, "steps_seconds": steps})
    return found


# --- the trap -----------------------------------------------------------------------------------------


def milliseconds(variant: dict[str, bool], dtype: Any, place: str) -> float:
    """Return the time of one step of a small network in a loop that XLA compiles, of some variant of VARIANTS."""
    import tensorflow as tf

    with tf.device(place):
        run = _loop(variant, dtype)
        run(2)
        began = time.perf_counter()
        run(STEPS)
        return (time.perf_counter() - began) / STEPS * 1e3


def _loop(variant: dict[str, bool], dtype: Any) -> Callable[[int], None]:
    import keras
    import numpy as np
    import tensorflow as tf

    from components.train.networks import fast_on_gpu

    model = fast_on_gpu()
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 10_000)
    optimizer = keras.optimizers.AdamW(schedule if variant.get("schedule") else 1e-3)
    optimizer.build(model.trainable_variables)
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.03)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (BATCH, 28, 28, 1)), dtype)
    labels = tf.zeros(BATCH, tf.int32)

    @tf.function(jit_compile=True)
    def steps(count: tf.Tensor) -> tf.Tensor:
        loss = tf.constant(0.0)
        for step in tf.range(count):
            given = _shifted(images, step) if variant.get("pad") else images
            with tf.GradientTape() as tape:
                predicted = model(given, training=True)
                if variant.get("smoothed"):
                    loss = smoothed(tf.one_hot(labels, 10), predicted)
                else:
                    loss = -tf.reduce_mean(tf.math.log(tf.gather(predicted, labels, batch_dims=1) + 1e-7))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    def run(count: int) -> None:
        steps(tf.constant(count)).numpy()

    return run


def _shifted(images: Any, step: Any) -> Any:
    import tensorflow as tf

    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]])
    return tf.slice(padded, tf.stack([0, step % 5, step % 3, 0]), images.shape)


VARIANTS: dict[str, dict[str, bool]] = {
    "as the recipe has it": {},
    "a LearningRateSchedule object": {"schedule": True},
    "Keras' label-smoothed CategoricalCrossentropy": {"smoothed": True},
    "tf.pad and tf.slice at a dynamic offset": {"pad": True},
}


if __name__ == "__main__":
    sys.exit(main())
