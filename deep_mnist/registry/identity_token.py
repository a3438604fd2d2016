"""The OIDC token that says who signs: given, in a file, or of the surroundings; a pod asks its cluster for one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from deep_mnist.kubernetes_api import ACCOUNT, KubernetesApi, KubernetesError
from deep_mnist.registry.signature import SignatureError, package

AMBIENT, KUBERNETES, AUDIENCE = "ambient", "kubernetes", "sigstore"
SECONDS = 600  # the shortest life that a cluster gives a token
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def identity_token(source: str) -> str:
    """Return a token.

    Args:
        source: The token itself; the path of a file with it, as Kubernetes projects and renews it; "kubernetes" for one
            of the pod's service account; or "ambient": SIGSTORE_ID_TOKEN, that of a CI system or cloud that sigstore
            knows, or else of the pod.

    Raises:
        SignatureError: There is none.
    """
    if _JWT.fullmatch(source):
        return source
    if source in (AMBIENT, KUBERNETES):
        return _ambient(pod_only=source == KUBERNETES)
    try:
        token = Path(source).read_text().strip()
    except (OSError, ValueError) as error:
        raise _missing(source, getattr(error, "strerror", None) or str(error)) from None
    if not _JWT.fullmatch(token):
        raise _missing(source, "no token")
    return token


def _ambient(*, pod_only: bool) -> str:
    package()  # says what is missing; it brings sigstore
    from sigstore.oidc import IdentityError, detect_credential

    given = "" if pod_only else os.environ.get("SIGSTORE_ID_TOKEN", "").strip()
    try:
        if token := given or (None if pod_only else detect_credential(AUDIENCE)):
            return token
        if pod_only or (ACCOUNT / "token").is_file():
            return service_account_token(KubernetesApi())
    except (IdentityError, KubernetesError, OSError) as error:
        raise _missing("the surroundings", str(error)) from None
    raise _missing(
        "the surroundings", "no SIGSTORE_ID_TOKEN, CI system or cloud that sigstore knows, nor a pod's service account"
    )


def service_account_token(api: KubernetesApi) -> str:
    """Return a token of the pod's service account for Sigstore, by Kubernetes' TokenRequest.

    Raises:
        KubernetesError: It was refused: the account may not create its own serviceaccounts/token.
    """
    name = api.service_account()
    spec = {"audiences": [AUDIENCE], "expirationSeconds": SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer: Any = api.call("POST", f"/api/v1/namespaces/{api.namespace}/serviceaccounts/{name}/token", body)
    return str(answer["status"]["token"])


def _missing(where: str, received: str) -> SignatureError:
    return SignatureError(
        f"Expected an OIDC token to sign with in {where}. Received: {received}. "
        "Fix: --identity-token FILE, or DEEP_MNIST_IDENTITY_TOKEN; docs/signing.md"
    )
