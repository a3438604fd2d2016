"""Where a token to sign with comes from: the surroundings, a file, and for a pod its cluster."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import jwt
import pytest

from deep_mnist.kubernetes_api import KubernetesApi, KubernetesError
from deep_mnist.registry.identity_token import identity_token, service_account_token
from deep_mnist.registry.signature import SignatureError

TOKEN = jwt.encode({"sub": "publisher"}, "a key of this test alone, as long as asked")


def test_the_surroundings_are_asked_for_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SIGSTORE_ID_TOKEN first; without any, one line says where it was looked for."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)
    token = TOKEN
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token)
    assert identity_token("ambient") == token
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    with pytest.raises(SignatureError, match="Received: no SIGSTORE_ID_TOKEN, CI system or cloud"):
        identity_token("ambient")
    with pytest.raises(SignatureError, match="serviceaccount"):
        identity_token("kubernetes")
    (tmp_path / "token").write_text("none")
    with pytest.raises(SignatureError, match="Received: no token"):
        identity_token(str(tmp_path / "token"))


def test_a_pod_asks_its_cluster_for_a_token_of_its_own(tmp_path: Path) -> None:
    """By Kubernetes' TokenRequest, for Sigstore alone and for minutes; where it may not, the account is named."""
    asked: list[tuple[str, dict]] = []
    token = TOKEN

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(201 if len(asked) == 1 else 403)
            self.end_headers()
            self.wfile.write(json.dumps({"status": {"token": token}}).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    account = {"kubernetes.io": {"serviceaccount": {"name": "deep-mnist-runner"}}}
    (tmp_path / "token").write_text(jwt.encode(account, "a key of this test alone, as long as asked"))
    (tmp_path / "namespace").write_text("kubeflow")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        api = KubernetesApi(f"http://127.0.0.1:{server.server_port}", tmp_path)
        received = service_account_token(api)
        with pytest.raises(KubernetesError, match="serviceaccounts/deep-mnist-runner/token"):
            service_account_token(api)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert received == token
    path, body = asked[0]
    assert path == "/api/v1/namespaces/kubeflow/serviceaccounts/deep-mnist-runner/token"
    assert body["spec"] == {"audiences": ["sigstore"], "expirationSeconds": 600}
