"""Clean data, however unusual, raise no error and no warning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.digits import write_idx_folder
from tests.support.doctor_cases import ONE_HOT, CaseFiles, digits, graver
from tests.support.keras_models import classifier, conv, dense, layer, sequential, write_keras

Case = Callable[[CaseFiles], CaseFiles]
RESCALING = layer("Rescaling", scale=1 / 255, offset=0.0)


def raw(case: CaseFiles) -> CaseFiles:
    return case.images(lambda images: np.rint(images * 255).astype(np.uint8)).with_net(classifier(RESCALING))


def standardized(case: CaseFiles, mean: float, deviation: float) -> CaseFiles:
    return case.images(lambda images: (images - np.float32(mean)) / np.float32(deviation))


def by_train(case: CaseFiles) -> CaseFiles:
    train = case.arrays["train_images"]
    return standardized(case, train.mean(), train.std())


def per_pixel(case: CaseFiles) -> CaseFiles:
    train = case.arrays["train_images"]
    deviation = np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    return case.images(lambda images: ((images - train.mean(axis=0)) / deviation).astype(np.float32))


def per_image(images: np.ndarray) -> np.ndarray:
    axes = (1, 2, 3)
    return (images - images.mean(axes, keepdims=True)) / (images.std(axes, keepdims=True) + 1e-6)


def without(case: CaseFiles, split: str) -> CaseFiles:
    return CaseFiles({n: a for n, a in case.arrays.items() if not n.startswith(split)}, case.model, case.settings)


def imbalanced(case: CaseFiles) -> CaseFiles:
    for split in ("train", "test"):
        labels = case.arrays[f"{split}_labels"]
        kept = np.random.default_rng(1).random(len(labels)) < np.exp(-labels / 3.0)
        case = case.change(lambda array, kept=kept: array[kept], f"{split}_images", f"{split}_labels")
    return case


def textured(case: CaseFiles) -> CaseFiles:
    """Blocks of a class's own pattern under noise: images that are no digits."""
    patterns = np.random.default_rng(3).random((10, 7, 7, 1)).repeat(4, axis=1).repeat(4, axis=2)
    random = np.random.default_rng(4)
    arrays = {}
    for split in ("train", "test"):
        noise = random.random(case.arrays[f"{split}_images"].shape)
        arrays[f"{split}_images"] = (0.6 * patterns[case.arrays[f"{split}_labels"]] + 0.4 * noise).astype(np.float32)
    return case.with_arrays(**arrays)


CLEAN: dict[str, Case] = {
    "0..1": lambda c: c,
    "-1..1": lambda c: c.images(lambda x: 2 * x - 1),
    "divided by 256": lambda c: c.images(lambda x: x * np.float32(255 / 256)),
    "standardized by train": by_train,
    "standardized each split by itself": lambda c: c.images(lambda x: (x - x.mean()) / x.std()),
    "standardized each pixel": per_pixel,
    "standardized each image": lambda c: c.images(per_image),
    "centered": lambda c: c.images(lambda x: x - np.float32(0.5)),
    "float16": lambda c: c.images(lambda x: x.astype(np.float16)),
    "big-endian": lambda c: c.images(lambda x: x.astype(">f4")),
    "column-major": lambda c: c.images(np.asfortranarray),
    "padded to 32": lambda c: c.images(lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))).with_net(
        classifier(shape=(32, 32, 1))
    ),
    "three channels": lambda c: c.images(lambda x: x.repeat(3, -1)).with_net(classifier(shape=(28, 28, 3))),
    "white background": lambda c: c.images(lambda x: 1 - x),
    "any size": lambda c: c.with_net(sequential(conv(), layer("GlobalMaxPooling2D"), dense(), shape=(None, None, 1))),
    "flat": lambda c: c.images(lambda x: x.reshape(len(x), 784)).with_net(sequential(dense(), shape=(784,))),
    "rows": lambda c: c.images(lambda x: x[..., 0]).with_net(sequential(layer("Flatten"), dense(), shape=(28, 28))),
    "channels first": lambda c: c.images(lambda x: x.transpose(0, 3, 1, 2)).with_net(
        sequential(
            conv(form="channels_first"),
            layer("BatchNormalization", axis=1),
            layer("Flatten"),
            dense(),
            shape=(1, 28, 28),
        )
    ),
    "normalization over channels": lambda c: c.with_net(
        sequential(conv(), layer("BatchNormalization", axis=-1), layer("Flatten"), dense())
    ),
    "raw, Rescaling": raw,
    "raw floats, Rescaling": lambda c: raw(c).images(lambda x: x.astype(np.float32)),
    "raw, Rescaling to -1..1": lambda c: raw(c).with_net(classifier(layer("Rescaling", scale=1 / 127.5, offset=-1.0))),
    "raw, Normalization": lambda c: raw(c).with_net(classifier(layer("Normalization", mean=15.0, variance=50.0**2))),
    "raw, BatchNormalization first": lambda c: c.images(lambda x: np.rint(x * 255)).with_net(
        classifier(layer("BatchNormalization", axis=-1))
    ),
    "raw, convolution then BatchNormalization": lambda c: c.images(lambda x: np.rint(x * 255)).with_net(
        sequential(conv(), layer("MaxPooling2D"), layer("BatchNormalization"), layer("Flatten"), dense())
    ),
    "raw, statistics of much brighter images": lambda c: raw(c).with_net(
        classifier(layer("Rescaling", scale=1 / 255), layer("Normalization", mean=[0.485], variance=[0.229**2]))
    ),
    "raw, Lambda": lambda c: c.images(lambda x: np.rint(x * 255)).with_net(classifier(layer("Lambda"))),
    "caffe": lambda c: c.images(
        lambda x: (255 * x.repeat(3, -1) - np.float32([103.939, 116.779, 123.68])).astype(np.float32)
    ).with_net(classifier(shape=(28, 28, 3))),
    "torch": lambda c: c.images(
        lambda x: ((x.repeat(3, -1) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
    ).with_net(classifier(shape=(28, 28, 3))),
    "doubles": lambda c: c.images(lambda x: x.astype(np.float64)),
    "own activation": lambda c: c.with_net(classifier(activation="my_package>squash")),
    "softmax by function": lambda c: c.with_net(classifier(activation="softmax_v2")),
    "one-hot": lambda c: c.one_hot(),
    "one-hot bytes": lambda c: c.one_hot().labels(lambda y: y.astype(np.uint8)),
    "smoothed labels": lambda c: c.one_hot().labels(lambda y: y * np.float32(0.9) + np.float32(0.01)),
    "soft labels": lambda c: c.one_hot().labels(lambda y: (0.7 * y + 0.3 * np.roll(y, 1, 1)).astype(np.float16)),
    "mse on rows": lambda c: c.one_hot().with_settings(loss="mse"),
    "sigmoid units, binary loss": lambda c: (
        c.one_hot().with_net(classifier(activation="sigmoid")).with_settings(loss="binary_crossentropy")
    ),
    "int64 labels": lambda c: c.labels(lambda y: y.astype(np.int64)),
    "float labels, whole numbers": lambda c: c.labels(lambda y: y.astype(np.float32)),
    "labels (n, 1)": lambda c: c.labels(lambda y: y[:, np.newaxis]),
    "logits": lambda c: c.with_net(classifier(activation="linear")).with_settings(from_logits=True),
    "no test split": lambda c: without(c, "test"),
    "few": lambda _: digits(30, 15),
    "imbalanced": imbalanced,
    "no shuffle, mixed": lambda c: c.with_settings(fit={"shuffle": False, "validation_split": 0.1}),
    "textures": textured,
    "binarized": lambda c: c.images(lambda x: (x > 0.4).astype(np.float32)),
    "noisy": lambda c: c.images(
        lambda x: np.clip(x + np.random.default_rng(0).normal(0, 0.1, x.shape), 0, 1).astype(np.float32)
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_are_silent(tmp_path, name):
    """Neither an error nor a warning is reported of clean data."""
    diagnosis = CLEAN[name](digits()).judged(tmp_path)

    assert graver(diagnosis) == []
    assert diagnosis.verdict == "fit"


@pytest.mark.parametrize("size", [(60, 30), (150, 60), (1200, 300)])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_alarm_over_seeds_and_sizes(tmp_path, size, seed):
    """Draws of other digits and other sizes stay silent as well."""
    assert graver(digits(*size, seed=seed).judged(tmp_path)) == []


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_fit_for_a_network_with_channels(tmp_path, packed):
    """IDX has no channel axis; every loader adds it, so the doctor does."""
    write_idx_folder(tmp_path, train=300, test=100, packed=packed)
    write_keras(tmp_path / "model.keras", classifier(RESCALING), "sparse_categorical_crossentropy")

    from deep_mnist.doctor.judge import judge_folder

    assert graver(judge_folder(tmp_path)) == []


def test_a_few_duplicates_are_a_note(tmp_path):
    """Published sets hold a few images twice: reported as a note, not more."""
    case = digits(400, 160)
    images = case.arrays["test_images"].copy()
    images[3] = case.arrays["train_images"][7]

    diagnosis = case.with_arrays(test_images=images).judged(tmp_path)

    assert graver(diagnosis) == []
    assert [(each.field, each.where) for each in diagnosis.findings] == [("splits.leakage", (3,))]


def test_a_conflict_is_named(tmp_path):
    """A loss in contract.json that contradicts the compiled model is believed, and the conflict reported."""
    folder = digits().one_hot().write(tmp_path)
    write_keras(folder / "model.keras", classifier(), "sparse_categorical_crossentropy")

    from deep_mnist.doctor.judge import judge_folder

    findings = judge_folder(folder).findings

    assert [(each.field, each.severity) for each in findings] == [("contract.loss", "note")]
    assert ONE_HOT in findings[0].received


@pytest.mark.parametrize("scaled_inside", [True, False])
def test_low_contrast_is_a_note(tmp_path, scaled_inside):
    """Images of heat or haze use few of the levels; scaled twice they would use none."""
    hazy = raw(digits()).images(lambda images: images // 12 + 90)
    if not scaled_inside:
        hazy = hazy.images(lambda images: (images / np.float32(255)).astype(np.float32)).with_net(classifier())
    found = hazy.judged(tmp_path).findings

    assert [(each.field, each.severity) for each in found] == [("images.range", "note")]
