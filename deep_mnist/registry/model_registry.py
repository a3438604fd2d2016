"""Tell Kubeflow's Model Registry which versions this registry promoted, over its REST API (v1alpha3).

The pointer in our own registry decides what is served; the Model Registry is a catalogue for people and other tools. So
it is updated after the pointer moved, and a failure is a warning. Every call brings all promoted versions up to date,
found by name first: what one publish failed to register, the next one does, and no repetition registers twice.

    RegisteredModel  <name>                    custom property `champion`: the version that the pointer names
    └── ModelVersion <number>                  accuracy, digests, run, reason
        └── ModelArtifact <name>-<number>      uri of the SavedModel

Its Python client (package model-registry) is not used: it brings an asynchronous HTTP stack for these seven requests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from deep_mnist.registry.pointer import Promotion
from deep_mnist.registry.registry import Registry

TOKEN_VARIABLE = "MODEL_REGISTRY_TOKEN"
TIMEOUT_SECONDS = (5.0, 20.0)
PAGE = 100
MODEL_FORMAT = "savedmodel"


class ModelRegistryError(OSError):
    """The Model Registry could not be updated."""

    fix = "check the Model Registry's address and that it answers"


def register(url: str, registry: Registry) -> list[int]:
    """Register every promoted version that the Model Registry lacks; return their numbers.

    Args:
        url: Where its API is, such as "http://model-registry-service.kubeflow:8080". The environment variable
            MODEL_REGISTRY_TOKEN, when set, is sent as a bearer token.
        registry: What was promoted.

    Raises:
        ModelRegistryError: No response, or one that is no success.
        StorageError: Our own registry cannot be read.
    """
    log = registry.log()
    if not log:
        return []
    with _Api(url) as api:
        model = _model(api, registry)
        known = {version["name"]: version for version in api.pages(f"registered_models/{model['id']}/versions")}
        added = [promotion for promotion in log if str(promotion.version) not in known]
        # An earlier publish may have been cut off between a version and its artifact; only its newest can be.
        newest = max((promotion.version for promotion in log if str(promotion.version) in known), default=0)
        for promotion in log:
            if promotion in added or promotion.version == newest:
                _version(api, registry, model["id"], known.get(str(promotion.version)), promotion)
        _name_champion(api, model, log[-1])
    return [promotion.version for promotion in added]


def _model(api: _Api, registry: Registry) -> Mapping[str, Any]:
    """Return the registered model of this name, made when there is none."""
    found = api.find("registered_model", name=registry.name)
    if found:
        return found
    body = {"name": registry.name, "description": f"Promoted by the Deep MNIST pipeline: {registry.store.url}"}
    return api.create("registered_models", body) or api.require("registered_model", name=registry.name)


def _version(
    api: _Api, registry: Registry, model_id: str, known: Mapping[str, Any] | None, promotion: Promotion
) -> None:
    """Make sure that a version and its artifact are there."""
    name = str(promotion.version)
    found = known
    if found is None:
        body = {
            "name": name,
            "registeredModelId": model_id,
            "description": promotion.facts.reason,
            "customProperties": _properties(promotion),
        }
        found = api.create("model_versions", body)
    found = found or api.require("model_version", name=name, parentResourceId=model_id)
    path, artifact = f"model_versions/{found['id']}/artifacts", f"{registry.name}-{name}"
    if any(each.get("name") == artifact for each in api.pages(path)):
        return
    body = {
        "artifactType": "model-artifact",
        "name": artifact,
        "uri": registry.uri(promotion.version),
        "modelFormatName": MODEL_FORMAT,
    }
    api.create(path, body)


def _name_champion(api: _Api, model: Mapping[str, Any], champion: Promotion) -> None:
    """Note on the registered model which version the pointer names."""
    properties, name = model.get("customProperties") or {}, _text(str(champion.version))
    if properties.get("champion") != name:
        api.update(f"registered_models/{model['id']}", {"customProperties": {**properties, "champion": name}})


def _properties(promotion: Promotion) -> dict[str, dict[str, Any]]:
    texts = {
        "model_digest": promotion.facts.model_digest,
        "data_digest": promotion.facts.data_digest,
        "test_digest": promotion.facts.test_digest,
        "run": promotion.facts.run,
        "promoted": promotion.time,
        "action": promotion.action,
        "restores": str(promotion.restores or ""),
    }
    accuracy = {"metadataType": "MetadataDoubleValue", "double_value": promotion.facts.accuracy}
    return {"accuracy": accuracy, **{name: _text(text) for name, text in texts.items() if text}}


def _text(value: str) -> dict[str, Any]:
    return {"metadataType": "MetadataStringValue", "string_value": value}


class _Api:
    """The requests, with a token, a time limit and three tries for those that change nothing."""

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ModelRegistryError(f"Expected http://host:port of a Model Registry. Received: {url!r}.")
        self.base = f"{url.rstrip('/')}/api/model_registry/v1alpha3"
        self.session = requests.Session()
        retry = Retry(total=2, backoff_factor=0.2, status_forcelist=(502, 503, 504), allowed_methods=("GET",))
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))
        if token := os.environ.get(TOKEN_VARIABLE):
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> _Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def find(self, path: str, **parameters: str) -> Mapping[str, Any] | None:
        """Return the one that matches, None when none does."""
        found: Mapping[str, Any] | None = self._call("GET", path, expected=(200, 404), params=parameters)
        return found

    def require(self, path: str, **parameters: str) -> Mapping[str, Any]:
        """Return the one that matches; somebody else has just made it."""
        found = self.find(path, **parameters)
        if found is None:
            raise ModelRegistryError(f"Expected {self.base}/{path} with {parameters}. Received: none, yet it exists.")
        return found

    def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what was made, None when one of this name exists."""
        made: Mapping[str, Any] | None = self._call("POST", path, expected=(200, 201, 409), json=body)
        return made

    def update(self, path: str, body: Mapping[str, Any]) -> None:
        self._call("PATCH", path, expected=(200,), json=body)

    def pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield every item of a list."""
        token = ""
        while True:
            page = (
                self._call("GET", path, expected=(200,), params={"pageSize": str(PAGE), "nextPageToken": token}) or {}
            )
            yield from page.get("items") or ()
            token = page.get("nextPageToken") or ""
            if not token:
                return

    def _call(self, method: str, path: str, *, expected: tuple[int, ...], **arguments: Any) -> Any:
        url = f"{self.base}/{path}"
        try:
            response = self.session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **arguments)
            if response.status_code not in expected:
                raise ModelRegistryError(
                    f"Expected HTTP {expected[0]} from {method} {url}. Received: HTTP {response.status_code}: "
                    f"{response.text[:300]}"
                )
            return response.json() if response.status_code in (200, 201) else None
        except (requests.RequestException, ValueError) as error:
            raise ModelRegistryError(f"Expected a response to {method} {url}. Received: {error}") from error
