"""Steps that need TensorFlow are forked, with the executor, the arguments and the ending that kfp's process has."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from kfp.dsl.python_component import PythonComponent

from components.failure import read_failure
from components.images import COMPONENTS
from components.work import read_work
from deep_mnist.processes import ADDRESS
from pipeline.local.forked_steps import ForkedSteps, needs_tensorflow

WITH_TENSORFLOW = {"train", "evaluate", "publish", "rehearse", "inspect"}
SOURCE = """
def train(left: str) -> str:
    from components.failure import report_failure
    with report_failure():
        import os, sys
        assert "tensorflow" in sys.modules
        if os.environ["HOW"] == "raise":
            raise KeyError("a fault")
        if os.environ["HOW"] == "kill":
            os.kill(os.getpid(), 9)
        return left + " came through"
"""


def commands():
    """Yield the name and the command line of every component's container, as kfp gives it to a runner."""
    for each in COMPONENTS:
        for face in vars(importlib.import_module(f"components.{each}.component")).values():
            if isinstance(face, PythonComponent):
                container = face.component_spec.implementation.container
                yield face.name.replace("-", "_"), [*container.command, *container.args]


@pytest.mark.parametrize(("step", "command"), commands(), ids=lambda each: each if isinstance(each, str) else "")
def test_the_steps_of_the_images_with_tensorflow_are_forked(step, command):
    """Every other step, and a command line of another form, is left to kfp."""
    assert needs_tensorflow(command) == (step in WITH_TENSORFLOW)
    assert not needs_tensorflow(["python", "-c", *command])
    assert not needs_tensorflow(command[:2])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kfp's process runs")
@pytest.mark.parametrize(
    ("how", "status", "kind"), [("return", 0, None), ("raise", 1, "KeyError"), ("kill", -9, None)], ids=str
)
@pytest.mark.usefixtures("fresh_processes")
def test_a_forked_step_ends_as_a_started_one(tmp_path: Path, monkeypatch, how, status, kind):
    """Its output, its failure, its span of work and its exit status are where the runner looks for them."""
    monkeypatch.chdir(tmp_path)
    outputs = {
        "outputFile": str(tmp_path / "out" / "executor_output.json"),
        "parameters": {"Output": {"outputFile": str(tmp_path / "out" / "Output")}},
    }
    executor_input = json.dumps({"inputs": {"parameterValues": {"left": "python3"}}, "outputs": outputs})
    template = next(command for step, command in commands() if step == "train")
    command = [*template[:3], SOURCE, "--executor_input", executor_input, "--function_to_execute", "train"]
    ended = ForkedSteps().run(command, {"HOW": how})

    assert ended == status
    failure = read_failure(tmp_path / "out")
    assert (failure.type if failure else None) == kind
    if how == "return":
        written = json.loads((tmp_path / "out" / "executor_output.json").read_text())
        assert written["parameterValues"] == {"Output": "python3 came through"}
    if how != "kill":
        began, finished = read_work(tmp_path / "out")
        assert began < finished


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kfp's process runs")
@pytest.mark.usefixtures("fresh_processes")
def test_from_a_server_that_was_there_every_step_is_forked(tmp_path: Path, monkeypatch):
    """It has imported everything; a run's own is still importing when the light steps begin, and they do not wait."""
    monkeypatch.chdir(tmp_path)
    executor_input = json.dumps({"outputs": {"outputFile": str(tmp_path / "out" / "executor_output.json")}})
    template = next(command for step, command in commands() if step == "validate")
    options = ["--executor_input", executor_input, "--function_to_execute", "validate"]
    command = [*template[:3], "def validate():\n    open('forked', 'w').close()\n", *options]

    assert ForkedSteps().run(command, {}) == 0
    assert (tmp_path / "forked").exists()
    monkeypatch.delenv(ADDRESS)
    steps = ForkedSteps()
    try:
        assert steps.run(command, {}) is None
    finally:
        steps.server.stop()


def test_a_runs_server_starts_with_it(monkeypatch):
    """TensorFlow is imported from the beginning of a run on, not when the first step needs it."""
    monkeypatch.delenv(ADDRESS, raising=False)
    steps = ForkedSteps()
    try:
        assert steps.server.process is not None and steps.server.process.poll() is None
    finally:
        steps.server.process.kill()
        steps.server.stop()
