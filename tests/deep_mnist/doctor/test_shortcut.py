"""Labels inside the inputs (shortcuts), and duplicates or channel orders that differ between the splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.labels.shortcut import check_shortcut
from tests.support.doctor_cases import CaseFiles, digits, fixed, graver
from tests.support.keras_models import classifier


def written(case: CaseFiles, write) -> CaseFiles:
    """Write the labels into the images of both splits."""
    for split in ("train", "test"):
        labels = case.arrays[f"{split}_labels"]
        case = case.change(lambda images, labels=labels: write(images.copy(), labels), f"{split}_images")
    return case


def in_a_pixel(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    images[:, 2, 3, 0] = labels / 10
    return images


def in_ten_pixels(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    images.reshape(len(images), -1)[:, :10] = np.eye(10)[labels]
    return images


@pytest.mark.parametrize("write", [in_a_pixel, in_ten_pixels])
def test_labels_inside_the_images_are_found_and_taken_out(tmp_path, write):
    """The message names the elements; the fix blanks them."""
    case = written(digits(), write)
    diagnosis = case.judged(tmp_path / "reported")

    assert graver(diagnosis) == [("splits.leakage", "error", "train")]
    assert graver(fixed(case, diagnosis.findings[0]).judged(tmp_path / "taken out")) == []


@pytest.mark.parametrize("turn", [lambda x: x[:, :, ::-1], lambda x: x[:, ::-1], lambda x: np.rot90(x, 1, (1, 2))])
def test_rotated_duplicates_of_train_images_in_test_are_leakage(tmp_path, turn):
    """A quarter of the test images are train images, mirrored or rotated."""
    case = digits()
    duplicates = turn(case.arrays["train_images"][:40])
    case = case.with_arrays(
        test_images=np.concatenate([duplicates, case.arrays["test_images"][40:]]),
        test_labels=np.concatenate([case.arrays["train_labels"][:40], case.arrays["test_labels"][40:]]),
    )

    assert ("splits.leakage", "error", "test") in graver(case.judged(tmp_path))


def test_channels_in_reverse_order_in_test_are_found(tmp_path):
    """RGB in train, BGR in test, on images with a tint of their own."""
    tint = np.array([1.0, 0.7, 0.35], np.float32)
    color = digits().with_net(classifier(shape=(28, 28, 3))).images(lambda images: images * tint)
    case = color.change(lambda images: images[..., ::-1], "test_images")
    diagnosis = case.judged(tmp_path / "reversed")

    assert ("images.layout", "error", "test") in graver(diagnosis)
    assert graver(color.judged(tmp_path / "alike")) == []
    assert graver(fixed(case, diagnosis.findings[0]).judged(tmp_path / "fixed")) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_pixel_lit_in_all_of_one_small_class_is_no_label(seed):
    """In few images of black and white some pixel is lit in all of one class and in no other image."""
    random = np.random.default_rng(seed)
    images = (random.random((60, 28, 28, 1)) < 0.1).astype(np.float32)
    labels = np.arange(60) % 10
    images[labels == 3, 5, 7] = 1
    images[labels != 3, 5, 7] = 0
    split = Split("train", images, labels)
    contract = Contract(input_shape=(28, 28, 1), layout="channels_last")

    assert list(check_shortcut(Case(Path(), {"train": split}, contract))) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_background_of_two_classes_is_no_label(seed):
    """Where one kind of clothes is always black the other never quite is, and the reverse: the outline tells."""
    random = np.random.default_rng(seed)
    labels = np.arange(200) % 2
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = random.integers(0, 256, (200, 12, 12))
    images[labels == 1, 3:5, 10:16] = random.integers(1, 256, (100, 2, 6))
    images[labels == 0, 23:25, 10:16] = random.integers(1, 256, (100, 2, 6))
    split = Split("train", images, labels)
    contract = Contract(input_shape=(28, 28), layout="channels_last")

    assert list(check_shortcut(Case(Path(), {"train": split}, contract))) == []
    images[:, 0, 0] = 255 * labels
    (found,) = check_shortcut(Case(Path(), {"train": split}, contract))
    assert "(0, 0)" in found.received
