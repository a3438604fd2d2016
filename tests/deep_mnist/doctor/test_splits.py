"""What is said of two splits: what follows from what, what a sample cannot tell, and what is kept how long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor import check
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.splits.order import check_order
from deep_mnist.doctor.judge import judge, run_checks
from tests.support.doctor_cases import digits
from tests.support.rule_examples import codes_of

CONTRACT = Contract(input_shape=(28, 28, 1), layout="channels_last", num_classes=10)


def case_of(train_classes: range, test_classes: range, **fit: object) -> Case:
    """Return digits of some classes in each split, sorted by class."""
    arrays, splits = digits().arrays, {}
    for name, classes in (("train", train_classes), ("test", test_classes)):
        images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
        order = np.concatenate([np.flatnonzero(labels == each) for each in classes])
        splits[name] = Split(name, images[order], labels[order])
    return Case(Path(), splits, CONTRACT, None, fit)


def test_classes_that_a_cut_through_sorted_examples_parted_are_reported_as_order_alone() -> None:
    """Classes in one split only follow from sorted examples that fit does not shuffle."""
    assert "S140" in codes_of(judge(case_of(range(8), range(10))))

    found = codes_of(judge(case_of(range(8), range(10), shuffle=False)))
    assert "S151" in found and not found & {"S140", "S141", "S142", "S152"}


def test_a_sample_of_train_says_nothing_of_the_classes_it_lacks() -> None:
    """Classes may be absent from a sample; from a whole split they are missing."""
    case = case_of(range(8), range(9))
    case.train.is_whole = False

    assert not codes_of(run_checks(case).findings) & {"S140", "S141", "S142"}
    case.train.is_whole = True
    assert {"S140"} <= codes_of(run_checks(case).findings)


@pytest.mark.parametrize(("fit", "codes"), [
    ({}, {"S152"}), ({"shuffle": False}, {"S151"}), ({"validation_split": 0.2}, {"S150"}),
    ({"validation_split": 0.2, "shuffle": False}, {"S150", "S151"}),
])  # fmt: skip
def test_order_is_judged_by_what_fit_makes_of_it(fit, codes) -> None:
    """Sorted examples are a note, unless fit keeps their order or cuts off the last of them."""
    case = Case(Path(), {"train": case_of(range(10), range(10)).train}, CONTRACT, None, fit)

    assert codes_of(check_order(case)) == codes


def test_hashes_are_kept_for_the_search_for_duplicates_and_no_longer() -> None:
    """After the checks, no survey holds the hashes of its examples."""
    case = case_of(range(10), range(10))
    case.splits["test"] = Split("test", case.train.images[:100], case.train.labels[:100])

    assert "S122" in codes_of(run_checks(case).findings)
    assert all(split.survey is not None and not split.survey.hashes.size for split in case.splits.values())


def test_rows_of_a_sequence_are_shuffled_where_it_holds_them():
    """Keras shuffles the batches of a sequence, and has no rows: the line is of the arrays within."""
    keras = pytest.importorskip("keras")

    class Rows(keras.utils.PyDataset):
        def __init__(self, x, y):
            super().__init__()
            self.x, self.y = x, y

        def __len__(self):
            return len(self.x) // 16

        def __getitem__(self, index):
            held = slice(16 * index, 16 * index + 16)
            return self.x[held], self.y[held]

    answers = np.repeat([0, 1], 80)
    rows = Rows(np.random.default_rng(0).normal(size=(160, 4)) + answers[:, None], answers)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")

    (fix,) = (each.fix for each in check(model, rows, epochs=5).findings if each.rule.code == "S152")
    exec(fix, {"np": np, "rows": rows})

    assert "S152" not in {each.rule.code for each in check(model, rows, epochs=5).findings}
