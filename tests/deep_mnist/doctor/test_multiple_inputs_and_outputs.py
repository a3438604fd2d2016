"""Networks of multiple inputs and outputs: each array is judged against the input or output that it is for."""

from __future__ import annotations

import numpy as np
import pytest

from deep_mnist import doctor
from deep_mnist.doctor.judge import judge_folder

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

RANDOM = np.random.default_rng(4)
COUNT = 240


def network():
    """Return a network of two inputs, columns and tokens, and two outputs, a number and one of four kinds."""
    columns, text = keras.Input((5,), name="columns"), keras.Input((12,), name="text")
    words = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 8)(text))
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()([columns, words]))
    outputs = {
        "price": keras.layers.Dense(1, name="price")(hidden),
        "kind": keras.layers.Dense(4, activation="softmax", name="kind")(hidden),
    }
    model = keras.Model([columns, text], outputs)
    model.compile("adam", {"price": "mse", "kind": "sparse_categorical_crossentropy"})
    return model


def data():
    columns = RANDOM.normal(size=(COUNT, 5)).astype("float32")
    text = RANDOM.integers(0, 50, (COUNT, 12))
    return columns, text, (columns[:, 0] * 9 + 40).astype("float32"), RANDOM.integers(0, 4, COUNT)


def too_many_kinds(columns, text, price, kind):
    kind = RANDOM.integers(0, 6, len(kind))
    return columns, text, price, kind


def tokens_beyond(columns, text, price, kind):
    return columns, text * 3, price, kind


def hole_in_columns(columns, text, price, kind):
    columns = columns.copy()
    columns[7, 2] = np.nan
    return columns, text, price, kind


def healthy(columns, text, price, kind):
    return columns, text, price, kind


CASES = [
    (healthy, set()),
    (too_many_kinds, {"model.output_units"}),
    (tokens_beyond, {"images.range"}),
    (hole_in_columns, {"images.finite"}),
]


def given_as_lists(columns, text, price, kind):
    return [columns, text], {"kind": kind, "price": price}


def given_by_name(columns, text, price, kind):
    return {"text": text, "columns": columns}, {"kind": kind, "price": price}


def given_as_dataset(columns, text, price, kind):
    x, y = given_by_name(columns, text, price, kind)
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(COUNT).batch(32), None


def given_as_mapped_dataset(columns, text, price, kind):
    rows = tf.data.Dataset.from_tensor_slices((columns, text, price, kind))
    named = rows.map(lambda a, b, c, d: ({"columns": a, "text": b}, {"price": c, "kind": d}))
    return named.shuffle(COUNT).batch(32), None


def given_as_generator(columns, text, price, kind):
    def batches():
        for start in range(0, COUNT, 40):
            part = slice(start, start + 40)
            yield (columns[part], text[part]), {"price": price[part], "kind": kind[part]}

    return batches(), None


def graver(diagnosis):
    return {each.field for each in diagnosis.findings if each.severity in ("error", "warning")}


@pytest.mark.parametrize(("alter", "fields"), CASES, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize(
    "given", [given_as_lists, given_by_name, given_as_dataset, given_as_mapped_dataset, given_as_generator]
)
def test_each_array_is_judged_against_its_own_input_or_output(given, alter, fields):
    """Whatever form they are given in, and in whatever order."""
    x, y = given(*alter(*data()))

    epochs = 1 if given is given_as_generator else 5  # after one its batches have come to their end
    assert graver(doctor.check(network(), x, y, epochs=epochs)) == fields


def test_a_finding_says_which_input_and_names_its_variable():
    """The fix is written for the element of the list or dictionary that stands in the call, and fixes it."""
    columns, words, price, numbered = data()
    words, targets = words - 3, {"price": price, "kind": numbered + 1}
    targets["kind"][targets["kind"] == 4] = 9

    found = {each.field: each for each in doctor.check(network(), [columns, words], targets).findings}

    assert found["images.range"].received.startswith("input 'text': ")
    assert found["labels.values"].received.startswith("output 'kind': ")
    space = {"words": words, "targets": targets, "np": np}
    exec(f"{found['images.range'].fix}\n{found['labels.values'].fix}", space)
    assert graver(doctor.check(network(), [columns, space["words"]], space["targets"])) <= {"images.range"}


def test_the_part_that_validation_split_takes_is_cut_of_every_array():
    """Tokens beyond the Embedding among the last examples alone are the test split's."""
    columns, text, price, kind = data()
    text = text.copy()
    text[-5:] = 99

    diagnosis = doctor.check(network(), [columns, text], {"price": price, "kind": kind}, validation_split=0.2)

    assert [(each.field, each.split) for each in diagnosis.findings if each.severity == "error"] == [
        ("images.range", "test")
    ]


@pytest.mark.parametrize("form", ["npy", "npz"])
@pytest.mark.parametrize(("alter", "fields"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_folder_names_the_arrays_after_the_inputs_and_outputs(tmp_path, form, alter, fields):
    """train_images_text.npy, train_labels_kind.npy, or members of these names in one .npz."""
    columns, text, price, kind = alter(*data())
    arrays = {"train_images_columns": columns, "train_images_text": text,
              "train_labels_price": price, "train_labels_kind": kind}  # fmt: skip
    network().save(tmp_path / "model.keras")
    if form == "npz":
        np.savez(tmp_path / "data.npz", **arrays)
    else:
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)

    assert graver(judge_folder(tmp_path)) == fields


def test_arrays_of_other_names_are_not_judged():
    """Where nothing tells which array is for which input, the names alone are."""
    columns, text, price, kind = tokens_beyond(*data())

    found = graver(doctor.check(network(), {"a": columns, "b": text}, {"price": price, "kind": kind}))
    assert found == {"fit.names"}


def test_a_name_of_no_output_is_changed_wherever_it_stands():
    """The fix names the metrics of compile() and the targets of fit too, where they use the same name."""
    source = keras.Input((5,))
    hidden = keras.layers.Dense(8, activation="relu")(source)
    outputs = [keras.layers.Dense(1, name="price")(hidden), keras.layers.Dense(4, activation="softmax")(hidden)]
    model = keras.Model(source, outputs)
    model.compile(
        "adam",
        {"price": "mse", "kind": "sparse_categorical_crossentropy"},
        metrics={"kind": "accuracy"},
        loss_weights={"price": 1.0, "kind": 0.5},
    )
    columns, _, price, kind = data()

    found = doctor.check(model, columns, {"price": price, "kind": kind}).findings
    fixes = [each.fix for each in found if each.field == "fit.names" and "loss" in each.fix]
    assert fixes and fixes[0].endswith(", and in the metrics and the targets of fit.")


def pairs_of_pairs(width):
    """Return a network of inputs within tuples, and rows for it, the last of a width."""
    inputs = tuple(tuple(keras.Input((size,), name=name) for name, size in pair) for pair in PAIRS)
    joined = keras.layers.Concatenate()([each for pair in inputs for each in pair])
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(joined))
    model.compile("adam", "sparse_categorical_crossentropy")
    sizes = (3, 5, 2, width)
    a, b, c, d = (RANDOM.normal(size=(COUNT, size)).astype("float32") for size in sizes)
    return model, ((a, b), (c, d)), RANDOM.integers(0, 2, COUNT)


PAIRS = ((("left", 3), ("right", 5)), (("early", 2), ("late", 4)))


@pytest.mark.parametrize(("width", "found"), [(4, []), (6, ["input 'late'"])], ids=["sound", "too wide"])
@pytest.mark.parametrize("given", ["arrays", "dataset"])
def test_inputs_within_tuples_are_read_in_keras_order(width, found, given):
    """Each array is judged against its own input, which the finding names."""
    model, x, y = pairs_of_pairs(width)
    of_call = (x, y) if given == "arrays" else (tf.data.Dataset.from_tensor_slices((x, y)).batch(16),)

    findings = doctor.check(model, *of_call, epochs=5).findings

    assert [each.received.partition(":")[0] for each in findings if each.severity == "error"] == found


def test_targets_within_tuples_are_read_in_keras_order():
    """Sound outputs of a classification and two regressions are let through."""
    rows = keras.Input((4,))
    inner = keras.layers.Dense(8, activation="relu")(rows)
    kind, price, moves = keras.layers.Dense(2, activation="softmax"), keras.layers.Dense(1), keras.layers.Dense(3)
    model = keras.Model(rows, ((kind(inner), price(inner)), moves(inner)))
    model.compile("adam", (("sparse_categorical_crossentropy", "mse"), "mse"))
    x = RANDOM.normal(size=(COUNT, 4)).astype("float32")

    assert doctor.check(model, x, (((x[:, 0] > 0).astype(int), x[:, :1]), x[:, 1:]), epochs=5).errors == 0
