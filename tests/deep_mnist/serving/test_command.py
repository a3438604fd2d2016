"""python -m deep_mnist.serving: on loopback by default, stopped cleanly, with errors in one line."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from deep_mnist.registry.names import only_name
from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.__main__ import main
from tests.support.runs import ROOT
from tests.support.serving import NAME, serving_command


@pytest.mark.slow
def test_the_command_serves_on_loopback_until_it_is_stopped(registry: Registry, tmp_path: Path) -> None:
    """It says where it listens, on loopback only, predicts, and ends with 0 on SIGTERM."""
    with serving_command(registry.store.url, tmp_path, "--body-bytes", "5000") as (_, address):
        url = f"{address}/v1/models/{NAME}:predict"
        assert requests.post(url, json={"instances": [[[0] * 28] * 28]}, timeout=60).status_code == 200
        assert requests.post(url, data=b"x" * 6000, timeout=60).status_code == 413
        assert listening(int(address.rpartition(":")[2])) == {"127.0.0.1"}


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


def test_a_port_that_is_taken_is_told_and_no_address_is(registry: Registry, tmp_path: Path) -> None:
    """Exit status 2; who waits for the line is not sent to another's server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "deep_mnist.serving", registry.store.url, "--model-name", NAME]
        command += ["--cache", str(tmp_path / "cache"), "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert ended.returncode == 2 and "address already in use" in ended.stderr
    assert "http://" not in ended.stdout
