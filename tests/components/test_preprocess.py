"""Preprocess writes exactly what the contract asks for, and passes on unchanged what is not raw."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.download.download import download_dataset
from components.preprocess.preprocess import preprocess_dataset
from components.validate.validate import validate_dataset
from deep_mnist.contract.contract import Contract, ContractError
from deep_mnist.contract.folder import contract_of
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.data.stratify import held_out_counts
from deep_mnist.export import raw_images
from deep_mnist.storage.store import sha256_of_file
from tests.support.digits import draw_digits, write_raw_folder
from tests.support.keras_models import classifier, write_keras
from tests.support.own_rules import write_rules


@pytest.fixture
def raw(tmp_path):
    """A downloaded folder of 300 + 60 digits."""
    download_dataset(str(write_raw_folder(tmp_path / "own", 300, 60)), tmp_path / "raw")
    return tmp_path / "raw"


def raw_of(tmp_path, **arrays):
    own = tmp_path / "own"
    own.mkdir()
    for name, array in arrays.items():
        np.save(own / f"{name}.npy", array)
    download_dataset(str(own), tmp_path / "raw-own")
    return tmp_path / "raw-own"


def contract(**settings) -> Contract:
    return Contract.from_dict(
        {
            "input_shape": [28, 28, 1],
            "layout": "channels_last",
            "input_dtype": "float32",
            "input_range": [0.0, 1.0],
            "loss": "categorical_crossentropy",
            "from_logits": False,
            "num_classes": 10,
            "label_encoding": "one_hot",
            **settings,
        }
    )


def test_a_float_network_gets_float32_in_0_1_and_one_hot_labels(raw, tmp_path):
    """The pixels are exactly pixel / 255, the labels rows of a unit matrix."""
    dataset = preprocess_dataset(raw, contract(), tmp_path / "out")
    images, labels = dataset.images("test"), dataset.labels("test")
    source = np.load(raw / "test_images.npy")

    assert (images.dtype, images.shape) == (np.float32, (60, 28, 28, 1))
    np.testing.assert_array_equal(images[..., 0], source.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(labels, np.eye(10, dtype=np.float32)[np.load(raw / "test_labels.npy")])


def test_a_network_that_scales_inside_gets_raw_bytes(raw, tmp_path):
    """The built-in default takes uint8 pixels and integer labels."""
    dataset = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "out")

    assert dataset.images("train").dtype == np.uint8
    assert dataset.labels("train").dtype == np.int64
    assert dataset.record.scale == 1.0


@pytest.mark.parametrize(
    ("shape", "layout", "stored"),
    [
        ([28, 28, 1], "channels_last", (28, 28, 1)),
        ([1, 28, 28], "channels_first", (1, 28, 28)),
        ([28, 28], "rows_columns", (28, 28)),
        ([784], "flat", (784,)),
    ],
)
def test_each_layout_is_written(raw, tmp_path, shape, layout, stored):
    """The same pixels in the layout the network declares."""
    dataset = preprocess_dataset(raw, contract(input_shape=shape, layout=layout), tmp_path / "out")
    images = dataset.images("test")

    assert images.shape[1:] == stored == dataset.record.image_shape
    np.testing.assert_allclose(images.reshape(60, 28, 28) * 255, np.load(raw / "test_images.npy"), atol=1e-4)


def test_a_symmetric_range_is_written_as_the_record_says(raw, tmp_path):
    """stored = raw * scale + offset holds for the record in the manifest."""
    dataset = preprocess_dataset(raw, contract(input_range=[-1.0, 1.0]), tmp_path / "out")
    record = open_dataset(tmp_path / "out").record

    expected = np.load(raw / "test_images.npy") * record.scale + record.offset
    np.testing.assert_allclose(dataset.images("test")[..., 0], expected, atol=1e-6)
    assert (expected.min(), expected.max()) == (-1.0, pytest.approx(1.0, abs=0.1))


def test_the_validation_split_is_stratified_and_seeded(raw, tmp_path):
    """Each class gives the same share; the same seed draws the same rows, another seed others."""
    first, again, other = (
        preprocess_dataset(raw, resolve_contract("fast"), tmp_path / name, validation_fraction=0.1, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    assert np.bincount(first.labels("validation")).tolist() == [3] * 10
    assert first.digest == again.digest != other.digest
    assert len(first.labels("train")) + len(first.labels("validation")) == 300


@pytest.mark.parametrize("fraction", [1 / 12, 0.0833333333], ids=["exact", "rounded"])
def test_mnist_gives_up_exactly_5000(fraction):
    """MNIST's 60,000 training digits split into 55,000 and 5,000, each class within one example of its share."""
    counts = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    held_out = held_out_counts(counts, fraction)

    assert held_out.sum() == 5000
    assert np.abs(held_out - counts / 12).max() < 1


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.floats(0.01, 0.49))
def test_every_class_keeps_and_gives_examples(counts, fraction):
    """No class is emptied, each with two examples gives one, and the total is exact unless classes are tiny."""
    counts = np.array(counts)
    held_out = held_out_counts(counts, fraction)

    assert (held_out < np.maximum(counts, 1)).all() and (held_out[counts > 1] >= 1).all()
    if (fraction * counts >= 1).all():
        assert abs(held_out.sum() - fraction * counts.sum()) <= 0.5 + 1e-6


def test_train_and_validation_share_no_row(raw, tmp_path):
    """Together they are the source's training split, each row once."""
    dataset = preprocess_dataset(raw, resolve_contract("fast"), tmp_path / "out")
    together = np.concatenate([dataset.images("train"), dataset.images("validation")])[..., 0]

    source = np.load(raw / "train_images.npy")
    assert sorted(row.tobytes() for row in together) == sorted(row.tobytes() for row in source)


def test_data_without_a_test_split_give_up_a_share(tmp_path):
    """A test split is drawn from the training data, stratified, before the validation split."""
    images, labels = draw_digits(210)
    dataset = preprocess_dataset(
        raw_of(tmp_path, train_images=images, train_labels=labels), resolve_contract("fast"), tmp_path / "out"
    )

    assert np.bincount(dataset.labels("test")).tolist() == [3] * 10
    assert sum(len(dataset.labels(split)) for split in dataset.splits()) == 210


def test_prepared_data_pass_unchanged(tmp_path):
    """What is not raw goes on byte for byte, and the record says so."""
    images, labels = draw_digits(40)
    floats = images.astype(np.float32) / 255
    own = raw_of(tmp_path, train_images=floats, train_labels=labels)
    dataset = preprocess_dataset(own, contract(), tmp_path / "out")

    assert dataset.record.prepared
    assert (tmp_path / "out" / "train_images.npy").read_bytes() == (own / "train_images.npy").read_bytes()


def test_an_unreadable_file_passes_for_validate_to_name(tmp_path):
    """A truncated file does not stop preprocess: the doctor names it better."""
    own = write_raw_folder(tmp_path / "own", 40, 20)
    content = (own / "train_images.npy").read_bytes()
    (own / "train_images.npy").write_bytes(content[: len(content) // 2])
    download_dataset(str(own), tmp_path / "raw")
    dataset = preprocess_dataset(tmp_path / "raw", contract(), tmp_path / "out")

    assert dataset.record.prepared


def test_prepared_data_are_refused_where_raw_is_demanded(tmp_path):
    """preparation=contract does not guess how to undo what the user did."""
    images, labels = draw_digits(40)
    own = raw_of(tmp_path, train_images=images.astype(np.float32), train_labels=labels)
    with pytest.raises(DatasetError, match="Expected raw data to convert"):
        preprocess_dataset(own, contract(), tmp_path / "out", preparation="contract")


def test_a_network_that_asks_for_nothing_gets_the_raw_arrays(raw, tmp_path):
    """The seed's example 1 feeds what load_data() returned: uint8 (n, 28, 28)."""
    dataset = preprocess_dataset(raw, resolve_contract("example1"), tmp_path / "out")

    assert (dataset.images("train").dtype, dataset.record.image_shape) == (np.uint8, (28, 28))


@pytest.mark.parametrize("fraction", [0.0, 0.5, -1.0])
def test_a_validation_fraction_out_of_range_is_refused(raw, tmp_path, fraction):
    """No split may be empty or take half of the data."""
    with pytest.raises(DatasetError, match=r"Expected 0 < validation_fraction < 0\.5"):
        preprocess_dataset(raw, contract(), tmp_path / "out", validation_fraction=fraction)


def test_the_whole_contract_lies_in_the_dataset(raw, tmp_path):
    """Later steps read in the dataset what preprocess verified, the digest of the user's own file included."""
    write_keras(tmp_path / "own.keras", classifier(), "sparse_categorical_crossentropy")
    own = resolve_contract("fast", str(tmp_path / "own.keras"))
    dataset = preprocess_dataset(raw, own, tmp_path / "out")

    assert contract_of(open_dataset(tmp_path / "out")) == own
    assert own.model_digest == sha256_of_file(tmp_path / "own.keras")
    assert "contract.json" in dataset.files


def test_what_a_user_tells_beside_the_data_is_part_of_the_contract(tmp_path):
    """The loss in contract.json decides the labels' encoding, and what a person accepts travels along."""
    own = write_raw_folder(tmp_path / "own", 60, 20)
    options = {"loss": "categorical_crossentropy", "accept": [{"field": "splits.order", "because": "on purpose"}]}
    (own / "contract.json").write_text(json.dumps(options))
    download_dataset(str(own), tmp_path / "raw")
    dataset = preprocess_dataset(tmp_path / "raw", contract(loss=None, label_encoding=None), tmp_path / "out")

    assert dataset.labels("train").shape[1:] == (10,)
    assert contract_of(dataset).loss == "categorical_crossentropy"
    assert json.loads((tmp_path / "out" / "contract.json").read_text())["accept"] == options["accept"]


def test_the_contract_is_no_part_of_the_datas_identity(raw, tmp_path):
    """The same arrays for a network of another name are the same data."""
    first = preprocess_dataset(raw, contract(name="one"), tmp_path / "one")
    second = preprocess_dataset(raw, contract(name="two"), tmp_path / "two")

    assert first.digest == second.digest
    assert contract_of(first).name != contract_of(second).name


def test_another_file_than_the_one_that_was_pinned_is_refused(tmp_path):
    """A network that changed after the run started is named before any data are converted."""
    write_keras(tmp_path / "own.keras", classifier(), "sparse_categorical_crossentropy")
    with pytest.raises(ContractError, match=r"SHA-256 0{64}\. Received: [0-9a-f]{64}\. Fix:"):
        resolve_contract("fast", str(tmp_path / "own.keras"), "0" * 64)


def test_rules_of_the_users_own_travel_in_the_dataset_and_are_judged_by_there(raw, tmp_path):
    """validate runs them when it is asked to, from the sealed dataset; they are no part of the data's identity."""
    rules = write_rules(tmp_path / "plant.py")
    own = {"rules": str(rules), "rules_digest": sha256_of_file(rules)}
    sparse = contract(loss="sparse_categorical_crossentropy", label_encoding="sparse")
    dataset = preprocess_dataset(raw, sparse, tmp_path / "with", **own)

    assert dataset.digest == preprocess_dataset(raw, sparse, tmp_path / "without").digest
    assert [each.rule.code for each in validate_dataset(tmp_path / "without").findings] == []
    judged = validate_dataset(tmp_path / "with", own_rules=True)
    assert [each.rule.code for each in judged.findings] == ["OWN001"]
    accept = [{"rule": "OWN001", "because": "we make them since May"}]
    assert validate_dataset(tmp_path / "with", accept, own_rules=True).verdict == "fit"
    assert validate_dataset(tmp_path / "with", (), ["own-no-sevens"], own_rules=True).findings == []


def test_rules_that_were_changed_since_are_refused(raw, tmp_path):
    """What a run was given is what it runs."""
    rules = write_rules(tmp_path / "plant.py")

    with pytest.raises(DatasetError, match="SHA-256"):
        preprocess_dataset(raw, contract(), tmp_path / "out", rules=str(rules), rules_digest="0" * 64)


@pytest.mark.parametrize(
    ("train", "test"), [((20, 30), (28, 28)), ((28, 28), (14, 56))], ids=["train", "as many pixels"]
)
@pytest.mark.parametrize("network", ["fast", "example2"])
def test_a_split_of_another_size_keeps_it_for_validate_to_name(tmp_path, network, train, test):
    """Images of two sizes are no input of one network: a finding, as any other wrong shape, and no pixel is moved."""
    images = {split: np.arange(40 * np.prod(size)).reshape(40, *size).astype(np.uint8) for split, size in
              (("train", train), ("test", test))}  # fmt: skip
    labels = {f"{split}_labels": np.arange(40) % 10 for split in images}
    raw = raw_of(tmp_path, **{f"{split}_images": each for split, each in images.items()}, **labels)
    dataset = preprocess_dataset(raw, resolve_contract(network), tmp_path / "out")
    found = {(each.field, each.split) for each in validate_dataset(dataset.folder).findings}

    assert dataset.images("test").shape == (40, *test, 1)
    np.testing.assert_array_equal(raw_images(dataset.images("test"), replace(dataset.record, image_shape=(*test, 1))),
                                  images["test"])  # fmt: skip
    assert ("images.shape", "test") in found
