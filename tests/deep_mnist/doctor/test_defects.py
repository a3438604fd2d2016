"""Every kind of defect: named with its field, severity and split; its fix, applied, makes the case pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from tests.support.doctor_cases import ONE_HOT, SPARSE, CaseFiles, digits, fixed, graver_of
from tests.support.keras_models import classifier, conv, dense, layer, sequential

Case = Callable[[CaseFiles], CaseFiles]


class Defect(NamedTuple):
    """How a case breaks, what must be reported, and how to fix it when the fix is no statement on arrays."""

    name: str
    breaks: Case
    field: str
    severity: str
    split: str
    fix: Case | None = None


def scrambled(labels: np.ndarray) -> np.ndarray:
    return labels[np.random.default_rng(5).permutation(len(labels))]


def with_nan(images: np.ndarray) -> np.ndarray:
    images = images.copy()
    images[[3, 40]] = np.nan
    return images


def objects(images: np.ndarray) -> np.ndarray:
    held = np.empty(len(images), dtype=object)
    held[:] = list(images)
    return held


def fashionable(images: np.ndarray) -> np.ndarray:
    """Images of another kind: bright blocks."""
    random = np.random.default_rng(0)
    blocks = random.random((len(images), 4, 4, 1)).repeat(7, axis=1).repeat(7, axis=2)
    return blocks.astype(images.dtype)


def by_label(case: CaseFiles, keep: Callable[[np.ndarray], np.ndarray], split: str) -> CaseFiles:
    chosen = keep(case.arrays[f"{split}_labels"])
    return case.change(lambda array: array[chosen], f"{split}_images", f"{split}_labels")


def sorted_train(case: CaseFiles) -> CaseFiles:
    order = np.argsort(case.arrays["train_labels"], kind="stable")
    return case.change(lambda array: array[order], "train_images", "train_labels")


def leaking(share: float) -> Case:
    def leak(case: CaseFiles) -> CaseFiles:
        count = int(share * len(case.arrays["test_images"]))
        arrays = {
            f"test_{part}": np.concatenate([case.arrays[f"train_{part}"][:count], case.arrays[f"test_{part}"][count:]])
            for part in ("images", "labels")
        }
        return case.with_arrays(**arrays)

    return leak


def corrupted(value: float) -> Case:
    """Three pixels of three images have a value far beyond the range."""

    def corrupt(images: np.ndarray) -> np.ndarray:
        images = images.copy()
        images[[5, 77, 230], [3, 14, 20], [9, 9, 27]] = value
        return images

    return lambda case: case.change(corrupt, "train_images")


def raw(case: CaseFiles) -> CaseFiles:
    return case.images(lambda images: np.rint(images * 255).astype(np.uint8))


OWN_CLASS = {
    "class_name": "Mine", "registered_name": "Mine", "config": {"name": "mine"},
    "build_config": {"input_shape": [None, 28, 28, 1]},
}  # fmt: skip
CHANNELS_FIRST = sequential(conv(form="channels_first"), layer("Flatten"), dense(), shape=(1, 28, 28))
RESCALING = layer("Rescaling", scale=1 / 255, offset=0.0)
TRAIN, TEST, MODEL, BOTH = "train", "test", "model", "both"

FORM = [
    Defect("flat rows", lambda c: c.images(lambda x: x.reshape(len(x), 784)), "images.rank", "error", BOTH),
    Defect(
        "no channel axis, channels first",
        lambda c: c.images(lambda x: x[..., 0]).with_net(CHANNELS_FIRST),
        "images.rank",
        "error",
        BOTH,
    ),
    Defect(
        "no channel axis, own class",
        lambda c: c.images(lambda x: x[..., 0]).with_net(OWN_CLASS),
        "images.rank",
        "error",
        BOTH,
    ),
    Defect(
        "batched twice",
        lambda c: c.images(lambda x: x.reshape(-1, 40, 28, 28, 1)).labels(lambda y: y.reshape(-1, 40)),
        "images.rank",
        "error",
        BOTH,
    ),
    Defect("channels first", lambda c: c.images(lambda x: x.transpose(0, 3, 1, 2)), "images.layout", "error", BOTH),
    Defect("examples last", lambda c: c.images(lambda x: x[..., 0].transpose(1, 2, 0)), "images.layout", "error", BOTH),
    Defect("three channels", lambda c: c.images(lambda x: x.repeat(3, -1)), "images.shape", "error", BOTH),
    Defect("gray for color", lambda c: c.with_net(classifier(shape=(28, 28, 3))), "images.shape", "error", BOTH),
    Defect(
        "padded",
        lambda c: c.images(lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))),
        "images.shape",
        "error",
        BOTH,
    ),
    Defect("twice as large", lambda c: c.images(lambda x: x.repeat(2, 1).repeat(2, 2)), "images.shape", "error", BOTH),
    Defect("half as large", lambda c: c.images(lambda x: x[:, ::2, ::2]), "images.shape", "error", BOTH),
    Defect(
        "test halved, any size",
        lambda c: c.change(lambda x: x[:, ::2, ::2], "test_images").with_net(
            sequential(conv(), layer("GlobalMaxPooling2D"), dense(), shape=(None, None, 1))
        ),
        "images.shape",
        "error",
        TEST,
    ),
    Defect(
        "objects",
        lambda c: c.images(objects),
        "images.dtype",
        "error",
        BOTH,
        lambda c: c.images(lambda x: np.stack(list(x)).astype("float32")),
    ),
    Defect(
        "objects of unequal size",
        lambda c: c.change(
            lambda x: np.array([each[: 28 - index % 2] for index, each in enumerate(x)], object), "train_images"
        ),
        "images.dtype",
        "error",
        "train",
    ),
    Defect("integers", raw, "images.dtype", "error", BOTH),
    Defect(
        "signed bytes",
        lambda c: raw(c).images(lambda x: x.view(np.int8)).with_net(classifier(RESCALING)),
        "images.dtype",
        "error",
        BOTH,
    ),
    Defect("text", lambda c: c.images(lambda x: x.astype("S8")), "images.dtype", "error", BOTH),
    Defect(
        "empty test",
        lambda c: c.change(lambda x: x[:0], "test_images", "test_labels"),
        "images.count",
        "error",
        TEST,
        lambda _: digits(),
    ),
]
PIXELS = [
    Defect("an exponent's byte corrupted", corrupted(1e30), "images.range", "error", TRAIN),
    Defect("an exponent's byte corrupted, less", corrupted(-4e4), "images.range", "error", TRAIN),
    Defect("never divided", lambda c: c.images(lambda x: np.rint(x * 255)), "images.range", "error", BOTH),
    Defect("divided twice", lambda c: c.images(lambda x: x / 255), "images.range", "error", BOTH),
    Defect("divided before Rescaling", lambda c: c.with_net(classifier(RESCALING)), "images.range", "error", BOTH),
    Defect(
        "standardized before Rescaling",
        lambda c: c.images(lambda x: (x - x.mean()) / x.std()).with_net(classifier(RESCALING)),
        "images.range",
        "error",
        BOTH,
    ),
    Defect(
        "statistics of 0..255 on 0..1", lambda c: c.images(lambda x: (x - 33.3) / 78.6), "images.range", "error", BOTH
    ),
    Defect(
        "another set's statistics", lambda c: c.images(lambda x: (x - 0.4914) / 0.2023), "images.range", "warning", BOTH
    ),
    Defect(
        "wrong scale for Normalization",
        lambda c: c.with_net(classifier(layer("Normalization", mean=15.0, variance=50.0**2))),
        "images.range",
        "error",
        BOTH,
    ),
    Defect(
        "divided as integers",
        lambda c: raw(c).images(lambda x: (x // 255).astype(np.float32)),
        "images.range",
        "error",
        BOTH,
        lambda _: digits(),
    ),
    Defect("test not scaled", lambda c: c.change(lambda x: x * 255, "test_images"), "images.range", "error", TEST),
    Defect(
        "train not scaled",
        lambda c: c.change(lambda x: np.rint(x * 255), "train_images"),
        "images.range",
        "error",
        TRAIN,
    ),
    Defect("test in -1..1", lambda c: c.change(lambda x: 2 * x - 1, "test_images"), "images.range", "error", TEST),
    Defect("NaN", lambda c: c.change(with_nan, "train_images"), "images.finite", "error", TRAIN),
    Defect(
        "infinity",
        lambda c: c.change(lambda x: np.where(x > 0.999, np.inf, x).astype(np.float32), "test_images"),
        "images.finite",
        "error",
        TEST,
    ),
    Defect(
        "blank images",
        lambda c: c.change(lambda x: x * (np.arange(len(x)) % 9 > 0)[:, None, None, None], "train_images"),
        "images.distribution",
        "warning",
        TRAIN,
    ),
    Defect("all blank", lambda c: c.images(np.zeros_like), "images.distribution", "error", BOTH, lambda _: digits()),
]
LABELS = [
    Defect("one-hot for sparse", lambda c: c.one_hot().with_settings(loss=SPARSE), "labels.encoding", "error", BOTH),
    Defect("numbers for one-hot", lambda c: c.with_settings(loss=ONE_HOT), "labels.encoding", "error", BOTH),
    Defect(
        "one-hot twice",
        lambda c: c.one_hot().labels(lambda y: np.eye(10, dtype=np.float32)[y.astype(int)]),
        "labels.encoding",
        "error",
        BOTH,
    ),
    Defect(
        "rows of nothing",
        lambda c: c.one_hot().change(lambda y: y * (np.arange(len(y)) % 7 > 0)[:, None], "train_labels"),
        "labels.encoding",
        "error",
        TRAIN,
        lambda _: digits().one_hot(),
    ),
    Defect(
        "eleven columns",
        lambda c: c.labels(lambda y: np.eye(11, dtype=np.float32)[y + 1]).with_settings(loss=ONE_HOT),
        "labels.width",
        "error",
        BOTH,
    ),
    Defect("from 1 to 10", lambda c: c.labels(lambda y: y + 1), "labels.values", "error", BOTH),
    Defect(
        "divided by 255", lambda c: c.labels(lambda y: (y / 255).astype(np.float32)), "labels.values", "error", BOTH
    ),
    Defect(
        "wrong byte order", lambda c: c.labels(lambda y: y.astype(">i4").view("<i4")), "labels.values", "error", BOTH
    ),
    Defect("all the same", lambda c: c.labels(lambda y: y // 255), "labels.values", "error", BOTH, lambda _: digits()),
    Defect("text", lambda c: c.labels(lambda y: y.astype("U1")), "labels.dtype", "error", BOTH),
    Defect(
        "names", lambda c: c.labels(lambda y: np.array(["c" + str(each) for each in y])), "labels.dtype", "error", BOTH
    ),
    Defect(
        "objects",
        lambda c: c.labels(objects),
        "labels.dtype",
        "error",
        BOTH,
        lambda c: c.labels(lambda y: np.stack(list(y))),
    ),
    Defect(
        "NaN",
        lambda c: c.change(lambda y: np.where(np.arange(len(y)) == 7, np.nan, y), "train_labels"),
        "labels.finite",
        "error",
        TRAIN,
        lambda c: c.change(lambda y: np.nan_to_num(y).astype(int), "train_labels"),
    ),
    Defect(
        "one short",
        lambda c: c.change(lambda y: y[:-1], "train_labels"),
        "labels.count",
        "error",
        TRAIN,
        lambda _: digits(),
    ),
    Defect(
        "unpacked in the wrong order",
        lambda c: c.with_arrays(train_labels=c.arrays["test_images"], test_images=c.arrays["train_labels"]),
        "labels.alignment",
        "error",
        BOTH,
    ),
    Defect(
        "of the other split",
        lambda c: c.with_arrays(train_labels=c.arrays["test_labels"], test_labels=c.arrays["train_labels"]),
        "labels.alignment",
        "error",
        BOTH,
    ),
    Defect("of rank 3", lambda c: c.labels(lambda y: y[:, None, None]), "labels.rank", "error", BOTH),
]
RELATIONS = [
    Defect(
        "train labels shuffled",
        lambda c: c.change(scrambled, "train_labels"),
        "labels.alignment",
        "error",
        TRAIN,
        lambda _: digits(),
    ),
    Defect(
        "test labels shuffled",
        lambda c: c.change(scrambled, "test_labels"),
        "labels.alignment",
        "error",
        TEST,
        lambda _: digits(),
    ),
    Defect(
        "labels slipped by one",
        lambda c: c.change(lambda y: np.roll(y, 1), "train_labels"),
        "labels.alignment",
        "error",
        TRAIN,
    ),
    Defect(
        "an image lost in the middle",
        lambda c: c.with_arrays(
            train_images=np.delete(c.arrays["train_images"], 200, 0), train_labels=c.arrays["train_labels"][:-1]
        ),
        "labels.alignment",
        "error",
        TRAIN,
        lambda _: digits(),
    ),
    Defect(
        "half of the labels overwritten",
        lambda c: c.change(lambda y: np.where(np.arange(len(y)) % 2, scrambled(y), y), "train_labels"),
        "labels.alignment",
        "error",
        TRAIN,
        lambda _: digits(),
    ),
    Defect(
        "test classes numbered otherwise",
        lambda c: c.change(lambda y: (y + 3) % 10, "test_labels"),
        "labels.mapping",
        "error",
        TEST,
    ),
    Defect(
        "two classes exchanged in test",
        lambda c: c.change(lambda y: np.where(y == 2, 7, np.where(y == 7, 2, y)), "test_labels"),
        "labels.mapping",
        "error",
        TEST,
    ),
    Defect(
        "test transposed",
        lambda c: c.change(lambda x: x.swapaxes(1, 2), "test_images"),
        "images.orientation",
        "error",
        TEST,
    ),
    Defect(
        "test mirrored, flat",
        lambda c: (
            c.change(lambda x: x[:, :, ::-1], "test_images")
            .images(lambda x: x.reshape(len(x), 784))
            .with_net(sequential(dense(), shape=(784,)))
        ),
        "images.orientation",
        "error",
        TEST,
    ),
    Defect(
        "test turned",
        lambda c: c.change(lambda x: np.rot90(x, 1, (1, 2)), "test_images"),
        "images.distribution",
        "error",
        TEST,
    ),
    Defect("test inverted", lambda c: c.change(lambda x: 1 - x, "test_images"), "images.polarity", "error", TEST),
    Defect(
        "test of another kind",
        lambda c: c.change(fashionable, "test_images"),
        "images.distribution",
        "error",
        TEST,
        lambda _: digits(),
    ),
    Defect("test is train", leaking(1.0), "splits.leakage", "error", TEST, lambda _: digits()),
    Defect("some test images in train", leaking(0.2), "splits.leakage", "error", TEST),
    Defect(
        "test is train under a little noise",
        lambda c: c.with_arrays(
            test_images=c.arrays["train_images"][:160] * np.float32(0.97), test_labels=c.arrays["train_labels"][:160]
        ),
        "splits.leakage",
        "error",
        TEST,
        lambda _: digits(),
    ),
    Defect(
        "a class only in test",
        lambda c: by_label(c, lambda y: y != 9, "train"),
        "splits.class_coverage",
        "error",
        BOTH,
        lambda _: digits(),
    ),
    Defect(
        "a class not in test",
        lambda c: by_label(c, lambda y: y != 9, "test"),
        "splits.class_coverage",
        "warning",
        BOTH,
        lambda _: digits(),
    ),
    Defect(
        "sorted, validation_split",
        lambda c: sorted_train(c).with_settings(fit={"validation_split": 0.2}),
        "splits.order",
        "error",
        TRAIN,
    ),
    Defect(
        "sorted, not shuffled",
        lambda c: sorted_train(c).with_settings(fit={"shuffle": False}),
        "splits.order",
        "error",
        TRAIN,
    ),
]
NETWORK = [
    Defect(
        "no activation, no from_logits",
        lambda c: c.with_net(classifier(activation="linear")),
        "contract.from_logits",
        "error",
        MODEL,
        lambda c: c.with_settings(from_logits=True),
    ),
    Defect(
        "softmax and from_logits",
        lambda c: c.with_settings(from_logits=True),
        "contract.from_logits",
        "error",
        MODEL,
        lambda c: c.with_settings(from_logits=False),
    ),
    Defect(
        "mse on numbers",
        lambda c: c.labels(lambda y: y[:, None].astype(np.float32)).with_settings(loss="mean_squared_error"),
        "contract.loss",
        "error",
        BOTH,
        lambda c: c.with_settings(loss=SPARSE).labels(lambda y: y.astype(int).reshape(-1)),
    ),
    Defect(
        "binary loss on softmax",
        lambda c: c.one_hot().with_settings(loss="binary_crossentropy"),
        "contract.loss",
        "warning",
        MODEL,
        lambda c: c.with_settings(loss=ONE_HOT),
    ),
    Defect(
        "sigmoid for one of ten",
        lambda c: c.with_net(classifier(activation="sigmoid")),
        "model.output_activation",
        "warning",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
    Defect(
        "relu at the end",
        lambda c: c.with_net(classifier(activation="relu")),
        "model.output_activation",
        "error",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
    Defect(
        "softmax twice",
        lambda c: c.with_net(sequential(layer("Flatten"), dense(), layer("Softmax"))),
        "model.output_activation",
        "error",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
    Defect(
        "softmax of one unit",
        lambda c: (
            by_label(by_label(c, lambda y: y < 2, "train"), lambda y: y < 2, "test")
            .with_net(classifier(units=1))
            .with_settings(loss="binary_crossentropy", num_classes=2)
        ),
        "model.output_activation",
        "error",
        MODEL,
        lambda c: c.with_net(classifier(units=1, activation="sigmoid")),
    ),
    Defect(
        "three units for ten classes",
        lambda c: c.with_net(classifier(units=3)),
        "model.output_units",
        "error",
        MODEL,
        lambda c: c.with_net(classifier(units=10)),
    ),
    Defect(
        "no Flatten",
        lambda c: c.with_net(sequential(conv(), dense())),
        "model.output_rank",
        "error",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
    Defect(
        "argmax inside",
        lambda c: c.with_net(sequential(layer("Flatten"), dense(), layer("Argmax", axis=1))),
        "model.output_rank",
        "error",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
    Defect(
        "normalization over rows",
        lambda c: c.images(lambda x: x.transpose(0, 3, 1, 2)).with_net(
            sequential(
                conv(form="channels_first"),
                layer("BatchNormalization", axis=-1),
                layer("Flatten"),
                dense(),
                shape=(1, 28, 28),
            )
        ),
        "model.norm_axis",
        "error",
        MODEL,
        lambda c: c.with_net(
            sequential(
                conv(form="channels_first"),
                layer("BatchNormalization", axis=1),
                layer("Flatten"),
                dense(),
                shape=(1, 28, 28),
            )
        ),
    ),
    Defect(
        "channels_first on the channels_last input",
        lambda c: c.with_net(sequential(conv(form="channels_first", padding="same"), layer("Flatten"), dense())),
        "model.data_format",
        "error",
        MODEL,
        lambda c: c.with_net(classifier()),
    ),
]
DEFECTS = FORM + PIXELS + LABELS + RELATIONS + NETWORK


@pytest.mark.parametrize("defect", DEFECTS, ids=[f"{defect.field} {defect.name}" for defect in DEFECTS])
def test_a_defect_is_named_and_its_fix_mends_it(tmp_path, defect):
    """The doctor names field, severity and split; the fix, executed, leaves nothing worse than a note."""
    broken = defect.breaks(digits())
    findings = broken.findings(tmp_path / "broken")

    assert (defect.field, defect.severity, defect.split) in graver_of(findings)
    finding = next(each for each in findings if each.field == defect.field)
    assert finding.expected and finding.received and finding.why and "\n" not in finding.fix
    healed = fixed(broken, finding) if defect.fix is None else defect.fix(broken)
    assert graver_of(healed.findings(tmp_path / "fixed")) == []


@pytest.mark.parametrize(
    ("form", "lacking"),
    [
        ((28, 28, 1), (28, 28)),
        ((28, 28), (28, 28, 1)),
        ((784,), (784, 1)),
        ((784, 1), (784,)),
        ((None, None, 1), (28, 28)),
    ],
    ids=str,
)
def test_an_axis_that_keras_adds_or_drops_itself_is_a_note(tmp_path, form, lacking):
    """Functional and sequential models train on it; the fix gives the shape that was declared all the same."""
    first = (conv(), layer("GlobalMaxPooling2D")) if len(form) == 3 else (layer("Flatten"),)
    case = digits().with_net(sequential(*first, dense(), shape=form)).images(lambda x: x.reshape(len(x), *lacking))
    findings = case.findings(tmp_path / "lacking")

    assert graver_of(findings) == []
    (note,) = [each for each in findings if each.field == "images.rank"]
    assert not any(each.field == "images.rank" for each in fixed(case, note).findings(tmp_path / "fixed"))


def is_statement(fix: str) -> bool:
    try:
        compile(fix, "fix", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("defect", [each for each in FORM + PIXELS if each.fix is None], ids=lambda defect: defect.name)
def test_all_fixes_of_a_diagnosis_applied_in_order_agree(tmp_path, defect):
    """No fix repeats or undoes another: after all of them, notes' as well, the data are fit."""
    case = defect.breaks(digits())
    for finding in case.findings(tmp_path / "broken"):
        case = fixed(case, finding) if is_statement(finding.fix) else case

    assert graver_of(case.findings(tmp_path / "fixed")) == []


def test_a_corrupted_pixel_is_named_with_its_place(tmp_path):
    """The image, the pixel in it and its value."""
    (finding,) = [each for each in corrupted(1e30)(digits()).judged(tmp_path).findings if each.severity == "error"]

    assert finding.where == (5, 77, 230)
    assert "1e+30 at (3, 9, 0) of image 5" in finding.received


def test_few_bright_pixels_are_not_taken_for_corrupted_ones(tmp_path):
    """One image ten times brighter, and images of a few points, are images."""

    def points(images: np.ndarray) -> np.ndarray:
        sparse = np.where(np.random.default_rng(1).random(images.shape) < 0.01, images, 0).astype(np.float32)
        sparse[3] *= 10
        return sparse

    findings = digits().change(points, "train_images").judged(tmp_path).findings
    assert not any("corrupted" in each.received for each in findings)
