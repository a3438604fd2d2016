"""One step of a small network in a compiled loop, in variants that differ by a single thing each.

One of the three, or the three together, once took 35 ms a step on an H100 where the rest took 0.9. The recipe of the
network `fast` uses none of them: its rates come from a table, its loss is plain operations, its warp is four gathers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

STEPS, BATCH = 100, 256
VARIANTS: dict[str, frozenset[str]] = {
    "as the recipe has it": frozenset(),
    "a LearningRateSchedule object": frozenset({"schedule"}),
    "Keras' label-smoothed CategoricalCrossentropy": frozenset({"smoothed"}),
    "tf.pad and tf.slice at a dynamic offset": frozenset({"pad"}),
    "all three": frozenset({"schedule", "smoothed", "pad"}),
}


def variants(*, jit: bool, steps: int = STEPS) -> Iterator[dict[str, Any]]:
    """Measure each variant: milliseconds of one step, and seconds of the first call, which compiles."""
    for name, parts in VARIANTS.items():
        run = _loop(parts, jit=jit)
        began = time.perf_counter()
        run(2)
        first_call, began = time.perf_counter() - began, time.perf_counter()
        run(steps)
        milliseconds = (time.perf_counter() - began) / steps * 1e3
        print(f"one step, {name}: {milliseconds:.2f} ms", flush=True)
        yield {"variant": name, "milliseconds": milliseconds, "first_call_seconds": first_call}


def _loop(parts: frozenset[str], *, jit: bool) -> Callable[[int], None]:
    import keras
    import numpy as np
    import tensorflow as tf

    from components.train.networks import fast_on_gpu

    model = fast_on_gpu()
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 10_000)
    optimizer = keras.optimizers.AdamW(schedule if "schedule" in parts else 1e-3)
    optimizer.build(model.trainable_variables)
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.03)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (BATCH, 28, 28, 1)), tf.float32)
    labels = tf.zeros(BATCH, tf.int32)

    @tf.function(jit_compile=jit)
    def run_steps(count: tf.Tensor) -> tf.Tensor:
        loss = tf.constant(0.0)
        for step in tf.range(count):
            given = _shifted(images, step) if "pad" in parts else images
            with tf.GradientTape() as tape:
                predicted = model(given, training=True)
                if "smoothed" in parts:
                    loss = smoothed(tf.one_hot(labels, 10), predicted)
                else:
                    loss = -tf.reduce_mean(tf.math.log(tf.gather(predicted, labels, batch_dims=1) + 1e-7))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    def run(count: int) -> None:
        run_steps(tf.constant(count)).numpy()

    return run


def _shifted(images: Any, step: Any) -> Any:
    import tensorflow as tf

    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]])
    return tf.slice(padded, tf.stack([0, step % 5, step % 3, 0]), images.shape)
