"""The one pass over the pixels: begun in another thread, bounded in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split, survey_in_background
from deep_mnist.doctor.checks.splits.leakage import check_leakage
from deep_mnist.doctor.evidence import hashes as hashes_module
from deep_mnist.doctor.evidence import sampling as rows_module
from deep_mnist.doctor.evidence import survey as survey_module
from deep_mnist.doctor.evidence.background_surveys import BackgroundSurveys
from deep_mnist.doctor.evidence.hashes import hash_rows
from deep_mnist.doctor.evidence.sampling import take
from deep_mnist.doctor.evidence.survey import survey


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)


def test_a_survey_begun_ahead_is_the_same() -> None:
    """Splits whose surveys were begun in another thread have the surveys that they compute themselves."""
    splits = {name: Split(name, images(6000, seed)) for seed, name in enumerate(("train", "test"))}
    alone = {name: survey(images(6000, seed)) for seed, name in enumerate(("train", "test"))}
    survey_in_background(splits)
    for name, split in splits.items():
        found = split.survey
        assert found is not None and found is split.survey
        assert (found.count, found.low, found.high) == (alone[name].count, alone[name].low, alone[name].high)
        assert found.mean == pytest.approx(alone[name].mean)
        np.testing.assert_array_equal(found.hashes, alone[name].hashes)


def test_what_fails_in_the_other_thread_is_raised_where_it_is_asked_for() -> None:
    """A survey that cannot be made raises its error in the thread that needs it, and the next one is made."""
    background = BackgroundSurveys({"train": np.array([["a", "b"]]), "test": images(10)})
    with pytest.raises((TypeError, ValueError)):
        background.take("train")
    assert background.take("test").count == 10


def test_equal_rows_have_equal_hashes_and_others_do_not() -> None:
    """Hashes depend on all bytes of a row, at any width, and on nothing else."""
    for width in (1, 7, 8, 784):
        rows = np.random.default_rng(width).integers(0, 256, (500, width), dtype=np.uint8)
        hashes = hash_rows(rows)
        np.testing.assert_array_equal(hashes, hash_rows(rows.copy()))
        assert len(np.unique(hashes)) == len(np.unique(rows, axis=0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
@pytest.mark.parametrize("numbers", [(0, 1), (-1, 1), (0, 0.25, 0.5, 1), (0, 1, 2, 4, 8)])
def test_rows_of_few_numbers_have_hashes_of_their_own(dtype: type, numbers: tuple[float, ...]) -> None:
    """Doubles and floats such as 1.0 end with zeros, which a product of them keeps: hashes differ all the same."""
    for width in (16, 90, 1000):
        rows = np.random.default_rng(width).choice(numbers, (4000, width)).astype(dtype)
        assert len(np.unique(hash_rows(rows))) == len(np.unique(rows, axis=0))


@pytest.mark.parametrize("rows", [1, 4, 16])
def test_elements_are_taken_from_a_file_as_from_memory(tmp_path: Path, monkeypatch, rows: int) -> None:
    """Rows of a memory-mapped file are those of the array, however few are read at once."""
    monkeypatch.setattr(rows_module, "SMALL_CHUNK_ROWS", rows)
    monkeypatch.setattr(rows_module, "CHUNK_BYTES", 0)
    monkeypatch.setattr(rows_module, "FEWEST_READ", 1 << 20)  # through the map
    np.save(tmp_path / "images.npy", images(100))
    rows = np.arange(0, 100, 7)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_array_equal(take(mapped, rows), images(100)[rows])


def test_of_a_large_set_some_hashes_are_kept_and_they_are_the_same_examples(monkeypatch) -> None:
    """Those whose hash begins with zeros, in the order of the examples; blank ones are left out."""
    many = images(6000)
    many[100:3000] = 0
    every = survey(many).hashes
    monkeypatch.setattr(hashes_module, "MOST_HASHES", 700)
    monkeypatch.setattr(survey_module, "CHUNK_BYTES", 500 * 4 * 784)
    some = survey(many)

    assert some.level == 4 and 100 < len(some.hashes) < 300
    np.testing.assert_array_equal(some.hashes, every[some.kept_at])
    assert (np.diff(some.kept_at) > 0).all() and not np.isin(some.kept_at, np.arange(100, 3000)).any()


@pytest.mark.parametrize(("leaked", "severity"), [(0.0, None), (0.3, "error")])
def test_duplicates_across_large_splits_are_found_among_the_hashes_that_are_kept(monkeypatch, leaked, severity) -> None:
    """The share is of those that were looked at, and every example that is named is in train."""
    monkeypatch.setattr(hashes_module, "MOST_HASHES", 1000)
    train, test = images(9000), images(3000, seed=1)
    count = int(leaked * len(test))
    test[:count] = train[::-1][:count]
    splits = {name: Split(name, each, np.arange(len(each)) % 10) for name, each in (("train", train), ("test", test))}
    found = list(check_leakage(Case(Path(), splits, Contract(input_shape=(28, 28, 1), layout="channels_last"))))

    assert [each.severity for each in found] == ([severity] if severity else [])
    for each in found:
        shared, looked = (int(word) for word in each.received.split(" test images")[0].split(" of "))
        assert 100 < looked < 400 and shared / looked == pytest.approx(leaked, abs=0.15)
        assert all(place < count for place in each.where)


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8), (2, 2)])
def test_bytes_are_surveyed_as_the_same_numbers_in_floats_are(monkeypatch, shape) -> None:
    """Sums are exact; of a large set the squares of some rows stand for all, and the deviation is near."""
    monkeypatch.setattr(survey_module, "CHUNK_BYTES", 700 * 4 * 64)
    some = np.random.default_rng(3).integers(0, 256, (3000, *shape), dtype=np.uint8)
    some[[5, 2000]] = 9
    found, same = survey(some), survey(some.astype(np.float32))
    monkeypatch.setattr(survey_module, "MOST_SQUARED", 100)
    large = survey(some)

    for each in (found, large):
        assert (each.low, each.high, each.constant, each.blank[:2]) == (same.low, same.high, same.constant, [5, 2000])
        assert (each.count, each.finite_pixels, each.total) == (same.count, same.finite_pixels, same.total)
        assert not each.pixel_sums.size and not each.standardized_by_pixel
    assert found.deviation == pytest.approx(same.deviation, rel=1e-5)
    assert large.deviation == pytest.approx(same.deviation, rel=0.05)
