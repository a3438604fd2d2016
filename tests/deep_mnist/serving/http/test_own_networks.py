"""Networks that a user brought, on data that a user prepared: free sides, columns, one unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_mnist.data.dataset import write_dataset
from deep_mnist.registry.registry import Registry
from tests.support.serving import NAME, make_version, promote, running_server
from tests.support.trained import make_record, write_trained


def published(tmp_path: Path, layers: Any, images: np.ndarray, labels: np.ndarray, shape: tuple[int, ...]) -> Registry:
    """Publish an untrained network of these layers on prepared data."""
    import keras

    model = keras.Sequential([keras.layers.Input([side or None for side in shape]), *layers(keras.layers)])
    record = make_record(prepared=True, layout="", image_shape=shape, dtype="float32", num_classes=2)
    arrays = {"train_images": images, "train_labels": labels, "test_images": images[:99], "test_labels": labels[:99]}
    write_dataset(tmp_path / "data", arrays, record)
    write_trained(tmp_path / "trained", model, record)
    make_version(tmp_path / "version", tmp_path / "data", tmp_path / "trained")
    registry = Registry(str(tmp_path / "registry"), NAME)
    promote(registry, tmp_path / "version")
    return registry


@pytest.fixture
def columns() -> np.ndarray:
    return np.random.default_rng(0).normal(5, [1, 10, 100], (1500, 3)).astype(np.float32)


def test_a_table_and_one_unit(tmp_path: Path, columns: np.ndarray) -> None:
    """Columns of floats, a sigmoid: two probabilities; another unit of measurement is far."""
    registry = published(
        tmp_path, lambda kind: [kind.Dense(1, activation="sigmoid")], columns, np.arange(1500) % 2, (3,)
    )
    with running_server(registry, tmp_path / "cache") as server:
        document = server.post({"instances": columns[:5].tolist()}).json()
        assert [len(row["probabilities"]) for row in document["predictions"]] == [2] * 5
        assert "warnings" not in document
        far = server.post({"instances": (columns[:5] * 1000).tolist()}).json()
        assert [(each["check"], each["count"]) for each in far["warnings"]] == [("far", 5)]
        assert server.post({"instances": [[1, 2]]}).json()["expected"] == "images: float32 (n, 3)"
        assert server.get("").status_code == server.get("drift").status_code == 200


def test_images_of_any_size(tmp_path: Path) -> None:
    """Free sides: other sizes are predicted without a profile's opinion; what the graph refuses is the client's 400."""
    images = np.random.default_rng(0).random((1200, 12, 10, 3), dtype=np.float32)

    def layers(kind: Any) -> list[Any]:
        return [kind.Conv2D(4, 5, padding="valid"), kind.GlobalAveragePooling2D(), kind.Dense(2, activation="softmax")]

    registry = published(tmp_path, layers, images, np.arange(1200) % 2, (0, 0, 3))
    with running_server(registry, tmp_path / "cache") as server:
        assert server.post({"instances": images[:3].tolist()}).status_code == 200
        assert server.post({"instances": np.ones((2, 20, 30, 3)).tolist()}).status_code == 200
        small = server.post({"instances": np.ones((2, 2, 2, 3)).tolist()})
        assert (small.status_code, small.json()["field"]) == (400, "images.shape")
        assert "(n, ?, ?, 3)" in server.post({"instances": [[[1, 2]]]}).json()["expected"]
