"""The built-in networks, in Keras layers only, and how each is trained.

fast        the default: raw uint8 pixels in, scaled inside
deep_mnist  TensorFlow's tutorial "Deep MNIST for Experts", raw uint8 pixels in, scaled inside
example1    the seed document's failing example: raw pixels without any scaling; `validate` refuses it
example2    the seed document's corrected example: float32 pixels in [0, 1], one-hot labels
example3    example2 with BatchNormalization
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from components.train.augment import Warp

CLASSES = 10
IMAGE_SHAPE = (28, 28, 1)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: Passes over the training split.
        batch: Examples per step.
        peak_rate: Highest rate of the one-cycle schedule; 0 leaves the optimizer's own rate alone.
        warmup: Share of the steps in which the rate rises.
        warp: Random affine maps of the training images.
        smoothing: Share of each label spread evenly over the classes in the training loss, 0..1.
        parts: Chunks of a batch that are computed concurrently on a CPU, each on its share of the cores;
            BatchNormalization sees a chunk. One thread per chunk wastes less than two threads per operation.
        bfloat16: Multiply in bfloat16 where the hardware does.
        muon: Step the kernels of convolutions by Muon; the network is compiled with AdamW, which steps the rest.
        views: Pixels down and to the right by which further copies of an image are moved that the saved network
            predicts from, `with_views`.
    """

    epochs: int = 5
    batch: int = 32
    peak_rate: float = 0.0
    warmup: float = 0.2
    warp: Warp = Warp()  # noqa: RUF009 - frozen
    smoothing: float = 0.0
    parts: int = 1
    bfloat16: bool = False
    muon: bool = False
    views: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class BuiltInNetwork:
    """A compiled Keras model's builder and its recipe.

    Attributes:
        on_gpu: What takes its place on a GPU: another size for the same data, under the same contract.
    """

    build: Callable[[], keras.Model]
    recipe: Recipe
    on_gpu: BuiltInNetwork | None = None

    def sized_for(self, device: str) -> BuiltInNetwork:
        """Return the network for "CPU" or "GPU"."""
        return self.on_gpu if device == "GPU" and self.on_gpu else self


def fast() -> keras.Model:
    """Return a small convolutional network for uint8 pixels in 0..255, shape (n, 28, 28, 1).

    28x28 images become maps of 12x12 in the first convolution and of 1x1 in the last: large maps with many channels are
    what costs on a CPU. MNIST's test split, and the time against the seed's Example 2: bench/README.md.
    """
    stack = [keras.Input(IMAGE_SHAPE, dtype="uint8"), layers.Rescaling(1 / 255)]
    for filters, size, strides, pool in ((16, 5, 2, False), (32, 3, 1, True), (48, 3, 1, True), (64, 3, 1, False)):
        padding = "same" if pool else "valid"
        stack.append(layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False))
        if pool:
            stack.append(layers.MaxPooling2D())  # before what follows: a quarter of its work
        stack += [layers.BatchNormalization(momentum=0.9, name=f"norm{filters}"), layers.ReLU()]
    stack += [layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
    model = keras.Sequential(stack, name="fast")  # at once: one added layer more rebuilds all
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-2, beta_2=0.99)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fast_on_gpu() -> keras.Model:
    """Return the size of `fast` for a GPU: seven convolutions, 327,000 parameters.

    A GPU needs enough work per step to be busy. Not measured yet on a GPU; see the recipe for what is meant.
    """
    stack = [keras.Input(IMAGE_SHAPE, dtype="uint8"), layers.Rescaling(1 / 255)]
    stages = ((32, 3, 1), (32, 3, 1), (32, 5, 2), (64, 3, 1), (64, 3, 1), (64, 5, 2), (128, 4, 1))
    for number, (filters, size, strides) in enumerate(stages, 1):
        padding = "same" if strides == 2 else "valid"
        stack.append(layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False))
        stack += [layers.BatchNormalization(momentum=0.95, name=f"norm{number}"), layers.ReLU()]
    stack += [layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
    model = keras.Sequential(stack, name="fast")
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-2)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def deep_mnist() -> keras.Model:
    """Return the tutorial's network for uint8 pixels in 0..255, shape (n, 28, 28, 1).

    MNIST's test split: 99.39 %, one seed, on the machine and with the version that `fast` names.
    """
    model = keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name="deep_mnist",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def example1() -> keras.Model:
    """Return the seed's Example 1 as it stands: it expects nothing of its pixels and trains badly."""
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name="example1",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def example2() -> keras.Model:
    """Return the seed's Example 2 for float32 pixels in [0, 1], shape (n, 28, 28, 1), one-hot labels."""
    return _example("example2", [])


def example3() -> keras.Model:
    """Return the seed's Example 3: Example 2 with BatchNormalization."""
    return _example("example3", [layers.BatchNormalization(name="norm")])


def _example(name: str, normalization: list[layers.Layer]) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE),
            layers.Conv2D(32, 3, activation="relu"),
            *normalization,
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name=name,
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


NETWORKS = {
    "fast": BuiltInNetwork(
        fast,
        Recipe(
            epochs=3,
            batch=128,
            peak_rate=2e-2,
            warmup=0.15,
            warp=Warp(1.5, 8, 0.08, 0.08),
            smoothing=0.03,
            parts=2,
            bfloat16=True,
            muon=True,
            views=((1, 1), (-1, -1)),
        ),
        on_gpu=BuiltInNetwork(
            fast_on_gpu,
            Recipe(epochs=36, batch=256, peak_rate=4e-3, warp=Warp(2, 10, 0.1, 0.1), smoothing=0.03, bfloat16=True),
        ),
    ),
    "deep_mnist": BuiltInNetwork(
        deep_mnist,
        Recipe(epochs=3, batch=128, peak_rate=2e-3, warp=Warp(1, 5, 0.05, 0.05), parts=2, bfloat16=True),
    ),
    "example1": BuiltInNetwork(example1, Recipe()),
    "example2": BuiltInNetwork(example2, Recipe()),
    "example3": BuiltInNetwork(example3, Recipe()),
}


def find_network(name: str) -> BuiltInNetwork:
    """Return a built-in network.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in NETWORKS:
        raise ValueError(f"Expected a network of {sorted(NETWORKS)}. Received: {name!r}. Fix: Set NETWORK or MODEL.")
    return NETWORKS[name]
