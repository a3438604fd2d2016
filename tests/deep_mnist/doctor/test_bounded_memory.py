"""Memory does not grow with a set: what is read is given back, and nothing is kept for every example."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.doctor.evidence import chunks as chunks_module
from deep_mnist.doctor.evidence.chunks import extent, tally, wrong_in
from deep_mnist.doctor.evidence.classes import Classes, classes_of
from deep_mnist.doctor.evidence.hashes import MOST_HASHES, KeptHashes
from tests.support.measured import MEASURED_BY

ROOT = Path(__file__).resolve().parents[3]
SMALL, LARGE = 100_000, 3_000_000  # images of 8 x 8 in train, a fifth of it in test
GROWTH = 18 << 20  # bytes: what two threads hold at once differs by up to 12 MB


def write_set(
    folder: Path, count: int, dtype: str, labels: np.ndarray, loss: str, image: tuple[int, ...] = (8, 8, 1)
) -> Path:
    """Write images of zeros as files with a hole in place of the pixels, and the labels as they are."""
    folder.mkdir()
    for split, number in (("train", count), ("test", count // 5)):
        shape = (number, *image)
        with (folder / f"{split}_images.npy").open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
            stream.truncate(stream.tell() + math.prod(shape) * np.dtype(dtype).itemsize)
        np.save(folder / f"{split}_labels.npy", np.resize(labels, (number, *labels.shape[1:])))
    contract = {"name": "zeros", "input_shape": list(image), "scales_inside": True, "loss": loss, "output_units": 10}
    (folder / "contract.json").write_text(json.dumps({**contract, "from_logits": False, "output_rank": 2}))
    return folder


# In a small process between: a child's peak counts what its parent held when it was started.
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(folder: Path) -> int:
    """Return the most bytes that one process of the doctor held, the pages of its files included."""
    command = [sys.executable, "-m", "deep_mnist.doctor", str(folder), "--contract", str(folder / "contract.json")]
    measure = [sys.executable, "-S", "-c", MEASURE, *command, "--json"]
    alone = {name: value for name, value in os.environ.items() if name != MEASURED_BY}  # the probes take memory, too
    status, kilobytes = subprocess.run(measure, cwd=ROOT, env=alone, stdout=subprocess.PIPE, check=True).stdout.split()
    assert int(status) == 1  # blank images
    return int(kilobytes) * 1024


NUMBERS = np.arange(10)
ONE_HOT = np.eye(10, dtype=np.float32)


@pytest.mark.parametrize(
    ("dtype", "labels", "loss"),
    [
        ("|u1", NUMBERS, "sparse_categorical_crossentropy"),
        ("<f4", NUMBERS.astype(np.float32), "sparse_categorical_crossentropy"),
        ("|u1", ONE_HOT, "categorical_crossentropy"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back by madvise as Linux has it")
def test_thirty_times_the_images_take_no_more_memory(tmp_path, dtype, labels, loss) -> None:
    """Resident memory of the whole process, where labels of int64 alone would take 28 MB more, one-hot ones 139."""
    small = peak_of(write_set(tmp_path / "small", SMALL, dtype, labels, loss))
    large = peak_of(write_set(tmp_path / "large", LARGE, dtype, labels, loss))

    assert large < small + GROWTH


@pytest.mark.parametrize("dtype", ["|u1", "<f4"])
@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back by madvise as Linux has it")
def test_large_images_are_looked_at_a_few_at_a_time(tmp_path, dtype) -> None:
    """Of photos hardly more is held than of small images; 500 of float32 alone would take 301 MB."""
    loss = "sparse_categorical_crossentropy"
    small = peak_of(write_set(tmp_path / "small", SMALL, dtype, NUMBERS, loss))
    photos = peak_of(write_set(tmp_path / "photos", 1000, dtype, NUMBERS, loss, (224, 224, 3)))

    assert photos < small + 2 * GROWTH


def test_classes_of_a_map_are_counted_without_an_array_of_them(tmp_path) -> None:
    """The tally, the changes and a draw of two million labels allocate a small part of what these would take."""
    np.save(tmp_path / "labels.npy", np.arange(2_000_000) % 7)
    classes = classes_of(np.load(tmp_path / "labels.npy", mmap_mode="r"))
    assert classes is not None
    tracemalloc.start()
    try:
        counts, changes, some = classes.tally.counts, classes.changes, classes.at(np.arange(0, 2_000_000, 5000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert counts.sum() == 2_000_000 and counts.max() - counts.min() <= 1 and changes == 1_999_999
    np.testing.assert_array_equal(some, np.arange(0, 2_000_000, 5000) % 7)
    assert peak < 2_000_000 * 8 / 4


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, bool])
def test_chunks_together_tell_what_the_whole_array_tells(monkeypatch, dtype) -> None:
    """Tally, extent and first wrong ones, of any type, are numpy's own on all of it."""
    monkeypatch.setattr(chunks_module, "FLOAT64_CHUNK_BYTES", 8 * 37)
    random = np.random.default_rng(0)
    array = random.integers(0, 90, 1000).astype(dtype)
    array[:300] = 3
    found = tally(array)
    values, counts = np.unique(array, return_counts=True)

    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.counts, counts)
    assert extent(array) == (array.min(), array.max())
    wrong = wrong_in(array, lambda chunk: chunk != array[0])
    assert wrong.count == np.count_nonzero(array != array[0])
    assert wrong.where == tuple(np.flatnonzero(array != array[0])[:10].tolist())


@pytest.mark.parametrize("form", ["numbers", "column", "floats", "rows"])
def test_classes_are_the_same_in_every_encoding(monkeypatch, form) -> None:
    monkeypatch.setattr(chunks_module, "FLOAT64_CHUNK_BYTES", 8 * 60)
    numbers = np.random.default_rng(1).integers(0, 5, 500)
    forms = {
        "numbers": numbers.astype(np.uint8),
        "column": numbers[:, None],
        "floats": numbers.astype(np.float32),
        "rows": np.eye(5, dtype=np.float32)[numbers],
    }
    classes = classes_of(forms[form])

    assert isinstance(classes, Classes) and len(classes) == 500
    np.testing.assert_array_equal(classes.at(np.arange(500)), numbers)
    np.testing.assert_array_equal(classes.tally.counts, np.bincount(numbers))
    np.testing.assert_array_equal(classes.tally_of(450).counts, np.bincount(numbers[450:], minlength=5))
    assert classes.changes == np.count_nonzero(np.diff(numbers))


def test_one_image_that_is_there_a_million_times_does_not_fill_the_memory() -> None:
    """Its hash is given up with a higher level, which is the same in whatever order the examples come."""
    often = np.full(MOST_HASHES, 1 << 40, np.uint64)  # begins with 23 bits of zero
    others = np.random.default_rng(2).integers(1, 1 << 63, 50_000).astype(np.uint64)
    parts = [(often, 0), (often, MOST_HASHES), (others, 2 * MOST_HASHES), (often, 3 * MOST_HASHES)]
    one, other = KeptHashes(4 * MOST_HASHES), KeptHashes(4 * MOST_HASHES)
    for hashes, start in parts:
        one.add(hashes, start)
    for hashes, start in reversed(parts):
        other.add(hashes, start)

    assert one.level == other.level > 4
    for found, same in zip(one.in_order(), other.in_order(), strict=True):
        assert len(found) <= 2 * MOST_HASHES
        np.testing.assert_array_equal(found, same)
