"""The doctor of shards: one survey of the whole, equal to that of the same examples in one array."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deep_mnist.data.shards.reading import DamagedShardError
from deep_mnist.doctor.evidence.sharded import survey_shards
from deep_mnist.doctor.evidence.survey import Surveyor, survey
from deep_mnist.doctor.judge import judge_folder
from tests.support.digits import draw_digits
from tests.support.shard_sets import write_set


def example_images(kind: str, count: int, seed: int) -> np.ndarray:
    """Images with all that a survey tells: repeated, blank and (of floats) not finite ones, and huge values."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 9, 8), np.uint8)
    images[random.integers(0, count, 3)] = 7
    images[random.integers(0, count, 2)] = images[0]
    if kind == "uint8":
        return images
    floats = images.astype(kind) / 255
    floats[random.integers(0, count), 2, 3] = np.nan
    floats[random.integers(0, count), 0, 0] = 1e19
    return floats


def same(found, expected) -> None:
    """Assert that two surveys tell the same; sums of float32 were rounded in another order."""
    for name in ("count", "pixels", "low", "high", "finite_pixels", "level", "not_finite", "bad", "constant", "blank"):
        assert getattr(found, name) == getattr(expected, name), name
    np.testing.assert_array_equal(found.hashes, expected.hashes)
    np.testing.assert_array_equal(found.kept_at, expected.kept_at)
    for name in ("total", "squares", "pixel_sums"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-3)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["uint8", "float32", "float64"]),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    seed=st.integers(0, 100),
)
def test_a_survey_is_the_same_however_the_split_is_cut_and_whichever_part_comes_first(kind, sizes, seed):
    """Random parts in a random order are surveyed as one array is."""
    images = example_images(kind, sum(sizes), seed)
    surveyor = Surveyor(len(images), images.shape[1:], images.dtype)
    ends = np.cumsum([0, *sizes])
    for part in np.random.default_rng(seed).permutation(len(sizes)):
        surveyor.add(images[ends[part] : ends[part + 1]], int(ends[part]))

    same(surveyor.finish(), survey(images))


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("sizes", [[60], [1, 59], [20, 20, 20]])
def test_shards_are_surveyed_from_their_store_as_one_array_is(tmp_path, kind, sizes):
    """What lies in shards gives the survey of the array that they were cut from."""
    images = example_images(kind, 60, 1)

    same(survey_shards(write_set(tmp_path, sizes, images), "train"), survey(images))


def digits_folder(tmp_path, shards, *, spoil=lambda _images, _labels: None):
    """A folder with a test split and a train split of 600 digits, in shards of these sizes or as arrays."""
    images, labels = draw_digits(600, 0)
    tests, answers = draw_digits(120, 1)
    spoil(images, labels)
    tmp_path.mkdir()
    for name, array in (("test_images", tests), ("test_labels", answers)):
        np.save(tmp_path / f"{name}.npy", array)
    if shards:
        (tmp_path / "pieces").mkdir()
        made = write_set(tmp_path / "pieces", shards, images, labels.astype(np.int64))
        (tmp_path / "shards.json").write_text(replace(made, at="pieces").to_json())
    else:
        np.save(tmp_path / "train_images.npy", images)
        np.save(tmp_path / "train_labels.npy", labels.astype(np.int64))
    (tmp_path / "contract.json").write_text(json.dumps({"num_classes": 10}))
    return tmp_path


def test_digits_in_shards_are_as_fit_as_in_arrays(tmp_path):
    """Healthy digits in shards get no error and no warning."""
    found = judge_folder(digits_folder(tmp_path / "shards", [100] * 6)).findings

    assert [each.rule.code for each in found if each.severity != "note"] == []


def test_a_fault_in_one_example_of_the_last_shard_is_found_with_its_index(tmp_path):
    """A blank image and test images among train's are told of the whole set, wherever they lie."""
    tests, _ = draw_digits(120, 1)

    def spoil(images, _labels):
        images[500:600] = tests[:100]

    expected = judge_folder(digits_folder(tmp_path / "arrays", [], spoil=spoil)).findings
    found = judge_folder(digits_folder(tmp_path / "shards", [150] * 4, spoil=spoil)).findings

    leaked = [each for each in found if each.field == "splits.leakage"]
    assert [(each.rule.code, each.received, each.where) for each in leaked] == [
        (each.rule.code, each.received, each.where) for each in expected if each.field == "splits.leakage"
    ]
    assert len(leaked) == 1


def test_the_doctor_of_a_damaged_set_names_the_shard(tmp_path):
    """One altered byte in one of 200 shards ends the doctor with that shard's name."""
    folder = digits_folder(tmp_path / "shards", [3] * 200)
    path = folder / "pieces" / "train-00117.npy"
    data = bytearray(path.read_bytes())
    data[-100] ^= 16
    path.write_bytes(data)

    with pytest.raises(DamagedShardError, match="train-00117"):
        judge_folder(folder)


def test_a_folder_of_nothing_but_shards_is_judged(tmp_path):
    """Rows are drawn over all shards where nobody has put any beside the manifest."""
    images, labels = draw_digits(600, 0)
    labels = labels.astype(np.int64)
    labels[437] = 12
    write_set(tmp_path, [100] * 6, images, labels)
    (tmp_path / "contract.json").write_text(json.dumps({"num_classes": 10}))

    found = judge_folder(tmp_path).findings
    assert "labels.values" in [each.field for each in found if each.severity == "error"]
