"""The V1 protocol as TensorFlow Serving speaks it, over HTTP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.serving import NAME, RunningServer

Digits = tuple[np.ndarray, np.ndarray]


def test_golden_requests_are_predicted_as_when_they_were_published(served: RunningServer, versions: Path) -> None:
    """Every golden request of the version, in both formats and both signatures, within 1e-5."""
    golden = np.load(versions / "strong" / "golden_requests.npz", allow_pickle=False)
    requests = (
        {"instances": golden["images"].tolist()},
        {"instances": [{"images": image} for image in golden["images"].tolist()]},
        {"instances": golden["images"][..., np.newaxis].tolist()},
        {"inputs": golden["images"].tolist()},
        {"inputs": {"images": golden["images"].tolist()}, "signature_name": "serving_default"},
        {"inputs": golden["fed"].tolist(), "signature_name": "network"},
    )
    for request in requests:
        document = served.post(request).json()
        if "instances" in request:
            rows = document["predictions"]
            columns = {name: [row[name] for row in rows] for name in rows[0]}
        else:
            columns = document["outputs"]
        assert set(columns) == {"class", "probabilities", "outputs"}
        assert columns["class"] == golden["probabilities"].argmax(axis=1).tolist()
        np.testing.assert_allclose(columns["probabilities"], golden["probabilities"], atol=1e-5)


def test_a_single_example_and_curls_content_type(served: RunningServer, digits: Digits) -> None:
    """curl -d, as TensorFlow Serving's guide has it, sends a form's content type."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = served.post({"instances": digits[0][:1].tolist()}, headers=form)

    assert response.status_code == 200 and len(response.json()["predictions"]) == 1
    assert response.headers["x-model-version"] == "1"


def test_status_and_metadata(served: RunningServer) -> None:
    """A version that is served is AVAILABLE; the metadata are those of the export."""
    available = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in (f"v1/models/{NAME}", f"v1/models/{NAME}/versions/1"):
        assert served.get(path).json() == {"model_version_status": [available]}
    assert served.get("v1/models").json() == {"models": [NAME]}
    document = served.get(f"v1/models/{NAME}/metadata").json()
    signature = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert document["model_spec"] == {"name": NAME, "signature_name": "", "version": "1"}
    assert signature["inputs"]["images"]["dtype"] == "DT_UINT8"
    assert signature["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    "path", ["v1/models/other", "v1/models/other:predict", f"v1/models/{NAME}/versions/9", "v2/models", "v3", "drift/x"]
)
def test_what_does_not_exist_is_not_found(served: RunningServer, path: str) -> None:
    """Another model, version or path: 404 with the three parts of an error."""
    response = served.post({"instances": [1]}, path) if ":" in path else served.get(path)
    assert response.status_code == 404
    assert {"error", "expected", "received", "fix"} <= set(response.json())


def test_predictions_are_asked_for_by_post(served: RunningServer) -> None:
    """GET gets 405, and is told what to send."""
    response = served.get(f"v1/models/{NAME}:predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "POST" in response.json()["fix"]


def test_a_version_is_asked_for_by_number(served: RunningServer, digits: Digits) -> None:
    """/versions/1:predict answers, another number is not found."""
    body = {"instances": digits[0][:2].tolist()}
    assert served.post(body, f"v1/models/{NAME}/versions/1:predict").status_code == 200
    assert served.post(body, f"v1/models/{NAME}/versions/2:predict").status_code == 404


def test_health_and_the_champion(served: RunningServer) -> None:
    """Live, ready, and what the page says of the champion."""
    assert served.get("v2/health/live").json() == {"live": True}
    assert served.get("v2/health/ready").json() == {"ready": True}
    facts = served.get("champion.json").json()
    assert (facts["name"], facts["version"], facts["accuracy"]) == (NAME, 1, 0.9)
    taken = {"shape": [28, 28], "dtype": "uint8", "raw": True}
    assert facts["input"] == taken | {"kind": "images", "range": [0, 255]}
    assert facts["classes"][7] == "digit 7" and facts["surveyed"] is True
    assert served.get("card").text == "# The card of strong\n"
    assert "version 1" in served.get("").text


def test_more_examples_than_a_batch(served: RunningServer, digits: Digits) -> None:
    """1,100 examples go to the network in batches: the predictions are those of single requests, in order."""
    images = np.concatenate([digits[0]] * 6)[:1100]
    classes = served.classes(images)
    assert classes == (served.classes(digits[0]) * 6)[:1100]
