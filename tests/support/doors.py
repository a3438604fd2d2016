"""One sound example of each thing that the doctor may be pointed at, as real files.

python -m tests.support.doors FOLDER   writes those that Keras itself has to write.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.support.digits import draw_digits

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import numpy as np, keras
keras.utils.set_random_seed(0)
data = np.load("digits.npz")
x, y = data["x_train"][..., None], data["y_train"]
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
                          keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
print("before the fit")
model.fit(x, y, epochs=2, verbose=2)
print("after the fit")
"""


def write_doors(folder: Path) -> None:
    """Write every door's example into a folder: data, programs, models, and what is none of them."""
    from tests.support.image_files import write_digits_shard, write_table

    x_train, y_train = draw_digits(600, 0)
    x_test, y_test = draw_digits(200, 1)
    np.savez(folder / "digits.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    write_table(folder / "digits.csv", 200)
    write_digits_shard(folder / "digits.parquet", 200)
    write_programs(folder)
    command = [sys.executable, "-m", "tests.support.doors", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    data = folder / "data"
    data.mkdir()
    for name, array in (("train_images", x_train[..., None]), ("train_labels", y_train)):
        np.save(data / f"{name}.npy", array)
    shutil.copy(folder / "digits.keras", data / "model.keras")
    (folder / "digits.onnx").write_bytes(onnx_bytes())
    (folder / "other.bin").write_bytes(bytes(range(7, 207)))


def write_programs(folder: Path) -> None:
    """Write one training as a script, as a notebook, and as a module that imports from its package."""
    (folder / "train.py").write_text(PROGRAM)
    head, _, rest = PROGRAM.partition("model.compile")
    write_notebook(folder / "train.ipynb", [head, f"model.compile{rest}"], [3, 7])
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "places.py").write_text('DIGITS = "digits.npz"\n')
    (package / "train.py").write_text("from .places import DIGITS\n" + PROGRAM.replace('"digits.npz"', "DIGITS"))


def write_notebook(path: Path, cells: Sequence[str], counts: Sequence[int | None] = (), **metadata: object) -> Path:
    """Write a notebook of nbformat 4: a heading, then these cells of code with their execution numbers."""
    numbers = [*counts, *[None] * (len(cells) - len(counts))]
    code = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": number, "source": text.splitlines(True)}
        for text, number in zip(cells, numbers, strict=True)
    ]
    heading = {"cell_type": "markdown", "metadata": {}, "source": ["# Digits"]}
    stated = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [heading, *code]}
    path.write_text(json.dumps(stated))
    return path


def onnx_bytes() -> bytes:
    """Return an ONNX ModelProto: ir_version 8, producer_name "tests", an empty graph "g", opset 17."""
    graph = b"\x12\x01g"
    return b"\x08\x08\x12\x05tests\x3a" + bytes([len(graph)]) + graph + b"\x42\x02\x10\x11"


def write_models(folder: Path) -> None:
    """Write the network in the forms that Keras and TensorFlow write."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(folder / "digits.keras")
    model.save(folder / "digits.h5")
    model.save_weights(folder / "digits.weights.h5")
    model.export(folder / "saved", verbose=False)
    (folder / "digits.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


if __name__ == "__main__":
    write_models(Path(sys.argv[1]))
