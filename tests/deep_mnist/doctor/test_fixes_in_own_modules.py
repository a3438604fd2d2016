"""A fix names Keras, NumPy and TensorFlow as the script does, or states the import that it needs."""

from __future__ import annotations

import sys

import pytest

from deep_mnist.doctor.checks.network.unknown import LOSS_UNKNOWN
from deep_mnist.doctor.evidence.live.statements.module_names import in_own_modules

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

LOSS = "model.compile(optimizer=model.optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))"
CASES = {
    ("import keras", LOSS): LOSS,
    ("import keras as k", LOSS): LOSS.replace("keras.", "k."),
    ("import tensorflow as tf", LOSS): LOSS.replace("keras.", "tf.keras."),
    ("from tensorflow import keras", LOSS): LOSS,
    ("from tensorflow.keras import losses", LOSS): LOSS.replace("keras.losses.", "losses."),
    ("from keras.losses import BinaryCrossentropy", LOSS): LOSS.replace("keras.losses.", ""),
    ("from keras import backend as K, layers as L", "L.Dense(3); keras.layers.Dense(2)"): "L.Dense(3); L.Dense(2)",
    ("from keras import Sequential", LOSS): f"import keras; {LOSS}",
    ("import numpy", "x = np.asarray(x)  # before fit"): "x = numpy.asarray(x)  # before fit",
    ("from numpy import asarray", "x = np.asarray(x)"): "x = asarray(x)",
    ("", "x = np.asarray(x)  # before fit"): "import numpy as np; x = np.asarray(x)  # before fit",
    ("import tensorflow", "x = x.map(lambda x, y: (tf.cast(x, 'float32'), y))"): (
        "x = x.map(lambda x, y: (tensorflow.cast(x, 'float32'), y))"
    ),
    ("", "keras.callbacks.EarlyStopping(patience=2)"): "keras.callbacks.EarlyStopping(patience=2)  # import keras",
    ("", "from keras.layers import Dense  # in place of a.py:1"): (
        "from keras.layers import Dense  # in place of a.py:1"
    ),
    ("", "y = pd.to_datetime(y)"): "import pandas as pd; y = pd.to_datetime(y)",
    ("", "return keras.ops.mean(x)  # in place of a.py:3"): (
        "import keras; return keras.ops.mean(x)  # in place of a.py:3"
    ),
    (
        "",
        "for each in x: keras.ops.mean(each)  # before",
    ): "for each in x: keras.ops.mean(each)  # before; import keras",
    ("", "Put keras.layers.Rescaling(1 / 80) first."): "Put keras.layers.Rescaling(1 / 80) first.",
    ("import tensorflow as tf", "Put keras.layers.Rescaling(1 / 80) first."): (
        "Put tf.keras.layers.Rescaling(1 / 80) first."
    ),
    ("", "model.load_weights('keras.weights.h5')"): "model.load_weights('keras.weights.h5')",
}


@pytest.mark.parametrize(("imports", "fix"), CASES, ids=lambda each: each[:40])
def test_a_fix_runs_with_the_names_that_the_script_has(imports, fix):
    """A name that the script has is used; where there is none, the import stands before the statement or is said."""
    space = {"sys": sys, "model": None, "x": None}
    exec(compile(f"{imports}\nframe = sys._getframe()", "a.py", "exec"), space)
    finding = LOSS_UNKNOWN.found(expected="", received="", fix=fix)

    assert in_own_modules(finding, space["frame"]).fix == CASES[imports, fix]


def test_a_fix_for_another_file_that_is_not_known_stays_as_it_is():
    """The names of this file say nothing of those of another one."""
    finding = LOSS_UNKNOWN.found(expected="", received="", fix="x = np.asarray(x)  # in place of no_such_module.py:3")

    assert in_own_modules(finding, sys._getframe()) == finding
