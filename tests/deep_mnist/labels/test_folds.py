"""Folds: every class in every fold, duplicates together, and a search that was cut goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.labels.duplicates import near_duplicates
from deep_mnist.labels.folds import FoldsError, fold_of, grouped_folds
from deep_mnist.labels.kept_folds import load_fold, put_together, save_fold


def test_every_class_is_spread_evenly_over_the_folds() -> None:
    """No fold has more than one example of a class above another fold."""
    given = np.repeat([0, 1, 2], [50, 101, 23])

    fold = fold_of(given, np.arange(174), folds=5)

    for each in range(3):
        counts = np.bincount(fold[given == each], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_near_duplicates_share_a_fold_whatever_their_labels() -> None:
    """An image and its slightly noisy twin are held out together."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((2000, 64)).astype(np.float32)
    rows[1000:] = rows[:1000] + 0.02 * random.standard_normal((1000, 64)).astype(np.float32)
    given = random.integers(0, 3, 2000)

    pairs = near_duplicates(rows)
    fold = grouped_folds(given, pairs, 5)

    assert {tuple(each) for each in pairs.tolist()} == {(index, index + 1000) for index in range(1000)}
    assert (fold[:1000] == fold[1000:]).all()


def test_what_is_only_learned_has_no_fold_unless_it_is_nearly_the_same_as_a_judged_example() -> None:
    """Behind the judged examples fold is -1, but for the twin of a judged one."""
    given = np.arange(40) % 2

    fold = grouped_folds(given, np.array([[3, 30]]), 5, judged=20)

    assert fold[30] == fold[3]
    assert (np.delete(fold[20:], 10) == -1).all()


def test_one_class_cannot_be_divided() -> None:
    with pytest.raises(FoldsError, match=r"two classes\. Received: 5 folds, 20 examples, 1 classes"):
        fold_of(np.zeros(20, np.int64), np.arange(20))


def test_a_fold_that_was_cut_off_while_it_was_written_is_missing(tmp_path: Path) -> None:
    """Half a file counts as no fold, and to put the folds together names it."""
    fold = np.arange(10) % 2
    save_fold(tmp_path, 0, np.ones((5, 3)) / 3)
    save_fold(tmp_path, 1, np.ones((5, 3)) / 3)
    assert put_together(tmp_path, fold).shape == (10, 3)

    whole = (tmp_path / "fold-1.npy").read_bytes()
    (tmp_path / "fold-1.npy").write_bytes(whole[: len(whole) // 2])

    assert load_fold(tmp_path, 1) is None
    with pytest.raises(FileNotFoundError, match=r"fold-1\.npy\. Received: none"):
        put_together(tmp_path, fold)
