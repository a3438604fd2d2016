"""The few calls of the Kubernetes API that a step makes, with the service account of its own pod."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_SECONDS = 30.0


class KubernetesError(RuntimeError):
    """The API server refused, or did not answer.

    Attributes:
        status: HTTP status, 0 without an answer.
    """

    fix = "check the cluster, and the rights of the run's service account (docs/cluster.md)"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class KubernetesApi:
    """The API server of the cluster that this pod runs in.

    Attributes:
        namespace: Of this pod.
    """

    def __init__(self, address: str = "", account: Path = ACCOUNT) -> None:
        """Read where it is and who asks.

        Args:
            address: https://host:port; "" for the one in the pod's environment.
            account: Folder with token, ca.crt and namespace.
        """
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        self._address = address or f"https://{f'[{host}]' if ':' in host else host}:{port}"
        self._account = account
        self.namespace = (account / "namespace").read_text().strip()

    def service_account(self) -> str:
        """Return the name of the service account that asks, as its token says."""
        payload = (self._account / "token").read_text().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["kubernetes.io"]["serviceaccount"]["name"])

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Return the JSON that a request gives.

        Raises:
            KubernetesError: It was refused; `status` says how.
        """
        return json.loads(self.text(method, path, body, **query))

    def text(self, method: str, path: str, body: Any = None, **query: str) -> str:
        """Return the text that a request gives, as of a pod's log; the errors are those of `call`."""
        url = f"{self._address}{path}{f'?{urllib.parse.urlencode(query)}' if query else ''}"
        request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
        # The token is renewed in its file while the pod lives.
        request.add_header("Authorization", f"Bearer {(self._account / 'token').read_text().strip()}")
        request.add_header("Content-Type", "application/json")
        trust = self._account / "ca.crt"
        context = ssl.create_default_context(cafile=str(trust)) if trust.exists() else None
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
                return str(answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise KubernetesError(
                f"Expected {method} {path} to be granted. Received: {error.code} {said}", error.code
            ) from error
        except OSError as error:
            raise KubernetesError(
                f"Expected an answer of the API server to {method} {path}. Received: {error}"
            ) from error
