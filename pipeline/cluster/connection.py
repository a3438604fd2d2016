"""A connection to a Kubeflow Pipelines API: every call has a timeout, every failure a sentence that helps.

It speaks through `kfp_server_api`, the client generated from the API's own definition; `kfp.Client` has no default
timeout, and blocks indefinitely on a host that does not answer.

Errors (exit status 2):
    ClusterError                 the API refused or cannot be used
    └── ClusterUnreachableError  no response, or none of the kind expected
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

PORT_FORWARD = "kubectl -n kubeflow port-forward svc/ml-pipeline 8888:8888"
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")  # where KFP's documentation projects it
SDK = "2.17"
F = TypeVar("F", bound=Callable[..., Any])


_OPTIONS = (
    click.option("--host", envvar="KF_PIPELINES_ENDPOINT", help="The API's address, e.g. http://localhost:8888."),
    click.option("--namespace", default="", envvar="KF_PIPELINES_NAMESPACE", help="Needed on a multi-user install."),
    click.option(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A file with a bearer token, read anew for each call; else $KF_PIPELINES_TOKEN, else the token that "
        "Kubernetes projects for the pod's service account.",
    ),
    click.option("--ca-cert", type=click.Path(exists=True, dir_okay=False), help="Certificates (PEM) to trust."),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=30.0,
        show_default=True,
        help="Seconds to wait for each response.",
    ),
    click.option("--allow-version-skew", is_flag=True, help="Go on with a server that is not of the SDK's version."),
)


class ClusterError(click.ClickException):
    """The API refused, or cannot be used."""

    fix = "check the address, the namespace and your rights"

    exit_code = 2
    status = 0  # HTTP's, where the API refused


class ClusterUnreachableError(ClusterError):
    """No response, or not one of a Kubeflow Pipelines API."""

    fix = "check the address and the network"


def connection_options(command: F) -> F:
    """Add the options that every command which talks to a cluster takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connect(options: Mapping[str, Any]) -> Connection:
    """Return the connection that a command's options describe."""
    names = ("namespace", "token_file", "ca_cert", "timeout", "allow_version_skew")
    return Connection(options["host"], **{name: options[name] for name in names})


def found_or_made(find: Callable[[], str], make: Callable[[], str]) -> str:
    """Return an id, of what is made where there is none: another command may make it at the same moment.

    Raises:
        ClusterError: It cannot be made, and is not there.
    """
    if found := find():
        return found
    try:
        return make()
    except ClusterError:
        if found := find():
            return found
        raise


class Connection:
    """The services of one API, called through `call`.

    Attributes:
        host: Address without a slash at the end.
        namespace: Of the user; "" on a single-user install.
        multi_user: What the server says it is.
        version: The server's version, "" when it does not say.
    """

    def __init__(
        self,
        host: str | None,
        *,
        namespace: str = "",
        token_file: Path | None = None,
        ca_cert: str | None = None,
        timeout: float = 30.0,
        allow_version_skew: bool = False,
    ) -> None:
        import kfp_server_api as api

        self.host = _checked_host(host)
        self.namespace = namespace
        self.timeout = timeout
        self._token = _token_source(token_file)
        client = api.ApiClient(self._configuration(ca_cert))
        self.experiments = api.ExperimentServiceApi(client)
        self.runs = api.RunServiceApi(client)
        self.pipelines = api.PipelineServiceApi(client)
        self.uploads = api.PipelineUploadServiceApi(client)
        self.recurring = api.RecurringRunServiceApi(client)
        self._client = client
        health = self._health()
        self.multi_user = bool(health.get("multi_user"))
        self.version = str(health.get("tag_name", "")).removeprefix("v")
        self._check(allow_version_skew)

    def call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call one method of a service, or raise a ClusterError."""
        import kfp_server_api as api
        import urllib3

        if expired := self._expired():
            raise ClusterError(
                f"Expected a token that is valid now. Received: one that expired at {expired}. Fix: Get a new one."
            )
        try:
            return method(*arguments, _request_timeout=(min(10.0, self.timeout), self.timeout), **options)
        except api.ApiException as error:
            raise self._refused(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        except (ValueError, AttributeError, TypeError) as error:  # what the generated code makes of an HTML page
            raise ClusterUnreachableError(
                f"Expected JSON from {self.host}. Received: {_short(str(error))}. Fix: {_LOGIN}"
            ) from error

    def get_text(self, path: str) -> str:
        """Return the body of a GET that the generated client does not know."""
        response = self.call(
            self._client.call_api,
            path,
            "GET",
            auth_settings=["Bearer"],
            _preload_content=False,
            _return_http_data_only=True,
        )
        return response.data.decode(errors="replace")

    def _configuration(self, ca_cert: str | None) -> Any:
        import kfp_server_api as api
        import urllib3

        configuration = api.Configuration(host=self.host)
        configuration.ssl_ca_cert = ca_cert or os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        # A repeated POST could start a second run: only a connection that was never made is tried again.
        configuration.retries = urllib3.Retry(
            total=2, connect=2, read=0, status=0, redirect=0, other=0, backoff_factor=0.2
        )
        configuration.api_key_prefix["authorization"] = "Bearer"

        def refresh(current: Any) -> None:
            if token := self._token():
                current.api_key["authorization"] = token

        refresh(configuration)
        configuration.refresh_api_key_hook = refresh
        return configuration

    def _health(self) -> dict[str, Any]:
        text = self.get_text("/apis/v2beta1/healthz")
        try:
            health = json.loads(text)
        except ValueError:
            health = None
        if not isinstance(health, dict):
            raise ClusterUnreachableError(
                f"Expected a Kubeflow Pipelines API at {self.host}. Received: {_short(text)!r}. Fix: {_LOGIN}"
            )
        return health

    def _check(self, allow_version_skew: bool) -> None:
        if self.multi_user and not self.namespace:
            raise ClusterError(
                f"Expected a namespace: {self.host} serves several users. Received: none. "
                "Fix: Name yours with --namespace."
            )
        if self.namespace and not self.multi_user:
            click.echo(f"Note: {self.host} is a single-user install; it runs all in its own namespace.", err=True)
        known = self.version[:1].isdecimal()
        if known and self.version.split(".")[:2] != SDK.split(".") and not allow_version_skew:
            raise ClusterError(
                f"Expected a server of version {SDK}, as the SDK that compiled the pipeline. Received: {self.version}. "
                "Fix: Upgrade the older of the two, or say --allow-version-skew."
            )

    def _expired(self) -> str:
        """Return when a JSON Web Token has expired, "" if it has not or is of another kind."""
        parts = (self._token() or "").split(".")
        try:
            end = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))["exp"]
            return datetime.fromtimestamp(end, UTC).isoformat() if end < time.time() else ""
        except (IndexError, ValueError, KeyError, TypeError):
            return ""

    def _refused(self, error: Any) -> ClusterError:
        said = _message(error.body) or error.reason
        if error.status in _AWAY:
            return ClusterUnreachableError(
                f"Expected {self.host} to be ready. Received: HTTP {error.status}: {_short(said)}. "
                "Fix: Try again shortly."
            )
        where = f"namespace {self.namespace!r}" if self.namespace else "this install"
        expected = {
            401: "a valid token. Get a new one and give it with --token-file (they expire)",
            403: f"an account that may work in {where}. Check the namespace's name and your role in it; "
            "an expired token may be the cause as well",
            404: "what was requested to exist there",
        }.get(error.status, f"{self.host} to accept the request")
        refused = ClusterError(f"Expected {expected}. Received: HTTP {error.status}: {_short(said)}")
        refused.status = error.status
        return refused

    def _unreachable(self, error: Exception) -> ClusterUnreachableError:
        reason = getattr(error, "reason", None) or error
        text = _short(str(reason))
        if "certificate" in text.lower():
            fix = "Name the authority's certificate with --ca-cert."
        elif "redirect" in text:
            fix = _LOGIN
        elif "timed out" in text.lower():
            fix = f"It did not answer within {self.timeout:g} s: check the address, or raise --timeout."
        else:
            fix = f"Check the address; for a cluster of your own: {PORT_FORWARD}"
        return ClusterUnreachableError(
            f"Expected a Kubeflow Pipelines API at {self.host}. Received: {text}. Fix: {fix}"
        )


_AWAY = (502, 503, 504)
_LOGIN = "That may be a login page: give a token with --token-file, and the API's own address with --host."


def _checked_host(host: str | None) -> str:
    if not host:
        raise ClusterError(
            f"Expected the API's address. Received: none. Fix: Give --host or set KF_PIPELINES_ENDPOINT; "
            f"for a cluster of your own: {PORT_FORWARD}, then --host http://localhost:8888"
        )
    if not host.startswith(("http://", "https://")):
        raise ClusterError(f"Expected an address that starts with http:// or https://. Received: {host!r}.")
    return host.rstrip("/")


def _token_source(token_file: Path | None) -> Callable[[], str]:
    """Return a function that reads the token: projected tokens are renewed while a run is watched."""
    if token_file and not token_file.is_file():
        raise ClusterError(f"Expected a token in {token_file}. Received: no such file.")
    token = os.environ.get("KF_PIPELINES_TOKEN", "")
    projected = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", SERVICE_ACCOUNT_TOKEN))
    if token_file is None and not token and projected.is_file():
        token_file = projected
    return lambda: token_file.read_text().strip() if token_file else token


def _message(body: Any) -> str:
    """Return the sentence in the API's JSON error, or the body."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        body = json.loads(text)
    except ValueError:
        return text
    return str(body.get("message") or body.get("error") or text) if isinstance(body, dict) else text


def _short(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
