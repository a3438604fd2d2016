"""A fix runs on what the user has: an array, a tf.data.Dataset, a generator; the finding is gone, and fit trains."""

from __future__ import annotations

import itertools
import linecache
from dataclasses import replace

import numpy as np
import pytest

from deep_mnist.doctor import check
from deep_mnist.doctor.checks.inputs.missing import NOT_FINITE
from deep_mnist.doctor.checks.live.own_words import with_another_line
from tests.support.digits import draw_digits
from tests.support.fixes_in_place import fixed, graver, is_statement

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

PIXELS, CLASSES = draw_digits(400)
IMAGES, LABELS = PIXELS[..., np.newaxis].astype("float32") / 255, CLASSES.astype("int64")
SHAPE = (28, 28, 1)


def classifier(loss="sparse_categorical_crossentropy", classes=10):
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", loss)
    return model


def segmenter():
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def regressor():
    hidden = [keras.Input((3,)), keras.layers.Dense(8, activation="relu")]
    model = keras.Sequential([*hidden, keras.layers.Dense(1)])
    model.compile("adam", "mean_squared_error")
    return model


ROWS = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")
FAULTS = {
    "raw bytes": (classifier, (IMAGES * 255).astype("uint8"), LABELS),
    "raw floats": (classifier, IMAGES * 255, LABELS),
    "scaled twice": (classifier, IMAGES / 255, LABELS),
    "one-hot rows": (classifier, IMAGES, np.eye(10, dtype="float32")[LABELS]),
    "class numbers": (lambda: classifier("categorical_crossentropy"), IMAGES, LABELS),
    "numbered from one": (classifier, IMAGES, LABELS + 1),
    "masks of 255": (segmenter, IMAGES, (IMAGES > 0.5).astype("float32") * 255),
    "NaN in an image": (classifier, np.where(np.arange(400)[:, None, None, None] == 7, np.nan, IMAGES), LABELS),
    "prices": (regressor, ROWS, 250_000 + 60_000 * ROWS.sum(axis=1)),
}
KINDS = ("arrays", "dataset", "generator")


def as_kind(kind, x, y):
    """Return x and y as arrays, a shuffled dataset of batches, or a generator of batches."""
    if kind == "arrays":
        return {"x": x, "y": y}
    if kind == "dataset":
        return {"x": tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0).batch(32)}
    order = np.array_split(np.random.default_rng(0).permutation(len(x)), 12)
    return {"x": ((x[part], y[part]) for part in itertools.cycle(order))}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fix_runs_on_what_the_user_has(kind, fault):
    """No exception, the finding is gone and nothing else appears, and one epoch trains."""
    make, x, y = FAULTS[fault]
    model = make()
    steps = {} if kind == "arrays" else {"steps_per_epoch": 12}

    found, again, space = fixed(model, as_kind(kind, x, y), epochs=20, **steps)

    assert found
    if all(is_statement(each.fix) or each.fix.startswith("Nothing more: ") for each in found):
        assert again == []
        model.run_eagerly = True  # to trace a graph for a dozen steps takes longer than they do
        model.fit(space["x"], space["y"], epochs=1, verbose=0, **steps)


def test_no_fix_of_a_sequence_is_code_of_numpy():
    """A keras PyDataset makes its batches in code of its own: the fix says where."""

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 12

        def __getitem__(self, index):
            part = np.random.default_rng(index).permutation(400)[:32]
            return (IMAGES[part] * 255).astype("uint8"), LABELS[part]

    found = graver(check(classifier(), Batches(), epochs=20).findings)

    assert found and not any(each.fix.startswith(("x = x.", "Batches")) for each in found)
    assert all("__getitem__" in each.fix or "in place of" in each.fix for each in found)


def test_a_line_is_never_told_to_stand_in_its_own_place():
    """A fix that is word for word the line of the program becomes a sentence."""
    text, place = "import sys\nloss  =  'mse'; seen = sys._getframe()\n", "<the same line>"
    linecache.cache[place] = (len(text), None, text.splitlines(True), place)
    names = {}
    exec(compile(text, place, "exec"), names)
    finding = NOT_FINITE.found(
        expected="another loss", received="mse", fix=f'loss = "mse"; seen = sys._getframe()  # in place of {place}:2'
    )

    kept = with_another_line(replace(finding, fix=finding.fix.replace("mse", "mae")), names["seen"])
    told = with_another_line(finding, names["seen"])

    assert (kept.fix[:13], told.fix) == ('loss = "mae";', f"Write {place}:2 anew: it needs another loss.")
