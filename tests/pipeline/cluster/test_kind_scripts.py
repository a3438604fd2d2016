"""The scripts of kind: run with stand-ins for docker, kind and kubectl, and the emulator with its real binary."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cluster.manifests import rendered
from tests.support.argo import Workflow
from tests.support.kfp_server import KfpServer
from tests.support.manifests import MANIFESTS, ROOT, named


def script(name: str, *arguments: str, tools: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with `tools` first on PATH and nothing behind it but a few of the system's commands."""
    system = tools / "system"
    system.mkdir(exist_ok=True)
    for command in ("bash", "cat", "dirname", "grep", "mkdir", "rm", "sleep", "tee", "timeout"):
        if not (system / command).exists():
            (system / command).symlink_to(shutil.which(command))
    settings = {"PATH": f"{tools}:{system}", "HOME": str(tools), **environment}
    command = [str(system / "bash"), str(MANIFESTS / "kind" / name), *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=240, cwd=tools)


def tool(folder: Path, name: str, body: str = "") -> None:
    """Put a command on the path that writes down how it was called."""
    path = folder / name
    path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"$HOME/calls"\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path) -> Path:
    (tmp_path / "calls").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["up.sh", "run.sh", "down.sh"])
def test_a_missing_tool_is_named(tools, name):
    """Without kind, the scripts say what is missing and where it comes from, before they do anything."""
    tool(tools, "docker")
    done = script(name, tools=tools)

    assert done.returncode == 2
    assert done.stderr.startswith("Expected the command kind. Received: none on PATH. Install kind")
    assert (tools / "calls").read_text() == ""


def test_a_docker_that_does_not_answer_is_named(tools):
    """A Docker client without an engine is told apart from a missing one."""
    tool(tools, "docker", "exit 1")
    tool(tools, "kind")
    done = script("down.sh", tools=tools)

    assert done.returncode == 2
    assert "Expected a Docker Engine that answers. Received: none." in done.stderr


def test_down_removes_the_cluster_or_says_that_there_is_none(tools):
    """kind-down is safe to call twice."""
    tool(tools, "docker")
    tool(tools, "kind", '[ "$1 $2" != "get clusters" ] || [ -e "$HOME/gone" ] || echo deep-mnist')
    first = script("down.sh", tools=tools)
    (tools / "gone").touch()
    second = script("down.sh", tools=tools)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "kind delete cluster --name deep-mnist" in (tools / "calls").read_text()
    assert "nothing to remove" in second.stdout


def test_run_wants_a_cluster(tools):
    """kind-run without a cluster names the command that makes one."""
    tool(tools, "docker")
    tool(tools, "kind")
    done = script("run.sh", tools=tools)

    assert done.returncode == 2
    assert "make kind-up" in done.stderr


IMAGES = """if [ "$2 $3" = "pipeline.cluster.kind images" ]; then
  printf 'deep-mnist/light:5-a\\ndeep-mnist/data:5-a\\ndeep-mnist/tensorflow:5-a\\ndeep-mnist/train-cpu:5-a\\n'
"""


APPLIED = """case "$*" in
  *kind/kubeflow) printf 'namespace/kubeflow configured\ndeployment.apps/ml-pipeline created\nservice/x created\n' ;;
  *build/kind) printf 'deployment.apps/fake-gcs configured\njob.batch/bucket created\n' ;;
esac"""


def test_up_goes_from_nothing_to_a_bucket(tools):
    """Images, cluster, Kubeflow, our own, in this order; what is rendered for the cluster carries the images' tag."""
    tool(tools, "docker")
    tool(tools, "kind")
    tool(tools, "kubectl", APPLIED)
    tool(tools, "python", f"{IMAGES}else echo /binaries; fi")
    done = script("up.sh", tools=tools, DEEP_MNIST_PYTHON=str(tools / "python"))
    calls = (tools / "calls").read_text()
    steps = [
        "docker build --quiet --build-arg LIGHT=deep-mnist/light:5-a --tag deep-mnist/fake-gcs:5-a",
        "kind create cluster --config manifests/kind/cluster.yaml",
        "kind load docker-image --name deep-mnist deep-mnist/light:5-a",
        "apply -k manifests/kubeflow-cluster-scoped",
        "apply -k manifests/overlays/kind/kubeflow",
        "apply -k build/kind",
        "rollout status deployment.apps/ml-pipeline ",
        "rollout status deployment.apps/fake-gcs ",
        "wait --for=condition=complete --timeout=900s job/bucket",
    ]

    assert done.returncode == 0, done.stderr
    assert calls.count("rollout status") == 2  # what was applied, and nothing that is known from memory
    assert [calls.find(step) for step in steps] == sorted(calls.find(step) for step in steps) and steps[0] in calls
    own = [each for each in yaml.safe_load_all(rendered(ROOT / "build/kind")) if each["kind"] in ("Deployment", "Job")]
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in own}
    assert images == {"deep-mnist/data:5-a", "deep-mnist/fake-gcs:5-a"}


@pytest.mark.parametrize(("state", "status"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_run_submits_and_ends_as_the_run_ends(tools, state, status):
    """kind-run forwards a port, submits with the cluster's images, watches, and leaves no port-forward behind."""
    tool(tools, "docker")
    tool(tools, "kind", "echo deep-mnist")
    tool(tools, "kubectl", 'echo $$ >>"$HOME/forward"; exec sleep 60')
    with KfpServer() as server:
        server.progress = [Workflow(prepare=state.capitalize())]
        port = f'elif [ "$2 $3" = "pipeline.cluster.kind port" ]; then echo {server.server_port}'
        tool(tools, "python", f'{IMAGES}{port}\nelse exec {sys.executable} "$@"; fi')
        done = script("run.sh", "--poll", "0.1", tools=tools, DEEP_MNIST_PYTHON=str(tools / "python"))
    sent = server.created["runs"][0]

    assert done.returncode == status, done.stderr
    assert sent.service_account == "deep-mnist-runner"
    assert sent.runtime_config.parameters["registry"] == "gs://deep-mnist/registry"
    executors = sent.pipeline_spec["pipeline_spec"]["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["image"] == "deep-mnist/train-cpu:5-a"
    assert not [each for each in (tools / "forward").read_text().split() if Path(f"/proc/{each}").exists()]


def test_a_port_forward_that_ends_is_followed_by_another(tools):
    """The API's pod is restarted while a run is watched: its port-forward ends with it."""
    tool(tools, "docker")
    tool(tools, "kind", "echo deep-mnist")
    tool(tools, "kubectl", 'echo $$ >>"$HOME/forward"; [ "$(grep -c . "$HOME/forward")" = 1 ] || exec sleep 60')
    submit = 'elif [ "$3" = submit ]; then until [ "$(grep -c . "$HOME/forward")" = 2 ]; do sleep 0.1; done'
    tool(tools, "python", f"{IMAGES}{submit}\nfi")
    done = script("run.sh", tools=tools, DEEP_MNIST_PYTHON=str(tools / "python"))

    assert done.returncode == 0, done.stderr
    assert not [each for each in (tools / "forward").read_text().split() if Path(f"/proc/{each}").exists()]


def test_every_wait_of_up_ends():
    """Each command of the script that waits has a time limit."""
    text = (MANIFESTS / "kind/up.sh").read_text().replace("\\\n", " ")
    waits = [
        line
        for line in text.splitlines()
        if re.search(r"\b(wait|rollout status|delete job)\b", line) and "on_c" in line
    ]

    assert len(waits) == 4
    assert all("--timeout=" in line for line in waits)
    assert "--wait 300s" in text


def test_the_scripts_are_sound():
    """bash reads them, they stop at the first error, and the cluster file is kind's."""
    for path in (MANIFESTS / "kind").glob("*.sh"):
        subprocess.run(["bash", "-n", str(path)], check=True)
        assert "set -euo pipefail" in path.read_text() or "common.sh" in path.read_text()
    cluster = yaml.safe_load((MANIFESTS / "kind/cluster.yaml").read_text())
    assert (cluster["kind"], cluster["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")


# --- the same in containers: make test-docker -----------------------------------------------------------------------


@pytest.mark.docker
def test_the_emulator_and_the_bucket_job_work_as_the_manifests_say():
    """The emulator's image serves with the deployment's arguments, and the job makes the bucket, twice, read-only."""
    import docker
    from pipeline.containers.built import built_images

    client = docker.from_env()
    built = built_images()
    binary = subprocess.run(
        [sys.executable, "-m", "pipeline.cluster.kind", "emulator"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    image = "deep-mnist/fake-gcs:test"
    build = ["docker", "build", "--quiet", "--build-arg", f"LIGHT={built['light']}", "--tag", image]
    build += ["--file", str(MANIFESTS / "kind/fake-gcs.Dockerfile"), binary.stdout.strip()]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    emulator = named("overlays/kind", "Deployment", "fake-gcs")["spec"]["template"]["spec"]["containers"][0]
    job = named("overlays/kind", "Job", "bucket")["spec"]["template"]["spec"]["containers"][0]
    hard = {"read_only": True, "user": "10001:10001", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    writable = {"/tmp": "", "/data": "uid=10001"}
    network = client.networks.create("deep-mnist-test")
    server = client.containers.run(
        image, emulator["command"] + emulator["args"], detach=True, network=network.name, name="fake-gcs.kubeflow",
        tmpfs=writable, **hard,
    )  # fmt: skip
    try:
        environment = {"STORAGE_EMULATOR_HOST": "http://fake-gcs.kubeflow:4443"}
        for _ in range(2):
            said = client.containers.run(
                built["data"], job["command"] + job["args"], remove=True, network=network.name, environment=environment,
                tmpfs={"/tmp": ""}, **hard,
            )  # fmt: skip
            assert said == b"gs://deep-mnist is there\n"
    finally:
        server.remove(force=True)
        network.remove()
        client.close()
