"""What is published is what was judged, it predicts as the model does, and it is promoted only if it may be."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluate.evaluate import evaluate_from_paths
from components.publish import publish
from components.publish.publish import NotPromotedError, PublishRequest, StaleEvaluationError, publish_from_paths
from components.publish.replay import ReplayError, replay, replay_in_fresh_process, write_golden_requests
from deep_mnist.calibration import Calibration, read_calibration
from deep_mnist.data.dataset import open_dataset
from deep_mnist.export import TrainedNetwork, export
from deep_mnist.registry.judged_split import open_split
from deep_mnist.registry.promotion import Floors
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.reference_profile import read_profile
from deep_mnist.storage.open import open_store
from tests.support.fault_proxy import QUICK, no_fault, some_faults
from tests.support.model_registry_server import model_registry_server
from tests.support.remotes import Remote
from tests.support.trained import FLOATS, make_dataset, make_record, train_network, write_trained

pytestmark = pytest.mark.usefixtures("fresh_processes")

SERVED = {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"}
KEPT = {
    "survey.json",
    "model.keras",
    "preprocessing.json",
    "training.json",
    "evaluation.json",
    "model_card.json",
    "model_card.md",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("publish")
    make_dataset(folder / "data", make_record())
    for name, epochs in (("good", 12), ("weak", 3)):
        train_network(folder / name, make_record(), epochs=epochs)
    return folder


class Round:
    """One run's evaluate and publish."""

    def __init__(self, work: Path, out: Path, registry: object, model: str, run: str, data: str = "data") -> None:
        self.data, self.trained, self.out, self.run = work / data, work / model, out / run, run
        self.registry = str(registry)
        self.out.mkdir(parents=True, exist_ok=True)

    def evaluate(self) -> dict[str, Any]:
        return evaluate_from_paths(
            self.data,
            self.trained,
            self.out / "evaluation.json",
            self.out / "report.html",
            self.out / "summary.md",
            registry=self.registry,
            model_name="digits",
            floors=Floors(0.3, 0.05, 0.95),
        )

    def publish(self, **changes: Any) -> dict[str, Any]:
        paths = (self.out / name for name in ("evaluation.json", "promotion.json", "card.md"))
        request = PublishRequest(self.registry, "digits", run_name=self.run, **changes)
        return publish_from_paths(self.data, self.trained, *paths, request)


@pytest.fixture(scope="module")
def first(work: Path) -> tuple[Path, dict[str, Any]]:
    """A registry in which the weak model is the champion, and what its publishing said."""
    weak = Round(work, work / "rounds", work / "registry", "weak", "run-1")
    weak.evaluate()
    return work / "registry", weak.publish()


@pytest.fixture
def registry(first: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of that registry."""
    return Path(shutil.copytree(first[0], tmp_path / "registry"))


def test_the_first_model_is_published(first: tuple[Path, dict[str, Any]], work: Path) -> None:
    """The version folder holds what servers load and what people ask for; the promotion names it."""
    folder, promotion = first
    version = folder / "digits" / "1"
    found = {path.relative_to(version).as_posix() for path in version.rglob("*")}

    assert found >= SERVED | KEPT | {"assets/preprocessing.json", "golden_requests.npz", "version.json"}
    assert (True, 1, None) == (promotion["promoted"], promotion["version"], promotion["champion_accuracy"])
    assert str(version) == promotion["uri"]
    assert promotion == json.loads((work / "rounds/run-1/promotion.json").read_text())
    assert promotion["accuracy"] == Registry(str(folder), "digits").champion().facts.accuracy


def test_the_reference_profile_is_of_the_training_data(first: tuple[Path, dict[str, Any]], work: Path) -> None:
    """Raw training images, and the confidences on the judged split: what a server holds requests against."""
    profile = read_profile(first[0] / "digits" / "1")
    images = np.load(work / "data" / "train_images.npy")

    assert profile is not None and profile.confidence is not None
    assert (profile.kind, profile.shape, profile.examples) == ("images", (28, 28), len(images))
    assert (profile.low, profile.high) == (float(images.min()), float(images.max()))
    assert 0.1 <= profile.low_confidence < 1 and abs(float(profile.classes.shares.sum()) - 1) < 1e-9


def test_what_a_person_accepted_stands_in_the_card(registry: Path, work: Path, tmp_path: Path) -> None:
    """The card of the run and the one beside the model name the field and the reason."""
    good = Round(work, tmp_path, registry, "good", "run-accepted")
    good.evaluate()

    good.publish(accept=[{"field": "splits.order", "because": "sorted on purpose"}])

    line = "- `splits.order`: sorted on purpose"
    assert line in (good.out / "card.md").read_text()
    assert line in (registry / "digits" / "2" / "model_card.md").read_text()


def test_the_temperature_is_published_with_the_model(registry: Path, work: Path, tmp_path: Path) -> None:
    """Fitted by train, it is in the export's probabilities, the version's files and the card, and no class changes."""
    calibrated = shutil.copytree(work / "good", tmp_path / "calibrated")
    (calibrated / "calibration.json").write_text(json.dumps(Calibration(0.5, 100, 0.4, 0.3).to_dict()))
    plain, warm = (
        Round(work, tmp_path, registry, str(folder), f"run-{folder.name}") for folder in (work / "good", calibrated)
    )

    before, after = plain.evaluate(), warm.evaluate()
    warm.publish()
    version = registry / "digits" / "2"
    card = (version / "model_card.md").read_text()

    assert before["confusion_matrix"] == after["confusion_matrix"]
    assert before["calibration"]["ece"] == after["temperature"]["ece_without"] != after["calibration"]["ece"]
    assert "without the temperature 0.500" in card and "fitted on 100 validation images" in card
    assert 0.5 == read_calibration(version).temperature
    golden = np.load(version / "golden_requests.npz")
    np.testing.assert_allclose(
        TrainedNetwork.load(version).predict(golden["images"], raw=True), golden["probabilities"], atol=1e-6
    )


def test_servers_find_what_they_look_for(first: tuple[Path, dict[str, Any]]) -> None:
    """TensorFlow Serving's own terms: tag `serve`, predict signatures, uint8 in, every output batched."""
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel.FromString((first[0] / "digits/1/saved_model.pb").read_bytes()).meta_graphs[0]
    raw, network = graph.signature_def["serving_default"], graph.signature_def["network"]

    assert ["serve"] == list(graph.meta_info_def.tags)
    assert {"tensorflow/serving/predict"} == {raw.method_name, network.method_name}
    assert ["images"] == list(raw.inputs) == list(network.inputs)
    assert types_pb2.DT_UINT8 == raw.inputs["images"].dtype
    assert {"class", "probabilities", "outputs"} == set(raw.outputs) == set(network.outputs)
    assert {-1} == {output.tensor_shape.dim[0].size for output in raw.outputs.values()}


def test_the_card_tells_everything(first: tuple[Path, dict[str, Any]], work: Path) -> None:
    """Digests of data, code, images and seed, metrics with intervals, intended use and how to reproduce."""
    card = json.loads((first[0] / "digits/1/model_card.json").read_text())
    page = (work / "rounds/run-1/card.md").read_text()
    evaluation = json.loads((work / "rounds/run-1/evaluation.json").read_text())

    assert evaluation["test_digest"] == card["data"]["test_digest"]
    assert open_dataset(work / "data").digest == card["data"]["digest"]
    assert evaluation["model_digest"] == card["network"]["digest"]
    assert {"image", "code"} == set(card["made_by"]["train"]) == set(card["made_by"]["publish"])
    assert (
        card["metrics"]["accuracy"]["low"] < card["metrics"]["accuracy"]["value"] < card["metrics"]["accuracy"]["high"]
    )
    assert 256 == card["replay"]["requests"]
    assert 0 == card["training"]["seed"]
    assert "make run DATASET=synthetic" in card["reproduce"]
    for part in ("Published as version 1", "Intended use", "Not for:", "uint8 0..255", card["data"]["test_digest"]):
        assert part in page


def test_a_better_model_takes_over_and_a_worse_one_does_not(work: Path, registry: Path, tmp_path: Path) -> None:
    """Weak, then good: promoted with the statistics; then weak again: not promoted, and that is no failure."""
    good = Round(work, tmp_path, registry, "good", "run-2")
    good.evaluate()
    promotion = good.publish()
    weak = Round(work, tmp_path, registry, "weak", "run-3")
    weak.evaluate()
    refusal = weak.publish()
    again = Round(work, tmp_path, registry, "good", "run-4")
    again.evaluate()

    assert (True, 2) == (promotion["promoted"], promotion["version"])
    assert promotion["accuracy"] > promotion["champion_accuracy"]
    assert (False, 2, "") == (refusal["promoted"], refusal["version"], refusal["uri"])
    assert "worse than champion version 2" in refusal["reason"] and "McNemar p=" in refusal["reason"]
    assert "Not promoted" in (tmp_path / "run-3/card.md").read_text()
    with pytest.raises(NotPromotedError, match="the very same model is already the champion, version 2"):
        again.publish(require_promotion=True)
    assert not (tmp_path / "run-4/promotion.json").read_text() == ""
    assert [1, 2] == [promotion.version for promotion in Registry(str(registry), "digits").log()]
    # The attempt is repeated, as Kubeflow does when a pod dies after the pointer moved: nothing is promoted twice.
    repeated = good.publish(require_promotion=True)

    assert (True, 2) == (repeated["promoted"], repeated["version"])
    assert "by an earlier attempt" in repeated["reason"]
    assert 2 == len(Registry(str(registry), "digits").log())


def test_the_model_registry_learns_of_what_an_earlier_publish_could_not_tell(
    work: Path, registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With Kubeflow's Model Registry down a model is promoted all the same; the next publish registers it, promoted or
    not."""
    good, weak = (Round(work, tmp_path, registry, name, f"run-{name}") for name in ("good", "weak"))
    with model_registry_server() as catalogue:
        catalogue.fault = lambda _method, _path: 503
        good.evaluate()
        promotion = good.publish(model_registry=catalogue.url)
        warned = capsys.readouterr().out
        catalogue.fault = lambda _method, _path: 0
        weak.evaluate()
        refusal = weak.publish(model_registry=catalogue.url)

        assert (True, False) == (promotion["promoted"], refusal["promoted"])
        assert (
            "warning: the Model Registry was not updated; the next publish will do it: Expected a response to GET"
            in warned
        )
        assert ["1", "2"] == catalogue.names("model_versions")
        assert promotion["uri"] == catalogue.tables["artifacts"][-1]["uri"]


def test_the_loser_of_a_race_judges_again(
    work: Path, registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the good model's export is replayed another promoter moves the pointer: judged again, it wins or loses."""
    good = Round(work, tmp_path, registry, "good", "run-2")
    good.evaluate()
    opened = Registry(str(registry), "digits")
    champion = opened.champion()
    opened.files.download(champion, tmp_path / "copy")

    def interfered(folder: Path) -> dict[str, Any]:
        """Promote the weak model once more, as somebody else's, before the replay."""
        if opened.champion() == champion:
            opened.promote(tmp_path / "copy", champion.facts, expected=champion)
        return replay_in_fresh_process(folder)

    monkeypatch.setattr(publish, "replay_in_fresh_process", interfered)
    promotion = good.publish()
    log = opened.log()

    assert (True, 4) == (promotion["promoted"], promotion["version"])
    assert "better than champion version 2" in promotion["reason"]
    assert 2 == json.loads(opened.read_text(log[-1], "evaluation.json"))["champion"]["version"]
    assert [1, 2, 4] == [promotion.version for promotion in log] == [each.number for each in opened.versions()]


def test_a_stale_evaluation_is_judged_again_and_may_lose(work: Path, registry: Path, tmp_path: Path) -> None:
    """Two runs evaluated beside the same champion; the better one publishes first; the other learns of it."""
    good, middle = (Round(work, tmp_path, registry, name, f"run-{name}") for name in ("good", "middle"))
    train_network(tmp_path / "middle", make_record(), epochs=5)
    middle.trained = tmp_path / "middle"
    assert good.evaluate()["decision"]["promote"] and middle.evaluate()["decision"]["promote"]
    winner, loser = good.publish(), middle.publish()

    assert winner["promoted"] and not loser["promoted"]
    assert pytest.approx(winner["accuracy"]) == loser["champion_accuracy"]
    assert "champion version 2" in loser["reason"]


def test_an_evaluation_of_something_else_is_refused(work: Path, registry: Path, tmp_path: Path) -> None:
    """Neither another model nor another test split can borrow an evaluation."""
    good = Round(work, tmp_path, registry, "good", "run-2")
    good.evaluate()
    good.trained = work / "weak"
    with pytest.raises(StaleEvaluationError, match="Expected model_digest"):
        good.publish()
    good.trained, good.data = work / "good", make_dataset(tmp_path / "other", make_record(), seed=5)
    with pytest.raises(StaleEvaluationError, match="Expected test_digest"):
        good.publish()

    assert 1 == len(Registry(str(registry), "digits").log())


@pytest.mark.usefixtures("first")
def test_a_bucket_behind_a_bad_network_gets_one_champion(work: Path, remote: Remote, tmp_path: Path) -> None:
    """Evaluate and publish through a network that breaks every fifth request: one version, whole, promoted once."""
    remote.proxy.use(some_faults(0.2, seed=1, faults=QUICK))
    weak = Round(work, tmp_path, f"{remote.url}/models", "weak", "run-1")
    weak.evaluate()
    promotion = weak.publish()
    broken = sum(fault is not None for _, _, fault in remote.proxy.seen)
    remote.proxy.use(no_fault)
    opened = Registry(f"{remote.url}/models", "digits")
    champion = opened.champion()
    opened.files.download(champion, tmp_path / "down")

    assert broken > 3
    assert promotion["promoted"] and f"{remote.url}/models/digits/1" == promotion["uri"]
    assert [1] == [each.number for each in opened.versions()] == [promotion.version for promotion in opened.log()]
    assert {f"digits/1/{name}" for name in SERVED | KEPT} <= set(open_store(f"{remote.url}/models").list("digits/1/"))
    assert (256, []) == tuple(replay(tmp_path / "down")[key] for key in ("requests", "faults"))


def exported(folder: Path, network: TrainedNetwork, data: Path) -> Path:
    export(network, folder)
    write_golden_requests(network, open_split(open_dataset(data)), folder)
    return folder


def test_scaling_twice_is_found(work: Path, tmp_path: Path) -> None:
    """A network that scales inside, with a record that scales as well, would do better without: refused."""
    import keras

    inner = keras.saving.load_model(train_network(tmp_path / "float", make_record(**FLOATS)) / "model.keras")
    layers = [keras.layers.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), *inner.layers]
    twice = write_trained(tmp_path / "twice", keras.Sequential(layers), make_record(**FLOATS))
    proof = replay(exported(tmp_path / "out", TrainedNetwork.load(twice), work / "data"))

    assert 1 == len(proof["faults"])
    assert "with pixels scaled by 1/255 once less. Check the preprocessing record" in proof["faults"][0]


def test_rows_and_columns_exchanged_are_found(work: Path, tmp_path: Path) -> None:
    """A network trained on transposed images, with a record that does not say so, is refused, and nothing is kept."""
    import keras

    inner = keras.saving.load_model(work / "good" / "model.keras")
    layers = [keras.layers.Input((28, 28, 1), dtype="uint8"), keras.layers.Permute((2, 1, 3)), *inner.layers]
    write_trained(tmp_path / "transposed", keras.Sequential(layers), make_record())
    transposed = Round(work, tmp_path / "rounds", tmp_path / "registry", "good", "run-1")
    transposed.trained = tmp_path / "transposed"
    evaluation = transposed.evaluate()
    evaluation["decision"]["promote"] = True
    (transposed.out / "evaluation.json").write_text(json.dumps(evaluation))
    with pytest.raises(ReplayError, match="with the image's rows and columns exchanged"):
        transposed.publish()

    assert [] == open_store(str(tmp_path / "registry")).list()


def test_another_graph_than_the_model_is_found(work: Path, tmp_path: Path) -> None:
    """An export whose weights are not those that answered the golden requests is refused with the difference."""
    folder = exported(tmp_path / "out", TrainedNetwork.load(work / "good"), work / "data")
    write_golden_requests(TrainedNetwork.load(work / "weak"), open_split(open_dataset(work / "data")), folder)
    faults = replay(folder)["faults"]

    assert 4 == len(faults)
    assert re.search(
        r"serving_default to predict as the model does, .* a difference of 0\.\d+, another class", faults[0]
    )


def test_golden_requests_are_kept_for_servers(first: tuple[Path, dict[str, Any]]) -> None:
    """The requests lie beside the model with their predictions: 256 raw images, uint8."""
    golden = np.load(first[0] / "digits/1/golden_requests.npz", allow_pickle=False)

    assert ((256, 28, 28), "uint8") == (golden["images"].shape, golden["images"].dtype.name)
    assert (256, 10) == golden["probabilities"].shape
