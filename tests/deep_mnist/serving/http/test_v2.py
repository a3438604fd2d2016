"""The Open Inference Protocol, spoken by Triton's own client and in plain JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from tests.support.serving import NAME, RunningServer

Digits = tuple[np.ndarray, np.ndarray]
INFER = f"v2/models/{NAME}/infer"


@pytest.fixture(scope="module")
def client(served: RunningServer) -> Iterator[triton.InferenceServerClient]:
    """Triton's client of the shared server."""
    with triton.InferenceServerClient(served.url.removeprefix("http://"), network_timeout=60) as made:
        yield made


def tensor(values: np.ndarray, *, binary: bool, datatype: str = "UINT8", name: str = "images") -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def document(values: np.ndarray, **more: Any) -> dict[str, Any]:
    """Return a request in JSON."""
    described = {"name": "images", "shape": list(values.shape), "datatype": "UINT8", "data": values.ravel().tolist()}
    return {"inputs": [described], **more}


def test_tritons_client_finds_the_server_and_the_model(client: triton.InferenceServerClient) -> None:
    """Live, ready, the server's extensions, and metadata with the contract in its parameters."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(NAME) and client.is_model_ready(NAME, "1") and not client.is_model_ready(NAME, "2")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    found = client.get_model_metadata(NAME)
    assert (found["name"], found["versions"]) == (NAME, ["1"])
    assert found["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert {each["name"]: (each["datatype"], each["shape"]) for each in found["outputs"]} == {
        "class": ("INT64", [-1]),
        "outputs": ("FP32", [-1, 10]),
        "probabilities": ("FP32", [-1, 10]),
    }
    contract = found["parameters"]
    assert (contract["low"], contract["high"], contract["raw"]) == (0, 255, True)
    assert json.loads(contract["classes"])[7] == "digit 7" and len(contract["preprocessing_sha256"]) == 64


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False])
def test_golden_requests_through_tritons_client(
    client: triton.InferenceServerClient, versions: Path, binary_input: bool, binary_output: bool
) -> None:
    """Every golden request of the version, in JSON and in binary, within 1e-5; the outputs that were asked for only."""
    golden = np.load(versions / "strong" / "golden_requests.npz", allow_pickle=False)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_output) for name in ("probabilities", "class")]
    sent = tensor(golden["images"], binary=binary_input)
    result = client.infer(NAME, [sent], outputs=outputs, request_id="seven", model_version="1")

    np.testing.assert_allclose(result.as_numpy("probabilities"), golden["probabilities"], atol=1e-5)
    assert result.as_numpy("class").tolist() == golden["probabilities"].argmax(axis=1).tolist()
    assert result.get_response()["id"] == "seven" and result.as_numpy("outputs") is None


def test_the_other_signature_and_warnings_are_parameters(client: triton.InferenceServerClient, versions: Path) -> None:
    """What the network takes goes in by its signature's name; inverted images are warned of as JSON text."""
    golden = np.load(versions / "strong" / "golden_requests.npz", allow_pickle=False)
    fed = golden["fed"].astype(np.float32)
    sent = tensor(fed, binary=True, datatype="FP32")
    if golden["fed"].dtype == np.uint8:
        sent = tensor(golden["fed"], binary=True)
    result = client.infer(NAME, [sent], parameters={"signature_name": "network"})
    np.testing.assert_allclose(result.as_numpy("probabilities"), golden["probabilities"], atol=1e-5)

    warned = client.infer(NAME, [tensor(255 - golden["images"], binary=True)]).get_response()
    (warning,) = json.loads(warned["parameters"]["warnings"])
    assert (warning["check"], warning["fix"]) == ("polarity", "x = 255 - x")


def test_nested_and_flat_lists_and_other_datatypes_are_one(served: RunningServer, digits: Digits) -> None:
    """Data nested as its shape says, with a channel axis, or as INT64, gives the classes of V1."""
    images = digits[0][:3]
    nested = document(images)
    nested["inputs"][0]["data"] = images.tolist()
    wide = document(images)
    wide["inputs"][0]["datatype"] = "INT64"
    for sent in (document(images), nested, wide, document(images[..., np.newaxis])):
        answered = served.post(sent, INFER)
        assert answered.status_code == 200, answered.text
        found = {each["name"]: each["data"] for each in answered.json()["outputs"]}
        assert found["class"] == served.classes(images)
        assert len(found["probabilities"]) == 30


def with_tensor(**changes: Any) -> dict[str, Any]:
    made = document(np.zeros((1, 28, 28), np.uint8))
    made["inputs"][0] |= changes
    return made


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (with_tensor(shape=[2, 28, 28]), "request"),
        (with_tensor(shape=[784]), "images.rank"),
        (with_tensor(shape=[1, 14, 56]), "images.shape"),
        (with_tensor(shape=[1, 28, -28]), "request"),
        (with_tensor(shape=[2**40] * 3), "request"),
        (with_tensor(data=[0.5] * 784), "images.dtype"),
        (with_tensor(data=[True] * 784), "images.dtype"),
        (with_tensor(data=[0] * 783 + [True]), "images.dtype"),
        (with_tensor(data=[256] * 784), "images.range"),
        (with_tensor(data=[[[0] * 28] * 27 + [[0] * 27]]), "images.shape"),
        (with_tensor(data=[[[0] * 28] * 14] * 2), "request"),
        (with_tensor(data="AAAA"), "request"),
        (with_tensor(datatype="BYTES"), "images.dtype"),
        (with_tensor(datatype="uint8"), "request"),
        (with_tensor(name="pixels"), "request"),
        (with_tensor(name=7), "request"),
        (with_tensor(parameters={"binary_data_size": 784}), "request"),
        ({"inputs": []}, "request"),
        ({"inputs": [7]}, "request"),
        ({"inputs": {}}, "request"),
        ({"instances": []}, "request"),
        ({**with_tensor(), "outputs": [{"name": "logits"}]}, "request"),
        ({**with_tensor(), "outputs": ["class"]}, "request"),
        ({**with_tensor(), "outputs": [{"name": "class", "parameters": {"classification": 2}}]}, "request"),
        ({**with_tensor(), "parameters": {"signature_name": "other"}}, "request"),
        ({**with_tensor(), "id": 7}, "request"),
        ([], "request"),
        (b'{"inputs": [{"name": "images", "name": "images"}]}', "request"),
        (b'{"inputs": [{"name": "images", "shape": [1], "datatype": "FP32", "data": [NaN]}]}', "request"),
    ],
)
def test_what_is_no_inference_request_is_refused(served: RunningServer, body: Any, field: str) -> None:
    """400 with `error`, as the protocol has it, and what was expected, received, and the fix inside."""
    refused = served.post(body, INFER)
    told = refused.json()
    assert (refused.status_code, told["field"]) == (400, field), told
    assert told["error"] == f"Expected {told['expected']}. Received: {told['received']}. Fix: {told['fix']}"


@pytest.mark.parametrize(
    ("length", "bytes_sent", "size"),
    [("x", 784, 784), ("999999", 784, 784), (None, 783, 784), (None, 783, 783), (None, 0, 784), (None, 1568, 784)],
)
def test_bytes_that_contradict_their_description_are_refused(
    served: RunningServer, length: str | None, bytes_sent: int, size: int
) -> None:
    """The JSON's length, the tensor's size and the bytes that come must agree."""
    described = with_tensor(parameters={"binary_data_size": size})
    described["inputs"][0].pop("data")
    head = json.dumps(described).encode()
    headers = {"inference-header-content-length": length or str(len(head)), "content-type": "application/octet-stream"}
    refused = served.post(head + bytes(bytes_sent), INFER, headers=headers)
    assert refused.status_code == 400 and refused.json()["fix"], refused.text


def test_tritons_client_tells_the_fix(client: triton.InferenceServerClient) -> None:
    """What the client raises holds the whole sentence."""
    with pytest.raises(triton.InferenceServerException, match=r"Fix: x = x\[np.newaxis\]"):
        client.infer(NAME, [tensor(np.zeros((28, 28), np.uint8), binary=True)])
    with pytest.raises(triton.InferenceServerException, match="Expected the model 'digits'"):
        client.infer("other", [tensor(np.zeros((1, 28, 28), np.uint8), binary=True)])
