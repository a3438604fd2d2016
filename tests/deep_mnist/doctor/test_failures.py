"""What the doctor knows of the errors that end scripts: each raised by what really raises it."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_mnist.doctor.script.failures import UNKNOWN, explained


def error_of(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        act()
    return caught.value


def test_a_missing_file_is_sought_beside_the_script_and_by_its_name(tmp_path, monkeypatch):
    """The file lies beside the script, or has almost the name."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "project" / "train.py"
    script.parent.mkdir()
    (script.parent / "digits.npz").touch()
    (tmp_path / "train_images.npy").touch()

    beside = explained(error_of(lambda: np.load("digits.npz")), script)
    near = explained(error_of(lambda: np.load("train_image.npy")), script)

    assert f"cd {script.parent}" in beside
    assert "train_images.npy, which exists" in near


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module_here", "pip install no_such_module_here"),
        ("from cv2x import imread", "pip install cv2x"),
        ("import numpy as np\nnp.float(1)", "Fix: float(1)"),
        ("import numpy as np\nnp.zeros(10).reshape(3, 4)", "(3,4)"),
        ("load_data = lambda: ((1, 2), (3, 4), (5, 6))\n(a, b), (c, d) = load_data()", "(x_test, y_test) ="),
        ("history = {'accuracy': 1}\nhistory['acc']", "history['accuracy']"),
        ("print 'python 2'", "Fix: print('python 2')"),
    ],
)
def test_errors_of_python_and_numpy_are_explained(tmp_path, code, words):
    """A module, a name or a shape that is not there."""
    script = tmp_path / "script.py"
    script.write_text(code)

    reported = explained(error_of(lambda: runpy.run_path(str(script))), script)

    assert words in reported and " Expected " in reported


def test_errors_of_keras_are_explained(tmp_path):
    """Shapes, removed modules and arguments, as the installed Keras itself reports them."""
    keras = pytest.importorskip("keras")
    images, labels = np.zeros((4, 28, 28), np.float32), np.zeros(4, np.int64)
    dense = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
    dense.compile("adam", "categorical_crossentropy")
    flat = images.reshape(4, -1)
    acts: list[tuple[Callable[[], Any], str]] = [
        (lambda: keras.layers.Conv2D(8, 3)(images), "channel axis"),
        (lambda: dense(images.reshape(4, 14, 56)), "(None, 784)"),
        (lambda: dense.fit(flat, labels, verbose=0), "sparse_categorical_crossentropy"),
        (lambda: dense.fit(flat, labels[:3], verbose=0), "4 in flat, 3 in labels[:3]"),
        (lambda: keras.optimizers.Adam(lr=0.1), "learning_rate="),
        (
            lambda: keras.layers.MaxPooling2D(2)(keras.layers.Conv2D(4, 5)(np.zeros((1, 3, 3, 1), np.float32))),
            "padding",
        ),
        (lambda: dense.predict_classes(flat), "argmax"),
        (lambda: dense.compile("adamm", "mse"), '"adam"'),
    ]

    errors = [(error_of(act), words) for act, words in acts]
    reported = [(explained(error, tmp_path / "script.py"), words, str(error)[-400:]) for error, words in errors]
    assert [each for each in reported if each[1] not in each[0]] == []


def test_what_is_not_known_is_not_guessed():
    """An error of the user's own gets no invented cause."""
    assert explained(ValueError("the moon is full"), Path("script.py")) == UNKNOWN
