"""A stand-in for Kubeflow's Model Registry, over HTTP: the part of its API (v1alpha3) that is used here.

It behaves as kubeflow/model-registry does at bd07139a (the comments name its files and lines): names are unique, within
their parent where there is one; a second of a name is 409; unknown fields of a body are refused; lists come in pages.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BASE = "/api/model_registry/v1alpha3"
# api/openapi/model-registry.yaml, components.schemas: RegisteredModelCreate, ModelVersionCreate, ModelArtifact.
RESOURCE = {"name", "description", "externalId", "customProperties"}
FIELDS = {
    "registered_models": RESOURCE | {"owner", "state", "readme", "tasks", "provider", "logo", "license", "maturity"},
    "model_versions": RESOURCE | {"author", "state", "registeredModelId"},
    "artifacts": RESOURCE | {"id", "artifactType", "uri", "state", "modelFormatName", "modelFormatVersion"},
}
METADATA = {"MetadataStringValue": "string_value", "MetadataDoubleValue": "double_value"}
Fault = Callable[[str, str], int]


class ModelRegistryServer(ThreadingHTTPServer):
    """Holds what was registered.

    Attributes:
        fault: Of method and path: an HTTP status to answer instead, 0 for none.
        seen: (method, path) of every request.
        token: What an Authorization header must carry, "" for anything.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in FIELDS}
        self.fault: Fault = lambda _method, _path: 0
        self.seen: list[tuple[str, str]] = []
        self.token = ""
        self.lock = threading.Lock()
        self.page_limit = 2  # small, so that every list has several pages

    def names(self, table: str) -> list[str]:
        return [each["name"] for each in self.tables[table]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    server: ModelRegistryServer

    def _handle(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self.server.lock:
            self.server.seen.append((self.command, parts.path.removeprefix(BASE)))
            status, response = self._route(parts.path.removeprefix(BASE), query, body)
        content = json.dumps(response).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _handle

    def _route(self, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if fault := self.server.fault(self.command, path):
            return fault, {"code": "", "message": "injected"}
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return 401, {"code": "", "message": "unauthorized"}
        routes: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
            ("GET", r"/registered_model", lambda: self._find("registered_models", query)),
            ("GET", r"/model_version", lambda: self._find("model_versions", query)),
            ("POST", r"/registered_models", lambda: self._create("registered_models", body)),
            ("PATCH", r"/registered_models/(\d+)", lambda key: self._update(key, body)),
            ("GET", r"/registered_models/(\d+)/versions", lambda key: self._list("model_versions", key, query)),
            ("POST", r"/model_versions", lambda: self._create("model_versions", body, body.get("registeredModelId"))),
            ("GET", r"/model_versions/(\d+)/artifacts", lambda key: self._list("artifacts", key, query)),
            ("POST", r"/model_versions/(\d+)/artifacts", lambda key: self._create("artifacts", body, key)),
        ]
        for method, pattern, handle in routes:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                return handle(*found.groups())
        return 404, {"code": "", "message": f"no route {self.command} {path}"}

    def _find(self, table: str, query: dict[str, str]) -> tuple[int, Any]:
        # internal/core/registered_model.go:122 and model_version.go:170: none is "not found", HTTP 404.
        # internal/core/model_version.go:147: a version's name without its parent is a bad request.
        if "name" not in query or (table == "model_versions" and "parentResourceId" not in query):
            return 400, {"code": "", "message": "invalid parameters call"}
        parent = query.get("parentResourceId")
        for each in self.server.tables[table]:
            if each["name"] == query["name"] and each["parent"] == parent:
                return 200, _shown(each)
        return 404, {"code": "", "message": f"no {table} found"}

    def _create(self, table: str, body: dict[str, Any], parent: str | None = None) -> tuple[int, Any]:
        # internal/server/openapi/api_model_registry_service.go:838: DisallowUnknownFields.
        if set(body) - FIELDS[table] or not body.get("name") or not _valid_properties(body):
            return 400, {"code": "", "message": f"unknown field or bad value in {sorted(body)}"}
        rows = self.server.tables[table]
        # internal/core/registered_model.go:47, model_version.go:53, artifact.go:104: a duplicate is a conflict, which
        # internal/platform/errors/errors.go:22 makes HTTP 409. Names count within their parent:
        # internal/converter/openapi_converter_util.go:59 puts its id in front.
        if any((each["name"], each["parent"]) == (body["name"], parent) for each in rows):
            return 409, {"code": "", "message": f"{table} with name {body['name']} already exists"}
        row = {**body, "id": str(1 + sum(map(len, self.server.tables.values()))), "parent": parent}
        rows.append(row)
        return 201, _shown(row)

    def _update(self, key: str, body: dict[str, Any]) -> tuple[int, Any]:
        if set(body) - (FIELDS["registered_models"] - {"name"}) or not _valid_properties(body):
            return 400, {"code": "", "message": "unknown field"}
        for row in self.server.tables["registered_models"]:
            if row["id"] == key:
                row.update(body)  # internal/core/registered_model.go:33: custom properties are replaced as a whole
                return 200, _shown(row)
        return 404, {"code": "", "message": "no registered model found"}

    def _list(self, table: str, parent: str, query: dict[str, str]) -> tuple[int, Any]:
        rows = [_shown(each) for each in self.server.tables[table] if each["parent"] == parent]
        size = min(int(query.get("pageSize") or 100), self.server.page_limit)
        start = int(query.get("nextPageToken") or 0)
        more = str(start + size) if start + size < len(rows) else ""
        items = rows[start : start + size]
        return 200, {"items": items, "nextPageToken": more, "pageSize": size, "size": len(items)}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "parent"}


def _valid_properties(body: dict[str, Any]) -> bool:
    """Say whether each custom property is of a known kind: exactly its type and its value."""
    return all(
        set(value) == {"metadataType", METADATA.get(value.get("metadataType", ""), "?")}
        for value in (body.get("customProperties") or {}).values()
    )


@contextmanager
def model_registry_server() -> Iterator[ModelRegistryServer]:
    """Run one and yield it."""
    with ModelRegistryServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
