"""The OpenAPI document says what the server does: every path, every status, every body, whatever is sent."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.routing import Route

from deep_mnist.serving.http.app import create_app
from tests.support.serving import NAME, RunningServer

EXAMPLES = 5  # of each of nineteen operations, beside those that cover its parameters one by one
PAGES = {"/", "/card", "/drift", "/static/{name}", "/example/{number}", "/heat"}


def test_every_path_of_the_protocols_is_described(served: RunningServer) -> None:
    """The document and the routes name the same paths; pages for people are none of its business."""
    routes = {route.path for route in create_app(served.champion).routes if isinstance(route, Route)}

    assert set(served.get("openapi.json").json()["paths"]) == routes - PAGES


@pytest.mark.parametrize("path", ["/v1/models/{name}:predict", "/v2/models/{name}/infer"])
def test_the_documents_own_examples_are_predicted(served: RunningServer, path: str) -> None:
    """A newcomer who sends what the document shows gets predictions."""
    described = served.get("openapi.json").json()["paths"][path]["post"]
    body = described["requestBody"]["content"]["application/json"]["example"]
    assert served.post(body, path.format(name=NAME).removeprefix("/")).status_code == 200


@pytest.mark.slow
def test_whatever_is_drawn_from_the_document_is_answered_as_it_says(served: RunningServer, tmp_path: Path) -> None:
    """schemathesis sends what the document allows and forbids: status, content type and body are as described.

    That all it allows is accepted is not asked: a network's own shape and range are for request validation.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"]
    command += ["--max-examples", str(EXAMPLES), "--generation-deterministic", "--phases", "examples,coverage,fuzzing"]
    command += ["--exclude-checks", "positive_data_acceptance", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=900)

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    (counted,) = re.findall(r"(\d+) generated, (\d+) passed", done.stdout)
    assert counted[0] == counted[1] and int(counted[0]) > 300
