"""--engine onnx: the champion's ONNX form is served by a process in which TensorFlow cannot be imported."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from deep_mnist.export import TrainedNetwork
from deep_mnist.forms.convert import convert
from deep_mnist.forms.form import ONNX
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.__main__ import main
from deep_mnist.serving.replay import main as replay
from tests.support.runs import ROOT
from tests.support.serving import NAME, promote, serving_command


@pytest.fixture(scope="module")
def store(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry whose champion has the ONNX form."""
    folder = tmp_path_factory.mktemp("onnx")
    shutil.copytree(versions / "strong", folder / "version")
    network = TrainedNetwork.load(folder / "version")
    convert(network, ONNX, folder / "version" / ONNX.file, np.zeros((0, 28, 28), np.uint8))
    registry = Registry(str(folder / "registry"), NAME)
    promote(registry, folder / "version")
    return registry.store.url


@pytest.fixture(scope="module")
def url(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the command serves it; `import tensorflow` and `import keras` fail in its process."""
    folder = tmp_path_factory.mktemp("light")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')")
    variables = {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    with serving_command(store, folder, "--engine", "onnx", variables=variables) as (_, address):
        yield address


def posted(url: str, document: object) -> requests.Response:
    return requests.post(f"{url}/v1/models/{NAME}:predict", json=document, timeout=60)


def test_it_predicts_as_the_champion_did_when_it_was_published(
    url: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All golden requests, within the tolerance that TensorFlow's own server is held to."""
    assert replay([store, url, "--model-name", NAME]) == 0
    assert "another class for 0" in capsys.readouterr().out


def test_it_takes_and_refuses_what_the_savedmodel_does(url: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """With and without a channel axis; three outputs; inverted images are warned of; floats are refused."""
    images, _ = digits
    plain = posted(url, {"instances": images.tolist()}).json()
    channel = posted(url, {"instances": images[..., None].tolist()}).json()
    inverted = posted(url, {"instances": (255 - images[:20]).tolist()}).json()
    refused = posted(url, {"instances": (images[:2] / 255).tolist()})
    other = posted(url, {"instances": images[:2].tolist(), "signature_name": "network"})

    assert plain["predictions"] == channel["predictions"] and len(plain["predictions"]) == len(images)
    assert set(plain["predictions"][0]) == {"class", "probabilities", "outputs"}
    assert {each["check"] for each in inverted["warnings"]} >= {"polarity"}
    assert 400 == refused.status_code == other.status_code and "['serving_default']" in other.json()["error"]


def test_it_says_that_it_computes_no_gradients(url: str) -> None:
    """The page's map of what mattered gets 501 and the way to have it; V2 names the engine."""
    refused = requests.post(f"{url}/heat", json={"instances": np.zeros((1, 28, 28), int).tolist()}, timeout=60)

    assert (refused.status_code, refused.json()["fix"]) == (501, "serve it with --engine tensorflow")
    assert not requests.get(f"{url}/champion.json", timeout=60).json()["heat"]
    assert requests.get(f"{url}/v2/models/{NAME}", timeout=60).json()["platform"] == "onnxruntime_onnx"


def test_its_signature_is_described_as_tensorflow_serving_does(url: str) -> None:
    """`metadata` names input and outputs with their types; a side of any length is -1."""
    described = requests.get(f"{url}/v1/models/{NAME}/metadata", timeout=60).json()
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    taken = signature["inputs"]["images"]

    assert "DT_UINT8" == taken["dtype"] and ["-1", "28", "28"] == [
        side["size"] for side in taken["tensor_shape"]["dim"]
    ]
    assert {"class": "DT_INT64", "probabilities": "DT_FLOAT", "outputs": "DT_FLOAT"} == {
        name: each["dtype"] for name, each in signature["outputs"].items()
    }


def test_a_version_without_the_form_is_told_in_one_line(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and how to publish it."""
    command = [registry.store.url, "--model-name", NAME, "--engine", "onnx", "--cache", str(tmp_path / "cache")]

    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("serving: Expected model.onnx in the version.") and "--forms onnx" in line
