"""Rows are drawn from a memory map's file, and are what the array holds."""

from __future__ import annotations

import numpy as np
import pytest

from deep_mnist.doctor.evidence import sampling as rows
from deep_mnist.doctor.evidence.sampling import sample_chunks, take


@pytest.mark.parametrize("offset", [0, 16, 5000])
@pytest.mark.parametrize("view", ["whole", "later", "channels", "reversed", "columns", "changed", "deleted"])
def test_rows_taken_are_those_of_the_array(tmp_path, monkeypatch, view, offset) -> None:
    """From the file where a memory map lies in it as it stands there, else from memory."""
    monkeypatch.setattr(rows, "CHUNK_BYTES", 1000)
    path = tmp_path / "rows"
    values = np.random.default_rng(5).integers(0, 1 << 16, (300, 16, 10)).astype(">u2")
    path.write_bytes(bytes(offset) + values.tobytes())
    array = np.memmap(path, ">u2", "c" if view == "changed" else "r", offset, values.shape)
    if view == "changed":
        array[7] = values[7] = 1
    if view == "deleted":
        path.unlink()
    part = {
        "later": np.s_[20:],
        "channels": np.s_[..., None],
        "reversed": np.s_[::-1],
        "columns": np.s_[:, 2:5],
    }.get(view, np.s_[:])
    indices = np.array([0, 3, 7, 100, 279])

    np.testing.assert_array_equal(take(array[part], indices), values[part][indices])
    assert len(take(array[part], indices[:0])) == 0


def test_chunks_of_a_sample_are_all_of_it(monkeypatch) -> None:
    """In their order, of a chunk's bytes at most, and of one row at least."""
    monkeypatch.setattr(rows, "CHUNK_BYTES", 1000)
    array = np.arange(3000).reshape(300, 10)
    indices = np.arange(0, 300, 7)
    chunks = list(sample_chunks(array, indices))

    assert max(map(len, chunks)) <= 12 and len(chunks) > 1
    np.testing.assert_array_equal(np.concatenate(chunks), array[indices])
    assert [len(each) for each in sample_chunks(array.repeat(40, axis=1), indices)] == [1] * len(indices)
