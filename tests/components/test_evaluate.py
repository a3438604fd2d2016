"""Every measure against its definition, and the decision beside a champion, on really trained small networks."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluate import measures
from components.evaluate.evaluate import evaluate_from_paths, kfp_metrics
from components.evaluate.robustness import CHANGES
from deep_mnist.data.dataset import DatasetError, open_dataset, seal_dataset
from deep_mnist.export import ServingError
from deep_mnist.registry.comparison import classes_lost, mcnemar
from deep_mnist.registry.judged_split import open_split
from deep_mnist.registry.pointer import Facts, Promotion
from deep_mnist.registry.promotion import Contender, Floors, decide
from deep_mnist.registry.registry import Registry
from tests.support.trained import FLOATS, make_dataset, make_record, train_network, write_trained

FLOORS = Floors(min_accuracy=0.3, min_class_accuracy=0.05, confidence=0.95)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset stored for a uint8 network and the same images for a float one; a good, a weak and a float model."""
    folder = tmp_path_factory.mktemp("evaluate")
    make_dataset(folder / "data", make_record())
    make_dataset(folder / "floats", make_record(**FLOATS))
    train_network(folder / "good", make_record(), epochs=12)
    train_network(folder / "weak", make_record(), epochs=2)
    train_network(folder / "float", make_record(**FLOATS), epochs=12, logits=True)
    return folder


def evaluate(work: Path, out: Path, model: str, data: str = "data", registry: object = "", **changes: Any) -> dict:
    out.mkdir(exist_ok=True)
    return evaluate_from_paths(
        work / data,
        work / model,
        out / "evaluation.json",
        out / "report.html",
        out / "summary.md",
        registry=str(registry),
        model_name="digits",
        floors=changes.get("floors", FLOORS),
    )


def promote_trained(work: Path, registry: object, result: dict, model: str) -> Promotion:
    """Promote a trained folder."""
    accuracy, examples = result["accuracy"], result["examples"]
    facts = Facts(result["model_digest"], result["data_digest"], result["test_digest"], accuracy, examples, "", "run")
    opened = Registry(str(registry), "digits")
    return opened.promote(work / model, facts, expected=opened.champion())


def test_confusion_rows_are_true_and_columns_predicted() -> None:
    """Two ones taken for sevens are counted in row 1, column 7."""
    matrix = measures.confusion_matrix(np.array([7, 7, 1, 3]), np.array([1, 1, 1, 3]), 10)

    assert (2, 0, 1, 1) == (matrix[1][7], matrix[7][1], matrix[1][1], matrix[3][3])
    assert 4 == sum(map(sum, matrix))


def test_recall_is_by_row_and_precision_by_column() -> None:
    """Of three ones one is found; of two sevens claimed none is one."""
    rows = measures.per_class([[0, 0], [2, 1]])

    assert (1 / 3, 1.0, 3) == (rows[1]["recall"], rows[1]["precision"], rows[1]["examples"])
    assert (0.0, 0.0, 0) == (rows[0]["accuracy"], rows[0]["precision"], rows[0]["examples"])


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"), [(0, 10, 0.0, 0.27754), (9953, 10000, 0.99376, 0.99646), (5, 5, 0.56552, 1.0)]
)
def test_wilson(correct: int, count: int, low: float, high: float) -> None:
    """The interval is Wilson's at 95 %, and stays within 0..1."""
    assert pytest.approx([low, high], abs=1e-5) == measures.wilson(correct, count)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=100, deadline=None)
def test_auc_is_the_share_of_well_ordered_pairs(pairs: list[tuple[float, bool]]) -> None:
    """The area under the curve equals the share of (positive, negative) pairs in the right order, ties for half."""
    scores, positive = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        return
    above = scores[positive][:, None] - scores[~positive][None, :]

    assert pytest.approx(((above > 0) + 0.5 * (above == 0)).mean()) == measures.roc(scores, positive)["auc"]


def test_roc_has_at_most_200_finite_points() -> None:
    """A curve of 20,000 distinct scores keeps its ends and its shape in 200 points."""
    random = np.random.default_rng(0)
    positive = random.random(20_000) < 0.1
    curve = measures.roc(random.normal(positive * 2.0, 1.0), positive)
    fpr, tpr = np.array(curve["fpr"]), np.array(curve["tpr"])

    assert 150 < len(fpr) <= 200
    assert len(fpr) == len(tpr) == len(curve["thresholds"])
    assert np.isfinite([*fpr, *tpr, *curve["thresholds"]]).all()
    assert (0.0, 0.0, 1.0, 1.0) == (fpr[0], tpr[0], fpr[-1], tpr[-1])
    assert (np.diff(fpr) >= 0).all() and (np.diff(tpr) >= 0).all()
    assert pytest.approx(curve["auc"], abs=1e-3) == float(np.trapezoid(tpr, fpr))


def test_calibration_error() -> None:
    """Ten predictions with confidence 0.8 of which six are correct are 0.2 off; sure and correct is 0 off."""
    predictions = np.tile([0.8, 0.2], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)

    assert pytest.approx(0.2) == measures.calibration(predictions, labels)["ece"]
    assert 0.0 == measures.calibration(np.array([[1.0, 0.0]]), np.array([0]))["ece"]


def test_worst_errors_come_first() -> None:
    """The gallery holds only wrong predictions, the surest first, each with its image."""
    predictions = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    worst = measures.worst_errors(predictions, np.array([1, 1, 1, 0]), np.zeros((4, 28, 28), np.uint8))

    assert [0, 3, 1] == [each["index"] for each in worst]
    assert (1, 0, 0.9) == (worst[0]["true"], worst[0]["predicted"], worst[0]["confidence"])
    assert worst[0]["image"].startswith("data:image/png;base64,")


def test_mcnemar_is_exact() -> None:
    """Of 12 images that one model alone predicts correctly the new one has 2: p is the binomial sum, both sides."""
    correct, other = np.zeros(100, bool), np.zeros(100, bool)
    correct[:2], other[2:12] = True, True
    test = mcnemar(correct, other, 0.95)
    tail = sum(math.comb(12, k) for k in range(10, 13)) / 2**12

    assert (2, 10) == (test["only_new_correct"], test["only_champion_correct"])
    assert pytest.approx(tail) == test["p_loss"]
    assert pytest.approx(2 * tail) == test["p_value"]
    assert test["significant_loss"]
    assert not mcnemar(correct, other, 0.99)["significant_loss"]
    assert 1.0 == mcnemar(correct, correct, 0.95)["p_value"]


def test_one_class_of_many_must_be_lost_for_sure() -> None:
    """With ten classes tested at once, a loss of 5 to 0 in one is chance; one of 12 to 0 is not."""
    labels = np.repeat(np.arange(10), 50)
    for lost, expected in ((5, []), (12, [3])):
        correct, other = np.ones(500, bool), np.ones(500, bool)
        correct[150 : 150 + lost] = False

        assert expected == classes_lost(correct, other, labels, 0.95)


def one_hot(predicted: np.ndarray) -> np.ndarray:
    return np.eye(10)[predicted]


def judged(new: np.ndarray, champion: np.ndarray | None, floors: Floors = FLOORS, digest: str = "new") -> dict:
    """Decide between predicted classes on 1000 images, 100 of each class."""
    labels = np.repeat(np.arange(10), 100)
    promotion = Promotion(3, "id", "promote", 3, None, "", "", Facts("old", "", "", 0.0, 1000, "", ""))
    contender = Contender(promotion, None, one_hot(champion), "", frozenset({"gone"})) if champion is not None else None
    return decide(one_hot(new), labels, digest, floors, contender)


def wrong_at(*rows: int) -> np.ndarray:
    predicted = np.repeat(np.arange(10), 100)
    predicted[list(rows)] = (predicted[list(rows)] + 1) % 10
    return predicted


def spread(count: int, offset: int = 0) -> list[int]:
    """Rows evenly over the classes."""
    return [(37 * k + offset) % 1000 for k in range(count)]


CASES = {
    "first model": (wrong_at(*spread(50)), None, True, "first model of this name"),
    "better": (wrong_at(*spread(20)), wrong_at(*spread(60)), True, "better than champion version 3"),
    "one better": (wrong_at(*spread(59)), wrong_at(*spread(60)), True, "new 1, champion 0; McNemar p=1"),
    "tie": (wrong_at(*spread(60, 1)), wrong_at(*spread(60)), False, "a tie keeps champion version 3"),
    "a little worse": (wrong_at(*spread(61)), wrong_at(*spread(60)), False, "no better than champion version 3"),
    "much worse": (wrong_at(*spread(150)), wrong_at(*spread(60)), False, "significantly worse than champion version 3"),
    "class lost": (
        wrong_at(*range(0, 40)),
        wrong_at(*spread(100)),
        False,
        r"significant loss in classes 0 ",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rule(case: str) -> None:
    """Floors, strictly more correct, no significant loss: each outcome is decided and said as the rule has it."""
    new, champion, promote, reason = CASES[case]
    decision = judged(new, champion)

    assert promote is decision["promote"]
    assert re.search(reason, decision["reason"])
    assert '"' not in decision["reason"]
    assert promote is all(check["passed"] for check in decision["checks"])


def test_floors_refuse_even_the_first_and_the_better() -> None:
    """Under a floor nothing is promoted, and the reason names the floor and the classes."""
    low = judged(wrong_at(*spread(60)), None, Floors(0.95, 0.5, 0.95))
    classes = judged(wrong_at(*range(10)), wrong_at(*spread(200)), Floors(0.5, 0.95, 0.95))

    assert "floor: accuracy >= 0.95 required, 0.9400 reached" == low["reason"]
    assert "class floor: every class >= 0.95 required, class 0 0.9000; below: 0 reached" in classes["reason"]
    assert not low["promote"] and not classes["promote"]


def test_the_very_same_model_is_recognised() -> None:
    """The digest of the champion, or of a model that a rollback took away, is not promoted again."""
    same = judged(wrong_at(), wrong_at(), digest="old")
    gone = judged(wrong_at(), wrong_at(*spread(9)), digest="gone")

    assert "the very same model is already the champion, version 3" == same["reason"]
    assert "a rollback took this very model away" in gone["reason"]
    assert not same["promote"] and not gone["promote"]


@pytest.mark.parametrize(("value", "name"), [((1.2, 0, 0.95), "min_accuracy"), ((0.5, 0.5, 1.0), "confidence")])
def test_impossible_floors_are_refused(value: tuple[float, float, float], name: str) -> None:
    """A floor outside 0..1 and a confidence of 1 are mistakes, said before anything runs."""
    with pytest.raises(ValueError, match=rf"Expected .*{name}.* Received"):
        Floors(*value)


def test_an_evaluation_holds_everything(work: Path, tmp_path: Path) -> None:
    """The JSON agrees with itself; the page is self-contained and shows the decision and every worst error."""
    result = evaluate(work, tmp_path, "good")
    saved = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=pytest.fail)
    page = (tmp_path / "report.html").read_text()
    correct = sum(result["confusion_matrix"][label][label] for label in range(10))

    assert saved == result
    assert result["accuracy"] == correct / 300 == sum(row["correct"] for row in result["per_class"]) / 300
    assert result["accuracy"] > 0.55
    assert 10 == len(result["roc"]) and max(len(curve["fpr"]) for curve in result["roc"]) <= 200
    assert ["none", *CHANGES] == [row["name"] for row in result["robustness"]]
    assert result["robustness"][0]["accuracy"] == result["accuracy"]
    assert result["decision"]["promote"] and result["champion"] is None
    assert page.count("<figure>") == len(result["worst"]) == min(24, 300 - correct)
    assert not re.search(r"""(src|href)=["']?(http|//)|<script""", page)
    assert "May be promoted" in page and "May be promoted" in (tmp_path / "summary.md").read_text()
    assert len(page) < 1_000_000


def test_classes_go_by_their_names(work: Path, tmp_path: Path) -> None:
    """Names of the dataset head the tables of page and summary, markup escaped; labels stand in for the rest."""
    names = ["T-shirt/top", "<b>", "a|b", *map(str, range(3, 8))]
    shutil.copytree(work / "data", work / "named")
    seal_dataset(work / "named", make_record(), names)
    result = evaluate(work, tmp_path, "good", data="named")
    page, summary = (tmp_path / "report.html").read_text(), (tmp_path / "summary.md").read_text()

    assert result["class_names"] == [*names, "8", "9"]
    assert '<th scope="row">T-shirt/top</th>' in page and "&lt;b&gt;" in page and "<b></th>" not in page
    assert any(f"class {name} " in result["decision"]["checks"][1]["received"] for name in result["class_names"])
    assert "| T-shirt/top | 30 |" in summary and r"| a\|b | 30 |" in summary


def test_kfp_gets_finite_python_floats(work: Path, tmp_path: Path) -> None:
    """Everything that goes to KFP's metrics is a finite Python float, the robustness table included."""
    metrics = kfp_metrics(evaluate(work, tmp_path, "good"))

    assert {"accuracy", "loss", "calibration_error", "accuracy_noise", "accuracy_inversion"} <= set(metrics)
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())


def test_the_face_logs_what_kubeflow_shows(work: Path, tmp_path: Path) -> None:
    """The component writes confusion matrix, ROC and metrics in KFP's own form."""
    from kfp import dsl

    from components.evaluate.component import evaluate as definition

    made = {
        name: kind(name=name, uri=str(tmp_path / name))
        for name, kind in (
            ("evaluation", dsl.Artifact),
            ("report", dsl.HTML),
            ("summary", dsl.Markdown),
            ("confusion", dsl.ClassificationMetrics),
            ("metrics", dsl.Metrics),
        )
    }
    inputs = {"dataset": dsl.Dataset(uri=str(work / "data")), "trained": dsl.Model(uri=str(work / "good"))}
    numbers = {"min_accuracy": 0.3, "min_class_accuracy": 0.05, "confidence": 0.95}
    accuracy = definition.python_func(**inputs, registry="", model_name="digits", **numbers, **made)
    confusion = made["confusion"].metadata["confusionMatrix"]

    assert accuracy == made["metrics"].metadata["accuracy"]
    assert 10 == len(confusion["annotationSpecs"]) == len(confusion["rows"])
    assert len(made["confusion"].metadata["confidenceMetrics"]) <= 200
    json.dumps(made["confusion"].metadata, allow_nan=False)


def test_the_changes_are_what_they_say() -> None:
    """Shift, rotation, blur, contrast and inversion on one white square; noise is the same each time."""
    square = np.zeros((1, 28, 28), np.float32)
    square[0, 10:14, 10:14] = 255
    changed = {name: np.clip(change(square), 0, 255) for name, (_, change) in CHANGES.items()}
    rotated = changed["rotation"][0]

    assert (changed["shift"][0, 12:16, 12:16] == 255).all() and 16 * 255 == changed["shift"].sum()
    assert pytest.approx(16 * 255, rel=0.05) == rotated.sum() and not np.allclose(rotated, square[0])
    assert pytest.approx(16 * 255, rel=0.01) == changed["blur"].sum() and changed["blur"].max() < 255
    assert 102 == pytest.approx(changed["contrast"].max())
    assert (0, 255) == (changed["inversion"][0, 11, 11], changed["inversion"][0, 0, 0])
    assert changed["noise"].std() > 10 and (changed["noise"] == np.clip(CHANGES["noise"][1](square), 0, 255)).all()


def test_the_split_is_the_same_however_it_is_stored(work: Path) -> None:
    """uint8 and float32 datasets of the same raw images have the same test digest; other images have another."""
    stored, floats = (open_split(open_dataset(work / name)) for name in ("data", "floats"))

    assert stored.digest == floats.digest
    assert (stored.images == floats.images).all()
    assert stored.raw and (300, 28, 28) == stored.images.shape


def test_the_champion_is_scored_again_on_the_same_images(work: Path, tmp_path: Path) -> None:
    """A champion that takes floats is scored on this run's raw images through its own record, beside a uint8 one."""
    registry = tmp_path / "registry"
    alone = evaluate(work, tmp_path / "a", "float", data="floats")
    promote_trained(work, registry, alone, "float")
    beside = evaluate(work, tmp_path / "b", "weak", registry=registry)

    assert pytest.approx(alone["accuracy"]) == beside["champion"]["accuracy"]
    assert beside["champion"]["same_test_split"]
    assert 1 == beside["champion"]["version"]
    assert not beside["decision"]["promote"]
    assert "worse than champion version 1" in beside["decision"]["reason"]
    assert pytest.approx(beside["accuracy"] - alone["accuracy"]) == beside["decision"]["mcnemar"]["difference"]
    assert "Not promoted" in (tmp_path / "b" / "report.html").read_text()


def test_a_champion_of_other_images_is_not_compared(work: Path, tmp_path: Path) -> None:
    """A champion that takes other images cannot be beaten by default; the reason says why."""
    import keras

    record = make_record(image_shape=(14, 14, 1))
    layers = [keras.layers.Input((14, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    write_trained(tmp_path / "small", keras.Sequential(layers), record)
    promote_trained(tmp_path, tmp_path / "registry", evaluate(work, tmp_path / "a", "good"), "small")
    result = evaluate(work, tmp_path / "b", "good", registry=tmp_path / "registry", floors=Floors(0.1, 0.0, 0.9))

    assert not result["decision"]["promote"]
    assert "cannot be compared: Expected images of (14, 14) pixels" in result["decision"]["reason"]


def test_data_prepared_by_the_user_are_fed_as_they_are(work: Path, tmp_path: Path) -> None:
    """Prepared arrays, with one-hot labels, go to the network unchanged."""
    record = make_record(**FLOATS, label_encoding="one_hot")
    make_dataset(tmp_path / "data", record)
    (tmp_path / "model").symlink_to(work / "float")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    manifest["preprocessing"].update(prepared=True, scale=1.0)
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))
    alone = evaluate(work, tmp_path / "a", "float", data="floats")
    result = evaluate(tmp_path, tmp_path / "b", "model")

    assert pytest.approx(alone["accuracy"]) == result["accuracy"]
    assert 7 == len(result["robustness"])


def test_what_cannot_be_judged_is_said(work: Path, tmp_path: Path) -> None:
    """Labels beyond the network's classes, NaN predictions and a missing model are errors with a fix."""
    import keras

    layers = [keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    write_trained(tmp_path / "three", keras.Sequential(layers), make_record())
    (tmp_path / "data").symlink_to(work / "data")
    with pytest.raises(DatasetError, match=r"test labels in 0\.\.2.*Received: 300 in 0\.\.9"):
        evaluate(tmp_path, tmp_path / "a", "three")
    nan = keras.initializers.Constant(float("nan"))
    layers[-1] = keras.layers.Dense(10, kernel_initializer=nan)
    write_trained(tmp_path / "nan", keras.Sequential(layers), make_record())
    with pytest.raises(ServingError, match="NaN or infinity for 300 images"):
        evaluate(tmp_path, tmp_path / "b", "nan")
    with pytest.raises(ServingError, match="Rerun train"):
        evaluate(tmp_path, tmp_path / "c", "missing")
