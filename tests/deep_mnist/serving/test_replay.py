"""The golden requests of a version, replayed on servers of the V1 protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deep_mnist.registry.registry import Registry
from deep_mnist.serving.replay import main
from tests.support.serving import NAME, RunningServer, promote, running_server


def test_the_same_predictions_as_when_it_was_published(
    served: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0 and the largest difference."""
    registry = str(served.champion.registry.store.url)
    assert main([registry, served.url, "--model-name", NAME]) == 0
    assert "256 golden requests, largest difference" in capsys.readouterr().out


def test_another_model_behind_the_server_is_found(
    versions: Path, tmp_path: Path, served: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server of `weak` beside a registry whose champion is `strong`."""
    registry = Registry(str(tmp_path / "registry"), NAME)
    promote(registry, versions / "weak")
    with running_server(registry, tmp_path / "cache") as weak:
        assert main([served.champion.registry.store.url, weak.url, "--model-name", NAME]) == 1
    assert "another class for 0" not in capsys.readouterr().out


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "no address"])
def test_no_server_is_told_in_one_line(served: RunningServer, capsys: pytest.CaptureFixture[str], address: str) -> None:
    """Exit status 2."""
    assert main([served.champion.registry.store.url, address, "--model-name", NAME]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_export_predicts_alike_in_a_session(served: RunningServer, versions: Path) -> None:
    """TensorFlow Serving runs an export in a session, by the names of its signature: the same predictions."""
    import tensorflow as tf

    golden = np.load(versions / "strong" / "golden_requests.npz", allow_pickle=False)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(versions / "strong"))
        signature = graph.signature_def["serving_default"]
        outputs = {name: each.name for name, each in signature.outputs.items()}
        in_session = session.run(outputs, {signature.inputs["images"].name: golden["images"]})
    by_server = served.post({"inputs": golden["images"].tolist()}).json()["outputs"]

    assert set(by_server) == set(in_session)
    assert by_server["class"] == in_session["class"].tolist()
    np.testing.assert_allclose(by_server["probabilities"], in_session["probabilities"], atol=1e-6)
