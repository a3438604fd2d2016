"""Two versions of a model of digits, and servers of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.registry.registry import Registry
from tests.support.digits import draw_digits
from tests.support.made_once import made_once
from tests.support.serving import NAME, RunningServer, make_version, promote, running_server
from tests.support.trained import make_dataset, make_record, train_network


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `strong` and `weak`, what publish makes of two networks, and `bare`: strong without a profile."""
    return made_once(tmp_path_factory, "versions", _make_versions)


def _make_versions(folder: Path) -> None:
    make_dataset(folder / "data", make_record(), train=3000)
    for name, epochs in (("strong", 12), ("weak", 2)):
        train_network(folder / f"trained-{name}", make_record(), epochs=epochs)
        make_version(folder / name, folder / "data", folder / f"trained-{name}")
    shutil.copytree(folder / "strong", folder / "bare")
    (folder / "bare" / "survey.json").unlink()


@pytest.fixture(scope="session")
def served(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of `strong` that tests share and leave as it is."""
    folder = tmp_path_factory.mktemp("served")
    registry = Registry(str(folder / "registry"), NAME)
    promote(registry, versions / "strong")
    with running_server(registry, folder / "cache") as server:
        yield server


@pytest.fixture
def registry(versions: Path, tmp_path: Path) -> Registry:
    """A registry of one test's own whose champion is `weak`."""
    registry = Registry(str(tmp_path / "registry"), NAME)
    promote(registry, versions / "weak")
    return registry


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8 (200, 28, 28) and their labels, which no network was trained on."""
    return draw_digits(200, seed=77)
