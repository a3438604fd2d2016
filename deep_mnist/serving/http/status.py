"""TensorFlow Serving's answers about a model: its versions' states, its signatures."""

from __future__ import annotations

from typing import Any

from deep_mnist.serving.model.champion import ChampionState
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.requests.error_response import RequestError


def model_status(state: ChampionState, name: str, version: str = "") -> dict[str, Any]:
    """Return the states of the version that is served and of one that the pointer names but that cannot be.

    Raises:
        RequestError: The requested version is neither.
    """
    found = []
    if state.broken:
        found.append(_status(state.broken.promotion.version, "END", "FAILED_PRECONDITION", state.broken.error))
    if state.model:
        found.append(_status(state.model.version, "AVAILABLE", "OK", ""))
    if version:
        found = [each for each in found if each["version"] == version]
    if not found:
        received = f"version {version[:20]}" if version else "none loaded so far"
        raise RequestError(404, "request", f"a version of {name} that is served", received, "leave it out")
    return {"model_version_status": found}


def _status(version: int, state: str, code: str, message: str) -> dict[str, Any]:
    return {"version": str(version), "state": state, "status": {"error_code": code, "error_message": message}}


def metadata_of(model: ServedModel) -> dict[str, Any]:
    """Return the signatures in TensorFlow Serving's form."""
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": str(model.version)},
        "metadata": {"signature_def": {"signature_def": model.form.metadata}},
    }
