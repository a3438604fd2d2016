"""Statistical validation: what it warns of, how seldom it is wrong, and what it keeps silent about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_mnist.data.dataset import open_dataset, write_dataset
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.profiling import example_kind, profile_training_split
from deep_mnist.serving.model.reference_profile import PROFILE_FILE, ReferenceProfile, read_profile, write_profile
from deep_mnist.serving.requests.statistical_validation import compare_with_profile
from tests.support.digits import draw_digits
from tests.support.serving import RunningServer, make_version, promote, running_server
from tests.support.trained import FLOATS, make_dataset, make_record, train_network

Digits = tuple[np.ndarray, np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


def profile_of(folder: Path, images: np.ndarray, labels: np.ndarray, **record: object) -> ReferenceProfile:
    """Survey prepared data: what a user brings ready-made."""
    shape = images.shape[1:]
    made = make_record(prepared=True, image_shape=shape, dtype=images.dtype.name, layout="", **record)
    profile = profile_training_split(write_dataset(folder, {"train_images": images, "train_labels": labels}, made))
    write_profile(profile, folder)
    read = read_profile(folder)
    assert read is not None and read.to_dict() == profile.to_dict()
    return read


def warned(profile: ReferenceProfile, examples: np.ndarray) -> dict[str, float]:
    """Return check -> share of the examples with its warning."""
    return {each.check: float(each.rows.mean()) for each in compare_with_profile(examples, profile).warnings}


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("scale", lambda x: (x > 127).astype(np.uint8)),
        ("polarity", lambda x: 255 - x),
        ("blank", lambda x: np.full_like(x, 90)),
        ("far", lambda x: np.random.default_rng(0).integers(0, 256, x.shape, dtype=np.uint8)),
    ],
    ids=["scale", "polarity", "blank", "noise"],
)
def test_a_statistical_fault_is_warned_of_beside_the_predictions(
    served: RunningServer, digits: Digits, check: str, change: Change
) -> None:
    """The predictions are there, the finding too, with the examples that it is of; the counter counts them."""
    sent = np.concatenate([digits[0][:3], change(digits[0][3:9])])
    before = counter(served, check)
    document = served.post({"instances": sent.tolist()}).json()

    assert len(document["predictions"]) == 9
    (warning,) = document["warnings"]
    assert (warning["check"], warning["severity"], warning["where"]) == (check, "warning", [3, 4, 5, 6, 7, 8])
    assert warning["expected"] and warning["received"] and warning["fix"]
    assert counter(served, check) - before == 6


def counter(served: RunningServer, check: str) -> float:
    (line,) = [
        line
        for line in served.get("metrics").text.splitlines()
        if line.startswith(f'deep_mnist_serving_warnings_total{{check="{check}"}}')
    ]
    return float(line.split()[-1])


def test_what_is_like_the_training_data_gets_no_warnings(served: RunningServer) -> None:
    """2,000 digits that nobody trained on, in both signatures: at most 1 in 1,000 is warned of."""
    images, _ = draw_digits(2000, seed=5)
    raw = served.post({"instances": images.tolist()}).json()
    network = served.post({"inputs": images[..., np.newaxis].tolist(), "signature_name": "network"}).json()
    for document in (raw, network):
        assert sum(each["count"] for each in document.get("warnings", [])) <= 2


def test_a_float_network_is_held_against_raw_images(tmp_path: Path) -> None:
    """A network that takes 0..1: its profile is of raw images, as the default signature takes them."""
    make_dataset(tmp_path, make_record(**FLOATS), train=2000)
    profile = profile_training_split(open_dataset(tmp_path))
    images, _ = draw_digits(500, seed=5)
    assert (profile.low, profile.high, profile.shape) == (0, 255, (28, 28))
    assert warned(profile, images) == {}


@pytest.mark.parametrize(
    ("change", "fix"), [(lambda x: x * 255, "x = x / 255"), (lambda x: x / 255, "x = x * 255")], ids=["never", "twice"]
)
def test_pixels_scaled_never_or_twice_for_the_networks_own_signature(
    tmp_path: Path, digits: Digits, change: Change, fix: str
) -> None:
    """The seed document's mistake at serving time: a float network's `network` signature takes it, and is told."""
    record = make_record(**FLOATS)
    make_dataset(tmp_path / "data", record, train=1500)
    train_network(tmp_path / "trained", record, epochs=1)
    registry = Registry(str(tmp_path / "registry"), "digits")
    promote(registry, make_version(tmp_path / "version", tmp_path / "data", tmp_path / "trained"))
    scaled = (digits[0][:20, ..., np.newaxis] / 255).astype(np.float32)
    with running_server(registry, tmp_path / "cache") as server:

        def warnings(images: np.ndarray) -> list[dict[str, Any]]:
            body = {"inputs": images.tolist(), "signature_name": "network"}
            return server.post(body).json().get("warnings", [])

        assert warnings(scaled) == []
        (warning,) = warnings(change(scaled))
    assert (warning["check"], warning["count"], warning["fix"]) == ("scale", 20, fix)
    assert warning["expected"] == "values in 0..1, as in training"


def test_prepared_images_on_another_scale(tmp_path: Path) -> None:
    """Trained on -1..1: 0..255 is named, with the fix."""
    images, labels = draw_digits(1500, seed=2)
    profile = profile_of(tmp_path, (images / 127.5 - 1).astype(np.float32)[..., np.newaxis], labels)
    fresh = draw_digits(200, seed=5)[0][..., np.newaxis].astype(np.float32)

    (warning,) = compare_with_profile(fresh, profile).warnings
    assert (warning.check, warning.finding.fix, warning.rows.all()) == ("scale", "x = x / 127.5 - 1", True)
    assert warned(profile, fresh / 127.5 - 1) == {}


def test_columns_with_scales_of_their_own(tmp_path: Path) -> None:
    """A table with heavy tails and a constant column: silent on more of the same, not on a column in another unit."""
    random = np.random.default_rng(0)

    def rows(count: int) -> np.ndarray:
        columns = [random.normal(40, 9, count), random.lognormal(0, 1.5, count), np.full(count, 3.0)]
        return np.stack([*columns, random.integers(0, 2, count)], axis=1).astype(np.float32)

    profile = profile_of(tmp_path, rows(8000), random.integers(0, 10, 8000))
    fresh = rows(4000)
    assert profile.kind == "columns"
    assert sum(warned(profile, fresh).values()) <= 2e-3
    assert warned(profile, fresh * np.array([1000, 1, 1, 1], np.float32)) == {"far": 1.0}


def test_color_images_larger_than_the_distance_looks_at(tmp_path: Path) -> None:
    """90 x 70 pixels in three channels: averaged down, silent on the same kind, not on noise."""
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        coarse = random.integers(0, 256, (count, 9, 7, 3), dtype=np.uint8)
        return coarse.repeat(10, axis=1).repeat(10, axis=2)

    profile = profile_of(tmp_path, images(1200), random.integers(0, 10, 1200))
    assert sum(warned(profile, images(500)).values()) <= 5e-3
    assert warned(profile, images(20) // 2).get("far", 0) < 0.5  # darker images lie within
    assert set(warned(profile, np.zeros((2, 90, 70, 3), np.uint8))) == {"blank"}


def test_it_abstains_where_it_cannot_know(tmp_path: Path) -> None:
    """Few examples, and integers that stand for something: said so, and nothing is called far."""
    images, labels = draw_digits(300, seed=2)
    few = profile_of(tmp_path / "few", images, labels)
    tokens = profile_of(tmp_path / "tokens", np.random.default_rng(0).integers(0, 99, (2000, 12)), np.arange(2000) % 10)

    assert few.distance is None and "300 examples" in few.abstains[0]
    assert warned(few, np.random.default_rng(0).integers(0, 256, (9, 28, 28), dtype=np.uint8)) == {}
    assert tokens.distance is None and example_kind(np.zeros((3, 12), np.int64)) == "numbers" and tokens.abstains
    assert warned(tokens, np.full((2, 12), 50)) == {"blank": 1.0}


def test_blank_examples_that_were_trained_on_are_nothing_new(tmp_path: Path) -> None:
    """A class of blank images: no warning."""
    images, labels = draw_digits(1500, seed=2)
    images[:100] = 0
    assert "blank" not in warned(profile_of(tmp_path, images, labels), np.zeros((3, 28, 28), np.uint8))


def test_a_version_without_a_profile_is_served_and_says_so(versions: Path, tmp_path: Path, digits: Digits) -> None:
    """Published before there were profiles: predictions, no warnings, and the page, facts and metrics tell."""
    registry = Registry(str(tmp_path / "registry"), "digits")
    promote(registry, versions / "bare")
    with running_server(registry, tmp_path / "cache") as server:
        document = server.post({"instances": (255 - digits[0]).tolist()}).json()
        assert len(document["predictions"]) == 200 and "warnings" not in document
        assert server.get("champion.json").json()["surveyed"] is False
        assert "deep_mnist_serving_champion_surveyed 0.0" in server.get("metrics").text
        assert "without a reference profile" in server.get("drift").text
        assert server.get("drift.json").json()["report"] is None


def test_a_profile_holds_no_example(versions: Path) -> None:
    """Statistics only, and small: a version's profile stays below a megabyte."""
    path = versions / "strong" / PROFILE_FILE
    assert path.stat().st_size < 1_000_000
    assert json.loads(path.read_text())["examples"] == 3000
