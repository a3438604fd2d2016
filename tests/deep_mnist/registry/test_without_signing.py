"""Where the package that signs and verifies is not installed: all works unsigned, and a key is told of at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deep_mnist.registry.registry import Registry
from tests.support.digits import write_raw_folder
from tests.support.keys import make_keys
from tests.support.ports import free_port
from tests.support.runs import ROOT, environment
from tests.support.serving import promote
from tests.support.versions import make_folder

FIX = "Fix: make .venv/signing, or pip install 'deep-mnist[signing]'"


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes in which `import model_signing` fails."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "model_signing.py").write_text("raise ModuleNotFoundError(\"No module named 'model_signing'\")\n")
    return environment(PYTHONPATH=f"{folder}{os.pathsep}{ROOT}")


def ended(folder: Path, variables: dict[str, str], module: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *options]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_an_unsigned_registry_needs_no_package(without: dict[str, str], tmp_path: Path) -> None:
    """A version is trained and published; restored from its successor it is fetched, served and replayed."""
    write_raw_folder(tmp_path / "digits", 1200, 300)
    run = ended(tmp_path, without, "pipeline", "run", "--dataset", "digits", "--min-accuracy", "0", "--epochs", "2")
    assert "PUBLISHED version=1 " in run.stdout, run.stdout + run.stderr
    promote(Registry(str(tmp_path / "registry"), "digits"), make_folder(tmp_path / "next", "b"))
    restored = ended(tmp_path, without, "pipeline", "rollback")
    fetched = ended(tmp_path, without, "deep_mnist.registry.fetch", "registry", "models", "--model-name", "digits")

    assert "restores=1 version=3" in restored.stdout, restored.stderr
    assert "version 3, digests verified" in fetched.stdout, fetched.stderr
    port = free_port()
    command = [sys.executable, "-m", "deep_mnist.serving", "registry", "--model-name", "digits", "--port", str(port)]
    command += ["--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=without, cwd=tmp_path) as server:
        try:
            assert server.stdout is not None
            assert [server.stdout.readline().partition(",")[0], server.stdout.readline()] == [
                "serving: digits version 3", f"serving: http://127.0.0.1:{port}/\n",
            ]  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            replayed = ended(tmp_path, without, "deep_mnist.serving.replay", "registry", url, "--model-name", "digits")
            assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        finally:
            server.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("pipeline", ["run", "--dataset", "digits"]),
        ("pipeline", ["rollback", "--model-name", "digits", "--sign-key", "key.pem"]),
        ("deep_mnist.registry.fetch", ["registry", "models", "--trusted-key", "key.pub.pem"]),
        ("deep_mnist.serving", ["registry", "--trusted-key", "key.pub.pem", "--require-signature"]),
        ("deep_mnist.serving.replay", ["registry", "http://127.0.0.1:9", "--trusted-key", "key.pub.pem"]),
    ],
)
def test_a_key_without_the_package_is_told_in_one_line(
    without: dict[str, str], tmp_path: Path, module: str, options: list[str]
) -> None:
    """Exit status 1 or 2 before anything is read or trained, with the fix."""
    make_keys(tmp_path)
    write_raw_folder(tmp_path / "digits", 20, 10)
    key = {"DEEP_MNIST_SIGNING_KEY": "key.pem"} if options[0] == "run" else {}
    done = ended(tmp_path, {**without, **key}, module, *options)

    assert done.returncode in (1, 2) and FIX in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
