"""Drift that acts: told once to a webhook when it has stood, and one retraining, whoever watches."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deep_mnist.registry.registry import Registry
from deep_mnist.serving.watch import DriftWatch, main
from tests.support.digits import draw_digits
from tests.support.runs import ROOT
from tests.support.serving import NAME, promote, running_server
from tests.support.webhook import running_webhook


def report(seen: int, *moved: str, enough: bool = True) -> dict[str, Any]:
    return {"seen": seen, "enough": enough, "moved": list(moved)}


def test_what_moved_in_windows_in_a_row_is_told_once() -> None:
    """A report without enough new examples is no window; what settles in between begins anew, a new version too."""
    watch = DriftWatch(windows=2, examples=100)

    assert watch.look(1, report(100, "mean", "deviation")) == []
    assert watch.look(1, report(150, "mean", "deviation")) == []
    assert watch.look(1, report(200, "mean")) == ["mean"]
    assert watch.look(1, report(300, "mean")) == []
    assert watch.look(1, report(400)) == []
    assert watch.look(1, report(500, "mean")) == []
    assert watch.look(1, report(600, "classes")) == []
    assert watch.look(1, report(700, "classes")) == ["classes"]
    assert watch.look(2, report(100, "classes")) == []
    assert watch.look(2, report(200, "classes")) == ["classes"]


def test_few_examples_are_no_window() -> None:
    """Below the number from which an index says anything, nothing is counted."""
    watch = DriftWatch(windows=1, examples=10)

    assert watch.look(1, report(150, enough=False)) == []
    assert watch.look(1, report(210, "mean")) == ["mean"]


@pytest.mark.slow
def test_two_watchers_tell_and_one_retrains(versions: Path, tmp_path: Path) -> None:
    """While a client sends inverted digits, both commands post what moved and end; the retraining is started once."""
    registry = Registry(str(tmp_path / "registry"), NAME)
    promote(registry, versions / "strong")
    images = (255 - draw_digits(50, seed=5)[0]).tolist()
    stopped = threading.Event()
    with running_server(registry, tmp_path / "cache") as server, running_webhook() as webhook:

        def ask() -> None:
            while not stopped.is_set():
                assert server.post({"instances": images}).status_code == 200

        retrain = f"{sys.executable} -c \"open('started', 'a').write('once.')\""
        command = [sys.executable, "-m", "deep_mnist.serving.watch", server.url, "--windows", "2", "--once"]
        command += ["--examples", "100", "--every", "0.1", "--store", registry.store.url, "--retrain", retrain]
        variables = {**os.environ, "DEEP_MNIST_WEBHOOK": webhook.url, "PYTHONPATH": str(ROOT)}
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask)
            try:
                watchers = [
                    subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables, cwd=tmp_path)
                    for _ in range(2)
                ]
                said = [each.communicate(timeout=300)[0] for each in watchers]
            finally:
                stopped.set()
            asking.result()

    assert [each.returncode for each in watchers] == [1, 1], said
    assert (tmp_path / "started").read_text() == "once."
    assert sorted("A retraining was started: " in each for each in said) == [False, True]
    assert sorted("none is started now" in each for each in said) == [False, True]
    for received in webhook.received:
        assert (received["status"], received["step"], received["version"]) == ("DRIFTED", "serving", 1)
        assert "mean" in received["moved"] and min(received["moved"].values()) > 0.25
        assert received["link"] == f"{server.url}/drift" and received["run"] == "run strong"
        assert received["text"].startswith(f"{NAME} version 1 DRIFTED: Expected inputs like the training data")
    assert len(webhook.received) == 2
    assert webhook.url not in "".join(said)


def test_a_command_that_fails_leaves_the_retraining_to_the_next(tmp_path: Path) -> None:
    """The claim is taken back, so that it is tried again."""
    from deep_mnist.serving.watch import retrain_once

    registry = Registry(str(tmp_path), NAME)

    assert "exit status 3" in retrain_once(registry, 1, ["mean"], f"{sys.executable} -c 'raise SystemExit(3)'")
    assert "No such file" in retrain_once(registry, 1, ["mean"], "no-such-command")
    assert retrain_once(registry, 1, ["mean"], "true") == "A retraining was started: true"
    assert "none is started now" in retrain_once(registry, 1, ["mean"], "true")


def test_a_retraining_needs_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the fix."""
    assert main(["http://127.0.0.1:9", "--retrain", "true"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Fix: name the server's registry" in line
