"""docs/cluster.md: every command in it runs here, or is marked as needing a cluster."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.manifests import GITOPS, manifests, rendered
from pipeline.cluster.mirror import FOLDERS
from tests.support.kfp_server import KfpServer

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"(?P<mark>\*needs a cluster\*\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


def commands(*, marked: bool) -> list[list[str]]:
    """The commands of the blocks that are, or are not, marked."""
    blocks = BLOCK.finditer((ROOT / "docs" / "cluster.md").read_text())
    lines = [line for each in blocks if bool(each["mark"]) is marked for line in each["text"].splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.fixture
def environment(monkeypatch):
    """What the document exports, with a stand-in for the cluster, and the gitops folder left as it was."""
    kept = GITOPS.read_bytes() if GITOPS.exists() else None
    for command in commands(marked=False):
        if command[0] == "export":
            for setting in command[1:]:
                monkeypatch.setenv(*setting.split("=", 1))
    with KfpServer() as server:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url)
        yield server
    GITOPS.unlink(missing_ok=True) if kept is None else GITOPS.write_bytes(kept)


@pytest.mark.usefixtures("environment")
def test_every_unmarked_command_runs(tmp_path):
    """In the document's order, each exits with 0."""
    for command in commands(marked=False):
        match command:
            case ["export", *_]:
                continue
            case ["python", "-m", "pipeline", *arguments]:
                done = CliRunner().invoke(pipeline, arguments)
            case ["make", "manifests"]:
                done = CliRunner().invoke(manifests, ["render", "--output", str(tmp_path)])
            case ["make", "gitops"]:
                done = CliRunner().invoke(manifests, ["gitops"])
            case ["kubectl", "kustomize", folder]:
                assert rendered(ROOT / folder)
                continue
            case _:
                pytest.fail(f"no test runs {command}")
        assert done.exit_code == 0, (command, done.output)


def test_make_targets_call_what_the_tests_call():
    """The targets of manifests/targets.mk are those commands and scripts."""
    dry = {
        target: subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for target in ("manifests", "gitops", "kind-down", "mirror")
    }

    assert "-m pipeline.cluster.manifests render" in dry["manifests"]
    assert "-m pipeline.cluster.manifests gitops" in dry["gitops"]
    assert "manifests/kind/down.sh" in dry["kind-down"]
    assert "-m pipeline.cluster.mirror --registry" in dry["mirror"]


def test_the_audit_names_tests_that_exist():
    """What docs/audit.md says is shown by a test is shown by one of that name."""
    tests = "".join(path.read_text() for path in (ROOT / "tests/pipeline/cluster").glob("*.py"))
    named = re.findall(r"`(test_\w+)(\.py)?`", (ROOT / "docs/audit.md").read_text())

    assert len(named) >= 13
    for name, file in named:
        assert (ROOT / "tests/pipeline/cluster" / f"{name}.py").is_file() if file else f"def {name}(" in tests, name


def test_marked_commands_name_what_there_is():
    """A command that needs a cluster names existing folders and targets."""
    targets = (ROOT / "manifests/targets.mk").read_text() + (ROOT / "docker/targets.mk").read_text()
    for command in commands(marked=True):
        match command:
            case ["kubectl", "apply", *_, "-k", folder] if folder.startswith("build/airgapped/"):
                assert folder.rpartition("/")[2] in FOLDERS
            case ["kubectl", "apply", *_, "-k", folder]:
                assert (ROOT / folder / "kustomization.yaml").is_file()
            case ["make", target, *_]:
                assert f"\n{target}:" in targets
            case ["export", assignment]:
                assert "=" in assignment
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module)
            case _:
                assert command[0] == "kubectl"
