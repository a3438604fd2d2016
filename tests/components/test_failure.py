"""Whatever a step raises reaches the user whole: error.json, one line of the log, the run's last line, its report."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import textwrap
from pathlib import Path

import pytest

from components.failure import MARK, Failure, failure_in_log, failure_of, is_lost, tell_kubernetes
from components.images import COMPONENTS
from components.pod_end import STEP_FAILED, STEP_LOST
from components.train.checkpoint import TrainingInterruptedError
from deep_mnist.data.dataset import DatasetError
from deep_mnist.processes import run_module
from deep_mnist.storage.store import StoreUnreachableError
from pipeline.local.process import LocalTask, Run
from pipeline.local.report import SHOWN_ARGUMENTS, write_report
from pipeline.local.run_outcome import outcome_of
from pipeline.resources import STEP_OF
from tests.support.executor import Executed, execute_body, execute_component
from tests.support.raised_errors import CAUGHT_WITHIN, RAISED
from tests.support.runs import ROOT

pytestmark = pytest.mark.usefixtures("fresh_processes")
# Walks the three layers and prints their exception classes; TensorFlow stays out of the tests' own process.
WALK = """
import importlib, json, pkgutil
found = set()
for layer in ("deep_mnist", "components", "pipeline"):
    for each in pkgutil.walk_packages(importlib.import_module(layer).__path__, layer + "."):
        if not each.name.endswith("__main__"):
            module = importlib.import_module(each.name)
            kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
            own = [kind for kind in kinds if kind.__module__ == each.name and issubclass(kind, (Exception, SystemExit))]
            found.update(kind.__name__ for kind in own)
print(json.dumps(sorted(found)))
"""


def exception_classes(folder: Path) -> list[str]:
    """Return the names of all exception classes that the three layers define."""
    (folder / "walk.py").write_text(WALK)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = run_module("walk", [], environment=environment, folder=folder)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_every_exception_class_is_raised_below(tmp_path):
    """A new exception class needs a line in RAISED, and a name that ends in Error."""
    found = exception_classes(tmp_path)

    assert sorted(set(found) - set(RAISED) - CAUGHT_WITHIN) == [], (
        "add a line to RAISED for each, and a `fix` to each class"
    )
    assert sorted((set(RAISED) | CAUGHT_WITHIN) - set(found)) == []
    assert all(name.endswith("Error") for name in found)


@pytest.mark.parametrize("name", RAISED)
def test_an_error_of_ours_reaches_the_user_whole(tmp_path, name):
    """Type, message, expected, received and fix are in error.json and in the log; there is no traceback."""
    step, body = RAISED[name]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if name == "NoUsableGPUError" else {}
    ended = execute_body(tmp_path, step, body, TF_CPP_MIN_LOG_LEVEL="3", **hidden)
    failure = ended.failure

    assert failure is not None, ended.log
    assert ended.status == (143 if name == "TrainingInterruptedError" else 1)
    assert (failure.type, failure.step, failure.foreseen) == (name, step.replace("_", "-"), True)
    assert failure.message and failure.received and failure.fix
    assert failure.expected or name in ("TransferInterruptedError", "TrainingInterruptedError")
    assert "Traceback" not in ended.log
    assert failure_in_log(ended.log) == failure
    assert failure.message in ended.log
    assert_shown(tmp_path, ended)


def assert_shown(folder: Path, ended: Executed) -> None:
    """The run's last line, its JSON object and its page show all of the failure."""
    assert ended.failure is not None
    task = LocalTask(ended.failure.step, "failed", 1.0, 1.0, failure=ended.failure)
    others = {
        name: LocalTask(name) for name in ("validate", "rehearse", "train", "evaluate", "publish") if name != task.name
    }
    run = Run(folder, dict.fromkeys(SHOWN_ARGUMENTS, ""), {task.name: task, **others}, 0.0)
    run.log.write_text(ended.log)
    outcome = outcome_of(run, Path("report.html"))
    write_report(run, outcome, folder / "report.html")
    page = (folder / "report.html").read_text()

    step = STEP_OF.get(task.name, task.name)
    assert outcome.line.startswith(f"FAILED step={step} findings=")
    assert outcome.exit_status == 1
    for part in (ended.failure.message, *(each.fix for each in ended.failure.causes)):
        assert part in outcome.reason
    assert all(line in outcome.reason for line in ended.failure.fix.splitlines())
    assert Failure.from_dict(outcome.details["error"]) == ended.failure
    assert ended.failure.type in page and MARK not in page


def test_a_chained_error_loses_nothing(tmp_path):
    """Every cause's remedy is reported, the nearest first."""
    ended = execute_body(
        tmp_path,
        "publish",
        """
        from deep_mnist.registry.registry import RegistryError
        from deep_mnist.storage.store import StorageError
        try:
            try:
                open("missing")
            except OSError as error:
                raise StorageError("Expected a store. Received: none. Fix: mount it.") from error
        except StorageError as error:
            raise RegistryError("Expected a registry. Received: a broken one. Fix: restore it.") from error
        """,
    )

    assert ended.failure is not None
    assert [each.type for each in ended.failure.causes] == ["StorageError", "FileNotFoundError"]
    assert (ended.failure.fix, ended.failure.causes[0].fix) == ("restore it", "mount it")
    text = ended.failure.text()
    assert "Fix: restore it" in text and "Fix: mount it" in text and "No such file or directory: 'missing'" in text
    assert "Traceback" not in ended.log
    assert_shown(tmp_path, ended)


def test_an_error_nobody_foresaw_keeps_its_traceback(tmp_path):
    """The traceback is in the log; the last lines still say what happened and what to do."""
    ended = execute_body(tmp_path, "train", "{}['key']")

    assert ended.failure is not None
    assert (ended.status, ended.failure.type, ended.failure.foreseen) == (1, "KeyError", False)
    assert "Traceback (most recent call last)" in ended.log and "{}['key']" in ended.log
    assert "traceback" in ended.failure.fix and "KeyError: 'key'" in ended.failure.received
    assert_shown(tmp_path, ended)


def test_keras_own_sentences_are_not_ours(tmp_path):
    """A library that words its errors alike is still a fault with a traceback."""
    (tmp_path / "library.py").write_text("def fail():\n    raise ValueError('Expected one. Received: two')\n")
    ended = execute_body(tmp_path, "train", "import sys\nsys.path.insert(0, '.')\nimport library\nlibrary.fail()")

    assert ended.failure is not None and not ended.failure.foreseen
    assert "Traceback" in ended.log


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import numpy\nnumpy.ones(1 << 50)", "enough memory"),
        ("with open('/dev/full', 'w') as full:\n    full.write('x')", "room on the disk"),
    ],
    ids=["no memory", "no room"],
)
def test_what_a_machine_lacks_is_named(tmp_path, body, expected):
    """No memory and no room on the disk are no faults of the code: what is known is said, without a traceback."""
    ended = execute_body(tmp_path, "train", body)

    assert ended.failure is not None and ended.failure.foreseen
    assert expected in ended.failure.expected and ended.failure.fix
    assert "Traceback" not in ended.log


def test_a_step_that_exits_well_reports_nothing(tmp_path):
    """`sys.exit(0)` is no failure."""
    ended = execute_body(tmp_path, "train", "import sys\nsys.exit(0)")

    assert (ended.status, ended.failure) == (0, None)


def test_outside_of_an_executor_the_error_goes_to_the_caller():
    """Who calls a component's function gets the exception itself."""
    from components.validate.component import require_valid

    with pytest.raises(FileNotFoundError):
        require_valid.python_func(findings=type("Artifact", (), {"path": "/none"}), verdict="fit")


def definitions():
    """Yield every component that the tree defines."""
    from kfp.dsl.python_component import PythonComponent

    for each in COMPONENTS:
        module = importlib.import_module(f"components.{each}.component")
        yield from (face for face in vars(module).values() if isinstance(face, PythonComponent))


@pytest.mark.parametrize("component", definitions(), ids=lambda each: each.name)
def test_every_body_stands_in_report_failure(component):
    """After the docstring and its import, a body is one `with report_failure():` and nothing else."""
    source = textwrap.dedent(inspect.getsource(component.python_func))
    (function,) = ast.parse(source).body
    *_, imported, whole = function.body

    assert ast.unparse(imported) == "from components.failure import report_failure"
    assert isinstance(whole, ast.With) and ast.unparse(whole.items[0]) == "report_failure()"
    assert len(function.body) == 3


# notify succeeds whatever comes of it.
@pytest.mark.parametrize(
    "component", [each for each in definitions() if each.name != "notify"], ids=lambda each: each.name
)
def test_every_component_reports_its_failures(tmp_path, component):
    """The component's own command, with inputs that are not there, leaves error.json and the line in its log."""
    known = {"dataset": "nothing of that name", "verdict": "unfit", "network": "fast", "ready": "no"}
    ended = execute_component(tmp_path, component, known)

    assert ended.status == 1, ended.log
    assert ended.failure is not None, ended.log
    assert ended.failure.step == component.name
    assert ended.failure.message and failure_in_log(ended.log) == ended.failure


@pytest.mark.parametrize(
    ("error", "mark"),
    [
        (DatasetError("Expected a folder. Received: a file. Fix: name the folder."), STEP_FAILED),
        (KeyError("x"), STEP_FAILED),
        (StoreUnreachableError("Expected an answer. Received: none."), STEP_LOST),
        (TrainingInterruptedError(143), STEP_LOST),
    ],
    ids=["refused", "unforeseen", "store away", "asked to end"],
)
def test_kubernetes_is_told_whether_repeating_helps(tmp_path, error, mark):
    """The termination message begins with a mark that the retry expression of the manifests knows."""
    path = tmp_path / "termination-log"
    path.touch()
    told = failure_of(error)
    tell_kubernetes(told, lost=is_lost(error), path=str(path))

    assert path.read_text() == f"{mark} {told.text()}"


def test_without_kubernetes_no_termination_message_is_written(tmp_path):
    """The file is Kubernetes' own: where it is not there, none is made."""
    tell_kubernetes(failure_of(KeyError("x")), lost=False, path=str(tmp_path / "termination-log"))

    assert list(tmp_path.iterdir()) == []
