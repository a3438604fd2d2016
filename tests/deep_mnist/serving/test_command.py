"""python -m deep_mnist.serving: on loopback by default, stopped cleanly, with errors in one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from urllib3.util import Retry

from deep_mnist.registry.names import only_name
from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.__main__ import main
from tests.support.ports import free_port
from tests.support.runs import ROOT
from tests.support.serving import NAME


@pytest.mark.slow
def test_the_command_serves_on_loopback_until_it_is_stopped(registry: Registry, tmp_path: Path) -> None:
    """It says where it listens, on loopback only, predicts, and ends with 0 on SIGTERM."""
    port = free_port()
    command = [sys.executable, "-m", "deep_mnist.serving", registry.store.url, "--model-name", NAME]
    command += ["--port", str(port), "--cache", str(tmp_path / "cache"), "--body-bytes", "5000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline(), process.stdout.readline()]
            assert lines == [f"serving: {NAME} version 1, accuracy 0.9000\n", f"serving: http://127.0.0.1:{port}/\n"]
            url = f"http://127.0.0.1:{port}/v1/models/{NAME}:predict"
            session = requests.Session()
            session.mount(
                "http://",
                requests.adapters.HTTPAdapter(max_retries=Retry(connect=99, backoff_factor=0.02, backoff_max=1)),
            )
            predicted = session.post(url, json={"instances": [[[0] * 28] * 28]}, timeout=60)
            assert predicted.status_code == 200
            assert session.post(url, data=b"x" * 6000, timeout=60).status_code == 413
            assert listening(port) == {"127.0.0.1"}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)


def listening(port: int) -> set[str]:
    """Return the addresses on which anything listens on a port."""
    import psutil

    found = psutil.net_connections(kind="tcp")
    return {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN and each.laddr.port == port}


def test_the_only_model_of_a_registry_is_meant_and_of_several_one_is_named(registry: Registry, tmp_path: Path) -> None:
    """Without --model-name; a folder of which nothing was promoted is no model, and digits are meant beside others."""
    store, given = tmp_path / "store", Path(registry.store.url.removeprefix("file://")) / NAME
    shutil.copytree(given, store / "first")
    (store / "unfinished").mkdir()
    assert only_name(str(store)) == "first"

    shutil.copytree(given, store / "second")
    with pytest.raises(RegistryError, match=r"--model-name, one of those in .*: .*second.* Fix: --model-name") as told:
        only_name(str(store))
    assert "first" in str(told.value) and only_name(str(store), "second") == "second"

    shutil.copytree(given, store / "mnist")
    assert only_name(str(store), usual="mnist") == "mnist"
    with pytest.raises(RegistryError, match="--model-name, one of those in"):
        only_name(str(store))  # as of a rollback


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ([], "Fix: make run publishes one"),
        (["--workers", "0"], "Expected workers > 0"),
        (["--model-name", "a/b"], "a/b"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], named: str
) -> None:
    """Exit status 2, and the fix."""
    assert main([str(tmp_path), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
