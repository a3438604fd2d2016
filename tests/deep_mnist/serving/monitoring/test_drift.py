"""The drift report: what is sent against what was trained on, in a window of bounded size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.reference_profile import ReferenceProfile, read_profile
from deep_mnist.serving.model.spread import Spread
from deep_mnist.serving.monitoring.drift import DriftWindow
from deep_mnist.serving.requests.statistical_validation import compare_with_profile
from tests.support.digits import draw_digits
from tests.support.serving import RunningServer, promote, running_server, wait_for_version


@pytest.fixture(scope="module")
def profile(versions: Path) -> ReferenceProfile:
    found = read_profile(versions / "strong")
    assert found is not None
    return found


def predictions(labels: np.ndarray, confidence: float = 0.99) -> np.ndarray:
    shares = np.full((len(labels), 10), (1 - confidence) / 9)
    shares[np.arange(len(labels)), labels] = confidence
    return shares


def test_the_index_is_the_population_stability_index() -> None:
    """By hand: two bins of 0.5 and 0.5 against 0.8 and 0.2."""
    spread = Spread(np.array([0.5]), np.array([0.5, 0.5]))
    by_hand = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    assert spread.moved(np.array([0.0] * 8 + [1.0] * 2)) == pytest.approx(by_hand)
    assert spread.moved(np.array([0.0, 1.0])) == pytest.approx(0)


def test_an_index_of_equal_values_is_finite() -> None:
    """A statistic that never varied has one or two bins; what leaves them has a finite index."""
    spread = Spread.of(np.zeros(100))
    assert spread.moved(np.zeros(50)) == pytest.approx(0)
    assert np.isfinite(spread.moved(np.ones(50)))
    assert Spread.from_dict(spread.to_dict()).moved(-np.ones(50)) > 1


def test_more_of_the_same_has_not_moved(profile: ReferenceProfile) -> None:
    """1,000 fresh digits: every index is stable."""
    images, labels = draw_digits(1000, seed=5)
    window = DriftWindow(profile)
    window.add(compare_with_profile(images, profile), predictions(labels))
    statistics = window.report()["statistics"]
    assert max(index for name, index in statistics.items() if name != "confidence") < 0.1


def test_what_moves_is_named(profile: ReferenceProfile) -> None:
    """Brighter images of one class with unsure predictions: each of the three is reported."""
    images, labels = draw_digits(1000, seed=5)
    ones = images[labels == 1]
    window = DriftWindow(profile)
    for _ in range(4):
        brighter = np.minimum(ones.astype(int) * 2 + 40, 255).astype(np.uint8)
        window.add(compare_with_profile(brighter, profile), predictions(labels[labels == 1], 0.3))
    report = window.report()

    assert {"mean", "confidence", "predicted class"} <= set(report["moved"])
    assert report["classes"][1]["share"] == 1.0 and report["classes"][1]["training"] == pytest.approx(0.1, abs=0.03)
    assert report["low_confidence"]["share"] == 1.0 and report["low_confidence"]["expected"] == 0.05


def test_the_window_forgets_and_never_grows(profile: ReferenceProfile) -> None:
    """Requests longer than the window, and many short ones: the latest examples are held, no more."""
    window = DriftWindow(profile, size=300)
    images, labels = draw_digits(700, seed=5)
    window.add(compare_with_profile(images, profile), predictions(labels))
    assert (window.report()["examples"], window.report()["seen"]) == (300, 700)

    for _ in range(30):
        window.add(compare_with_profile(images[:10], profile), predictions(np.zeros(10, int)))
    report = window.report()
    assert report["examples"] == 300 and report["classes"][0]["share"] == 1.0


def test_few_examples_say_nothing(profile: ReferenceProfile) -> None:
    """Below 200 examples there is no index."""
    window = DriftWindow(profile)
    window.add(compare_with_profile(np.zeros((199, 28, 28), np.uint8), profile), predictions(np.zeros(199, int)))
    assert window.report()["moved"] == [] and not window.report()["enough"]


def samples_of(server: RunningServer) -> dict[tuple[str, ...], float]:
    """Return name and label values -> value of what /metrics holds."""
    response = server.get("metrics")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    return {
        (sample.name.removeprefix("deep_mnist_serving_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_metrics_and_page_tell_the_same(versions: Path, tmp_path: Path) -> None:
    """A strict parser reads the metrics, no share of a few examples among them; a new version begins a new window."""
    registry = Registry(str(tmp_path / "registry"), "digits")
    promote(registry, versions / "weak")
    images, _ = draw_digits(300, seed=5)
    with running_server(registry, tmp_path / "cache") as server:
        assert server.post({"instances": (255 - images[:10]).tolist()}).status_code == 200
        early = samples_of(server)
        names = {name for name, *_ in early}
        assert early["requests_total", "500"] == 0 and "class_training_ratio" in names
        assert not {"class_ratio", "low_confidence_ratio", "drift_population_stability"} & names

        assert server.post({"instances": (255 - images[10:]).tolist()}).status_code == 200
        server.post(b"{")
        samples = samples_of(server)
        report = server.get("drift.json").json()["report"]
        assert samples["drift_population_stability", "mean"] == report["statistics"]["mean"] > 0.25
        assert samples[("drift_examples",)] == samples[("examples_total",)] == 300
        assert samples["requests_total", "200"] - 1 == samples["requests_total", "400"] == 1
        assert samples["warnings_total", "polarity"] + samples["warnings_total", "far"] == 300
        assert samples[("champion_version",)] == 1 and samples[("champion_accuracy_ratio",)] == 0.9
        assert sum(value for key, value in samples.items() if key[0] == "predictions_total") == 300
        assert "Moved away from the training data" in server.get("drift").text

        promote(registry, versions / "strong")
        wait_for_version(server, 2)
        assert "0 examples so far" in server.get("drift").text
