"""The doctor in memory: check, guard, assert_fit, on real Keras models and every kind of data that fit takes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from deep_mnist import doctor
from deep_mnist.doctor.testing import assert_fit
from tests.support.digits import draw_digits

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

SPARSE = "sparse_categorical_crossentropy"


def dense(loss: Any = SPARSE, shape: tuple[int, ...] | None = (28, 28), **last: Any) -> Any:
    head = [keras.Input(shape)] if shape else []
    layers = [keras.layers.Flatten(), keras.layers.Dense(32, activation="relu")]
    model = keras.Sequential([*head, *layers, keras.layers.Dense(10, **{"activation": "softmax", **last})])
    model.compile("adam", loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """600 digits: float32 (600, 28, 28) in 0..1, and their classes."""
    images, labels = draw_digits(600, 0)
    return (images / np.float32(255)).astype(np.float32), labels.astype(np.int64)


def dataset(images: np.ndarray, labels: np.ndarray) -> Any:
    return tf.data.Dataset.from_tensor_slices((images, labels))


def graver(diagnosis: doctor.Diagnosis) -> set[tuple[str, str]]:
    return {(each.field, each.severity) for each in diagnosis.findings if each.severity in ("error", "warning")}


# --- check ------------------------------------------------------------------------------------------


def test_raw_digits_are_refused_in_the_callers_names(digits):
    """uint8 into a network that does not scale: both reasons, reported of x_train, with line and fix."""
    x_train, y_train = (digits[0] * 255).astype(np.uint8), digits[1]

    diagnosis = doctor.check(dense(), x_train, y_train, epochs=5)

    assert diagnosis.verdict == "unfit"
    assert {("images.dtype", "error"), ("images.range", "error")} <= graver(diagnosis)
    assert "x_train (test_live_call.py:" in str(diagnosis)
    space = {"x_train": x_train, "np": np}
    exec(diagnosis.findings[0].fix, space)
    assert doctor.check(dense(), space["x_train"], y_train).verdict == "fit"


def test_scaled_digits_are_fit_and_raise_nothing(digits):
    """A fit call returns itself from raise_if_unfit."""
    diagnosis = doctor.check(dense(), *digits, epochs=5)

    assert not graver(diagnosis)
    assert diagnosis.raise_if_unfit() is diagnosis


def test_validation_data_are_the_test_split(digits):
    """A validation set that was not scaled is reported of x_val alone."""
    x_val, y_val = digits[0][:200] * 255, digits[1][:200]

    diagnosis = doctor.check(dense(), digits[0][200:], digits[1][200:], validation_data=(x_val, y_val))

    found = [each for each in diagnosis.findings if each.field == "images.range"]
    assert [each.split for each in found] == ["test"]
    assert found[0].fix.startswith("x_val = ")


def test_validation_split_of_sorted_labels_is_an_error(digits):
    """The last fifth of a sorted set holds classes that training never sees."""
    order = np.argsort(digits[1], kind="stable")

    diagnosis = doctor.check(dense(), digits[0][order], digits[1][order], validation_split=0.2)

    assert graver(diagnosis) == {("splits.order", "error")}


@pytest.mark.parametrize("fault", ["columns far too large", "the label among the columns"])
def test_a_fix_changes_once_what_validation_split_divides(fault):
    """The part that fit takes for validation is of the same array: a fix that also named it would change it twice."""
    random = np.random.default_rng(0)
    table = random.normal(size=(800, 6)).astype(np.float32)
    score = table[:, 0] + table[:, 1] + random.normal(size=800)
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    if fault == "columns far too large":
        table[:, 2:], target = table[:, 2:] * 400 + 1500, score
        network.compile(keras.optimizers.SGD(0.01), "mse")
    else:
        table[:, 3] = target = (score > 0).astype(np.int64)
        network.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))

    def check() -> Any:
        return doctor.check(network, table, target, validation_split=0.2)

    (found,) = (each for each in check().findings if each.rule.code in ("I150", "L160"))

    assert "table[-" not in found.fix
    exec(found.fix, space := {"table": table, "np": np})
    table = space["table"]
    assert found.rule.code not in {each.rule.code for each in check().findings}


def test_a_model_that_was_never_built_takes_its_shape_from_the_data(digits):
    """No input shape is needed to see that the output is too narrow."""
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(7, activation="softmax")])
    model.compile("adam", SPARSE)

    assert ("model.output_units", "error") in graver(doctor.check(model, *digits))
    assert not model.built


def test_fit_before_compile_is_reported(digits):
    """Keras would stop; so does the doctor."""
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])

    assert ("contract.loss", "error") in graver(doctor.check(model, *digits))


def test_lists_are_judged_and_named(digits):
    """Keras refuses a list of images; the fix is one line."""
    diagnosis = doctor.check(dense(), list(digits[0]), digits[1])

    assert ("images.dtype", "error") in graver(diagnosis)


def test_unlike_estimators_are_refused_with_a_line(digits):
    """Neither a torch module, nor scikit-learn's, nor anything else is taken for a Keras model."""

    class Module:
        __module__ = "torch.nn.modules.module"

    class Net(Module):
        pass

    with pytest.raises(doctor.NotUsableError, match=r"torch nn\.Module"):
        doctor.check(Net(), *digits)
    with pytest.raises(doctor.NotUsableError, match=r"Expected a Keras model\. Received: builtins\.object"):
        doctor.check(object(), *digits)


def test_a_sequence_of_no_batches_is_told_from_what_is_no_data():
    """The refusal says that it holds nothing, not that it is of another kind."""

    class Rows(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 0

        def __getitem__(self, index: int) -> Any:
            raise IndexError(index)

    with pytest.raises(doctor.NotUsableError, match=r"a Rows of 0 batches"):
        doctor.check(dense(), Rows())


def test_a_person_has_the_last_word(digits):
    """An accepted finding stays in the report with its reason, of the data and of the pipeline alike."""
    accept = {"images.range": "a trial", "images.dtype": "a trial"}
    raw = (digits[0] * 255).astype(np.uint8)
    made = dataset(*digits).batch(32).shuffle(10)

    diagnosis = doctor.check(dense(), raw, digits[1], accept=accept)
    piped = doctor.check(dense(), made, accept=[{"field": "fit.shuffle", "because": "few batches"}])

    assert diagnosis.verdict == "fit" and "because a trial" in str(diagnosis)
    assert [(each.field, each.severity) for each in piped.findings if each.severity != "note"] == [
        ("fit.shuffle", "accepted")
    ]
    assert "though accept names it" not in str(piped)


def test_arguments_that_fit_has_not_are_refused(digits):
    """A misspelled argument is no silent default."""
    with pytest.raises(TypeError, match="epoch"):
        doctor.check(dense(), *digits, epoch=5)


def test_the_page_is_a_frame(digits):
    """A notebook shows the page, its style kept to itself."""
    shown = doctor.check(dense(), *digits)._repr_html_()

    assert shown.startswith("<iframe")
    assert "&lt;h1&gt;" in shown


# --- pipelines --------------------------------------------------------------------------------------


def test_every_kind_of_data_is_drawn(digits):
    """Tensors, datasets, sequences and generators of fit digits are fit; the sample is stated."""
    images, labels = digits

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return images[index * 30 : index * 30 + 30], labels[index * 30 : index * 30 + 30]

    made = dataset(images, labels).shuffle(600).map(lambda x, y: (x * 1.0, y)).batch(32).prefetch(2)
    for x, y in ((tf.constant(images), tf.constant(labels)), (made, None), (Batches(), None), (iter([digits]), None)):
        diagnosis = doctor.check(dense(), x, y)
        assert not graver(diagnosis), (type(x), diagnosis.findings)
        train = diagnosis.case.splits["train"].images
        assert train is not None and train.shape[1:] == (28, 28)


def test_a_mapped_dataset_is_judged_behind_its_maps(digits):
    """A map that forgets to scale is seen, though only a sample goes through it."""
    raw = (digits[0] * 255).astype(np.uint8)
    made = dataset(raw, digits[1]).map(lambda x, y: (tf.cast(x, tf.float32), y)).batch(32)

    assert ("images.range", "error") in graver(doctor.check(dense(), made))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda data: data.shuffle(600), ("images.rank", "error")),
        (lambda data: data.batch(32).shuffle(10), ("fit.shuffle", "warning")),
        (lambda data: data.shuffle(600).cache().batch(32), ("fit.shuffle", "warning")),
        (lambda data: data.shuffle(600).repeat().batch(32), ("fit.epochs", "error")),
        (lambda data: data.batch(8).batch(4), ("images.rank", "error")),
    ],
)
def test_orders_of_a_dataset_that_cannot_work(digits, build, expected):
    """Not batched, shuffled after batch, cached after shuffle, without an end, batched twice."""
    assert expected in graver(doctor.check(dense(), build(dataset(*digits))))


def test_a_shuffle_buffer_must_reach_over_a_sorted_set(digits):
    """100 of 600 sorted examples is too few; 600 are enough; unsorted examples need none."""
    order = np.argsort(digits[1], kind="stable")
    images, labels = digits[0][order], digits[1][order]

    small = doctor.check(dense(), dataset(images, labels).shuffle(100).batch(32))
    large = doctor.check(dense(), dataset(images, labels).shuffle(600).batch(32))
    unsorted = doctor.check(dense(), dataset(*digits).shuffle(100).batch(32))

    assert {field for field, _ in graver(small)} == {"splits.order"}
    assert not graver(large) and not graver(unsorted)


def test_an_endless_dataset_with_steps_is_fit(digits):
    """repeat() belongs to steps_per_epoch."""
    made = dataset(*digits).shuffle(600).repeat().batch(32)

    assert not graver(doctor.check(dense(), made, steps_per_epoch=18))


# --- guard and assert_fit ---------------------------------------------------------------------------


def test_guard_refuses_an_unfit_fit_before_its_first_step(digits):
    """The weights are as they were, and after the block fit is Keras's own again."""
    model, own = dense(), keras.Model.fit
    before = [weight.copy() for weight in model.get_weights()]

    with pytest.raises(doctor.UnfitError, match=r"images\.range"), doctor.guard():
        model.fit(digits[0] * 255, digits[1], epochs=1, verbose=0)

    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    assert keras.Model.fit is own


def test_guard_lets_a_fit_fit_train(digits):
    """A generator that was drawn from is given to Keras whole."""
    seen: list[int] = []

    def batches() -> Any:
        for start in range(0, 600, 100):
            seen.append(start)
            yield digits[0][start : start + 100], digits[1][start : start + 100]

    model = dense()
    with doctor.guard() as diagnoses:
        history = model.fit(batches(), epochs=1, verbose=0)

    assert [each.verdict for each in diagnoses] == ["fit"]
    assert int(model.optimizer.iterations) >= 6 and len(history.history["loss"]) == 1
    assert seen == [0, 100, 200, 300, 400, 500]


def test_assert_fit_fails_with_the_diagnosis(digits):
    """A team's test shows every error and its fix."""
    assert assert_fit(dense(), *digits).verdict == "fit"
    with pytest.raises(AssertionError, match=r"images\.range"):
        assert_fit(dense(), digits[0] * 255, digits[1])


def test_legacy_keras_is_judged_alike(digits):
    """tf_keras's models serialize as Keras 3's do."""
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Flatten(input_shape=(28, 28)), layers.Dense(10, activation="softmax")])
    model.compile("adam", SPARSE)

    assert not graver(doctor.check(model, *digits))
    assert ("images.range", "error") in graver(doctor.check(model, digits[0] * 255, digits[1]))


def test_importing_the_doctor_imports_nothing_heavy():
    """`from deep_mnist import doctor` costs no numpy, no TensorFlow."""
    code = "import sys; from deep_mnist import doctor; print({'numpy', 'tensorflow', 'keras'} & set(sys.modules))"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
