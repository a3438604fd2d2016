"""`python -m deep_mnist.doctor train.py --rehearse`: every kind of script is rehearsed, or told why it was not."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.digits import draw_digits
from tests.support.doctor_commands import Ended, doctors

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = Path(__file__).with_name("scripts")
BEGINNING = """
import numpy as np, tensorflow as tf, keras
from keras import layers
with np.load("digits.npz") as data:
    images, labels = data["images"].astype("float32") / 255, data["labels"]
"""
NETWORK = """
model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
"""
WRITTEN = {
    "sequence": NETWORK + """
class Batches(keras.utils.PyDataset):
    def __len__(self): return len(images) // 32
    def __getitem__(self, index): return images[32 * index :][:32], labels[32 * index :][:32]
model.fit(Batches())
""",
    "torch_loader": """
from torch import as_tensor
from torch.utils.data import DataLoader, TensorDataset
""" + NETWORK + """
model.fit(DataLoader(TensorDataset(as_tensor(images), as_tensor(labels)), batch_size=32, shuffle=True))
""",
    "mapped_dataset": NETWORK + """
pairs = tf.data.Dataset.from_tensor_slices((images * 255, labels))
model.fit(pairs.map(lambda x, y: (x / 255, y)).shuffle(600).batch(32))
""",
    "named_inputs_and_outputs": """
pixels, mean = keras.Input((28, 28), name="pixels"), keras.Input((1,), name="mean")
joined = layers.Concatenate()([layers.Dense(16, "relu")(layers.Flatten()(pixels)), mean])
digit, brightness = layers.Dense(10, "softmax", name="digit")(joined), layers.Dense(1, name="brightness")(joined)
model = keras.Model([pixels, mean], [digit, brightness])
model.compile("adam", {"digit": "sparse_categorical_crossentropy", "brightness": "mse"})
means = images.mean(axis=(1, 2)).reshape(-1, 1)
inputs, targets = {"pixels": images, "mean": means}, {"brightness": means, "digit": labels}
model.fit(tf.data.Dataset.from_tensor_slices((inputs, targets)).shuffle(600).batch(32))
""",
    "tensors": NETWORK + "model.fit(tf.constant(images), tf.constant(labels), validation_split=0.1)\n",
    "own_loss": NETWORK.replace("keras.losses.SparseCategoricalCrossentropy(from_logits=True)", "squared") .replace(
        "model =", "def squared(y, p): return tf.reduce_mean(tf.square(y - p), axis=-1)\nmodel ="
    ) + "model.fit(images.astype('float64'), np.eye(10)[labels])\n",
    "batch_by_batch": NETWORK + """
for start in range(0, 320, 32):
    model.train_on_batch(images[start : start + 32], labels[start : start + 32])
""",
    "too_high": NETWORK.replace('"adam"', "keras.optimizers.SGD(1e4)") + "model.fit(images, labels)\n",
    "raises": NETWORK.replace("layers.Dense(10)", "layers.Dense(10), Broken()").replace("model =", """
class Broken(layers.Layer):
    def call(self, x, training=False):
        if training and tf.executing_eagerly(): raise RuntimeError("this layer runs as a graph alone")
        return x
model =""", 1) + "model.fit(images, labels)\n",
    "trained_after": NETWORK + """
weights = [np.array(each) for each in model.get_weights()]
class Unchanged(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        assert all(map(np.array_equal, weights, self.model.get_weights())) and int(self.model.optimizer.iterations) == 0
        print("unchanged")
model.fit(images, labels, callbacks=[Unchanged()], verbose=0)
""",
}  # fmt: skip
RUNS = ("custom_loop", "subclassed", "dataset", "functional", "generator", "legacy_keras", "own_training_step")
NOT_RUN = {
    "custom_loop": "a loop of its own",
    "own_training_step": "a train_step of its own",
    "legacy_keras": "Keras 3",
    "raises": "RuntimeError: ",
}
NEEDS = {"legacy_keras": "tf_keras", "torch_loader": "torch"}

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with 600 digits and the scripts."""
    place = tmp_path_factory.mktemp("rehearsed")
    (images, labels), tested = draw_digits(600, 0), draw_digits(200, 1)
    np.savez(
        place / "digits.npz", images=images, labels=labels, x_train=images, y_train=labels, x_test=tested[0],
        y_test=tested[1],
    )  # fmt: skip
    for name, text in WRITTEN.items():
        (place / f"{name}.py").write_text(BEGINNING + text)
    return place


@pytest.fixture(scope="module")
def ended(folder: Path) -> dict[str, Ended]:
    """The end of every script's rehearsal."""
    paths = {name: SCRIPTS / f"{name}.py" for name in RUNS} | {name: folder / f"{name}.py" for name in WRITTEN}
    runs = {name: [str(path), "--rehearse", "--json"] for name, path in paths.items()}
    runs["trained_after"].append("--train")
    return doctors(runs, folder)


def _path() -> str:
    return os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])


def of_rehearsal(out: str) -> list[dict[str, Any]]:
    return [each for each in json.loads(out[out.index("{") :])["findings"] if each["field"].startswith("rehearsal.")]


@pytest.mark.parametrize("name", [*RUNS, *(each for each in WRITTEN if each != "too_high")])
def test_a_sound_script_is_rehearsed_and_fit(ended, name):
    """Exit status 0, and one note: the training's cost, or why this one cannot be rehearsed."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    run = ended[name]

    assert run.status == 0, run.out + run.err
    (found,) = of_rehearsal(run.out)
    assert found["rule"] == ("R001" if name in NOT_RUN else "R002"), found
    assert NOT_RUN.get(name, "ms per step") in found["received"]


def test_a_rate_that_cannot_train_is_found_in_a_script(ended):
    """Exit status 1, with an error of the rehearsal."""
    run = ended["too_high"]

    assert run.status == 1, run.out + run.err
    assert "error" in {each["severity"] for each in of_rehearsal(run.out)}


def test_a_training_after_the_rehearsal_starts_from_the_users_weights(ended):
    """With --train, fit begins with the weights and the optimizer that the script had made."""
    assert "unchanged" in ended["trained_after"].out + ended["trained_after"].err


def test_the_command_rehearses_the_second_example(folder: Path):
    """`python -m deep_mnist.doctor examples/example2_prepared.py --rehearse`, as the README has it."""
    text = (ROOT / "examples" / "example2_prepared.py").read_text()
    load = "tf.keras.datasets.mnist.load_data()"
    assert load in text
    (folder / "example2.py").write_text(
        text.replace(load, 'tuple(np.load("digits.npz")[n] for n in ("x_train", "y_train")), '
                     'tuple(np.load("digits.npz")[n] for n in ("x_test", "y_test"))')
        .replace("import tensorflow", "import numpy as np\nimport tensorflow")
    )  # fmt: skip
    command = [sys.executable, "-m", "deep_mnist.doctor", "example2.py", "--rehearse"]
    environment = {**os.environ, "PYTHONPATH": _path()}

    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "R002 rehearsal.cost" in done.stdout and "Traceback" not in done.stderr
