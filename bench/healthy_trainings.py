"""Sound trainings of many kinds, drawn at random: a network, its data and its fit, that learn what can be learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Random = np.random.Generator


@dataclass
class Training:
    """A compiled network and what fit is given.

    Attributes:
        model: Compiled Keras model.
        x, y: Arrays, or lists of arrays.
        batch_size, epochs: Of fit.
    """

    model: Any
    x: Any
    y: Any
    batch_size: int = 32
    epochs: int = 20


Kind = Callable[[Random], Training]


def columns(random: Random, count: int, features: int) -> np.ndarray:
    """Return standardized columns, float32 (count, features), some of them correlated."""
    mixed = random.normal(size=(count, features)) @ random.normal(size=(features, features))
    return ((mixed - mixed.mean(axis=0)) / mixed.std(axis=0)).astype(np.float32)


def signal(random: Random, x: np.ndarray, noise: float) -> np.ndarray:
    """Return a nonlinear function of the columns under noise, standardized, float32 (count,)."""
    hidden = np.tanh(x @ random.normal(size=(x.shape[1], 6)) / 2)
    y = hidden @ random.normal(size=6)
    y = y / y.std() + random.normal(0, noise, len(x))
    return ((y - y.mean()) / y.std()).astype(np.float32)


def dense(random: Random, *head: Any, features: int, dropout: float = 0.0, penalty: float = 0.0, size: int = 0) -> Any:
    """Return an uncompiled network of one to three hidden layers."""
    import keras
    from keras import layers

    layout: list[Any] = [keras.Input((features,))]
    activation = str(random.choice(["relu", "tanh", "elu", "selu", "gelu", "relu"]))
    for _ in range(int(random.integers(1, 4))):
        regularizer = keras.regularizers.L2(penalty) if penalty else None
        layout.append(layers.Dense(size or int(random.choice([8, 16, 64])), activation, kernel_regularizer=regularizer))
        if dropout:
            layout.append(layers.Dropout(dropout))
    return keras.Sequential([*layout, *head])


def optimizer(random: Random) -> Any:
    """Return an optimizer at a rate that is usual for it."""
    import keras

    kinds = keras.optimizers
    choices = [
        lambda: kinds.Adam(float(random.choice([1e-3, 3e-3, 5e-4]))),
        lambda: kinds.SGD(float(random.choice([0.01, 0.05])), momentum=0.9),
        lambda: kinds.SGD(0.1),
        lambda: kinds.RMSprop(1e-3),
        lambda: kinds.AdamW(1e-3, weight_decay=float(random.choice([1e-4, 1e-2]))),
        lambda: kinds.Nadam(1e-3),
    ]
    return choices[int(random.integers(len(choices)))]()


def squared_error(random: Random) -> Training:
    from keras import layers

    features = int(random.integers(1, 14))
    x = columns(random, 600, features)
    model = dense(random, layers.Dense(1), features=features)
    model.compile(optimizer(random), str(random.choice(["mse", "mae", "huber"])))
    return Training(model, x, signal(random, x, float(random.choice([0.1, 0.5, 2.0]))))


def weak_signal(random: Random) -> Training:
    """A linear or small network of which nothing but a few percent of the variance can be told."""
    from keras import layers

    features = int(random.integers(1, 6))
    x = columns(random, 500, features)
    y = (0.15 * x[:, 0] + random.normal(size=500)).astype(np.float32)
    head = layers.Dense(1)
    model = dense(random, head, features=features, size=4)
    model.compile(optimizer(random), "mse")
    return Training(model, x, y, epochs=50)


def large_targets(random: Random) -> Training:
    """Prices and years as they are, through hidden layers that can grow to them or a rate that reaches them."""
    import keras
    from keras import layers

    x = columns(random, 400, 8)
    scale, middle = random.choice([(10.0, 50.0), (9.0, 22.0), (8.0, 98.0)])
    y = (middle + scale * signal(random, x, 0.3)).astype(np.float32)
    model = keras.Sequential([keras.Input((8,)), *(layers.Dense(64, "relu") for _ in range(2)), layers.Dense(1)])
    model.compile(str(random.choice(["adam", "rmsprop"])), str(random.choice(["mse", "mae"])))
    return Training(model, x, y, batch_size=16, epochs=100)


def table_classes(random: Random) -> Training:
    from keras import layers

    features, classes = int(random.integers(3, 20)), int(random.integers(2, 8))
    x = columns(random, 600, features)
    scores = x @ random.normal(size=(features, classes)) + random.normal(0, random.choice([0.1, 2.0]), (600, classes))
    model = dense(random, layers.Dense(classes, "softmax"), features=features)
    model.compile(optimizer(random), "sparse_categorical_crossentropy")
    return Training(model, x, scores.argmax(axis=1))


def binary(random: Random) -> Training:
    """Two classes, often rare ones, as numbers or through logits."""
    import keras
    from keras import layers

    features = int(random.integers(2, 12))
    x = columns(random, 800, features)
    y = (signal(random, x, 0.5) > random.choice([0.0, 1.0, 1.6])).astype(np.float32)
    logits = bool(random.random() < 0.5)
    model = dense(random, layers.Dense(1, None if logits else "sigmoid"), features=features)
    model.compile(optimizer(random), keras.losses.BinaryCrossentropy(from_logits=logits))
    return Training(model, x, y)


def regularised(random: Random) -> Training:
    from keras import layers

    features, classes = 10, 3
    x = columns(random, 500, features)
    y = (x @ random.normal(size=(features, classes))).argmax(axis=1)
    penalty = float(random.choice([1e-4, 1e-3, 1e-2]))
    model = dense(random, layers.Dense(classes, "softmax"), features=features, penalty=penalty)
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=50)


def with_dropout(random: Random) -> Training:
    from keras import layers

    features, classes = 12, 4
    x = columns(random, 500, features)
    y = (x @ random.normal(size=(features, classes))).argmax(axis=1)
    rate = float(random.choice([0.2, 0.5, 0.7, 0.8]))
    model = dense(random, layers.Dense(classes, "softmax"), features=features, dropout=rate, size=64)
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=60)


def small_rate(random: Random) -> Training:
    """A rate that is small for its optimizer, and as many epochs as it needs."""
    import keras
    from keras import layers

    features, classes = 8, 3
    x = columns(random, 500, features)
    y = (x @ random.normal(size=(features, classes))).argmax(axis=1)
    model = dense(random, layers.Dense(classes, "softmax"), features=features)
    kinds = keras.optimizers
    slow = [lambda: kinds.Adam(1e-5), lambda: kinds.SGD(1e-3), lambda: kinds.Adam(1e-4), lambda: kinds.Adagrad(1e-3)]
    model.compile(slow[int(random.integers(4))](), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=2000)


def small_network(random: Random) -> Training:
    """One unit, or two to four hidden ones, on few examples: XOR, a straight line, Celsius."""
    import keras
    from keras import layers

    which = int(random.integers(3))
    if which == 0:
        four = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        hidden = [layers.Dense(int(random.integers(4, 17)), "tanh")]
        model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.Adam(0.05), str(random.choice(["mse", "binary_crossentropy"])))
        return Training(model, four, np.array([0, 1, 1, 0], np.float32), batch_size=4, epochs=1000)
    slope, start, noise = random.uniform(0.5, 3), random.uniform(-2, 2), random.choice([0.0, 0.3])
    x = (random.uniform(-1, 1, (60, 1)) if which == 1 else np.arange(-40, 41, 4.0)[:, None]).astype(np.float32)
    y = slope * x[:, 0] + start + random.normal(0, noise, len(x))
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05) if which == 1 else keras.optimizers.Adam(0.1), "mse")
    return Training(model, x, y, epochs=500)


def sequences(random: Random) -> Training:
    """A recurrent network on series: their sum's sign, or their next value."""
    import keras
    from keras import layers

    x = np.cumsum(random.normal(0, 0.3, (400, 20, 2)), axis=1).astype(np.float32)
    kind = [layers.LSTM, layers.GRU, layers.SimpleRNN][int(random.integers(3))]
    head, loss = (
        (layers.Dense(1), "mse") if random.random() < 0.5 else (layers.Dense(1, "sigmoid"), "binary_crossentropy")
    )
    y = x[:, -1, 0] + 0.3 * x[:, -5, 1] if loss == "mse" else (x.mean(axis=(1, 2)) > 0).astype(np.float32)
    model = keras.Sequential([keras.Input((20, 2)), kind(int(random.choice([4, 16, 32]))), head])
    model.compile("adam", loss)
    return Training(model, x, y)


def embeddings(random: Random) -> Training:
    """Words of which a few decide the class, through an embedding and a mean, a convolution or a GRU."""
    import keras
    from keras import layers

    words, classes = 200, int(random.integers(2, 5))
    y = random.integers(0, classes, 500)
    x = random.integers(10 * classes, words, (500, 15))
    for row, label in zip(x, y, strict=True):
        row[random.integers(0, 15, 3)] = 10 * label + random.integers(0, 10, 3)
    middle = [
        [layers.GlobalAveragePooling1D()],
        [layers.Conv1D(16, 3, activation="relu"), layers.GlobalMaxPooling1D()],
        [layers.GRU(16)],
    ][int(random.integers(3))]
    dropped = [layers.Dropout(0.5)] if random.random() < 0.5 else []
    embedded = [keras.Input((15,)), layers.Embedding(words, int(random.choice([4, 16])))]
    model = keras.Sequential([*embedded, *middle, *dropped, layers.Dense(classes, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=40)


def autoencoder(random: Random) -> Training:
    import keras
    from keras import layers

    size = 24
    basis = random.normal(size=(5, size))
    x = 1 / (1 + np.exp(-(random.normal(size=(500, 5)) @ basis)))
    x = (x if random.random() < 0.5 else (x > 0.5)).astype(np.float32)
    code = int(random.choice([2, 8]))
    hidden = [layers.Dense(16, "relu"), layers.Dense(code, "relu"), layers.Dense(16, "relu")]
    model = keras.Sequential([keras.Input((size,)), *hidden, layers.Dense(size, "sigmoid")])
    model.compile("adam", str(random.choice(["mse", "binary_crossentropy"])))
    return Training(model, x, x, epochs=50)


def multiple_outputs(random: Random) -> Training:
    import keras
    from keras import layers

    x = columns(random, 500, 6)
    inputs = keras.Input((6,))
    hidden = layers.Dense(32, "relu")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, "softmax")(hidden), layers.Dense(1)(hidden)])
    model.compile(optimizer(random), ["sparse_categorical_crossentropy", "mse"])
    y = (x @ random.normal(size=(6, 3))).argmax(axis=1)
    return Training(model, x, [y, signal(random, x, 0.3)[:, None]])


def images(random: Random) -> Training:
    """A small convolutional network on gratings or warm spots, with batch normalization or pooling over all."""
    import keras
    from keras import layers

    from bench.healthy import gratings, low_contrast

    drawn = (gratings if random.random() < 0.5 else low_contrast)(random, 400)
    x = (drawn.images / 255).astype(np.float32)[..., None]
    norm = [layers.BatchNormalization()] if random.random() < 0.5 else []
    pooled = layers.GlobalAveragePooling2D() if random.random() < 0.5 else layers.Flatten()
    body = [layers.Conv2D(8, 5, strides=2, activation="relu"), *norm, layers.MaxPooling2D(), pooled]
    model = keras.Sequential([keras.Input((32, 32, 1)), *body, layers.Dense(drawn.classes, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, drawn.labels, epochs=30)


KINDS: dict[str, Kind] = {
    "squared error": squared_error,
    "weak signal": weak_signal,
    "large targets": large_targets,
    "table, classes": table_classes,
    "binary": binary,
    "regularised": regularised,
    "dropout": with_dropout,
    "small rate": small_rate,
    "small network": small_network,
    "sequences": sequences,
    "embeddings": embeddings,
    "autoencoder": autoencoder,
    "multiple outputs": multiple_outputs,
    "images": images,
}
