"""Let the processes that a script starts by "spawn" enter the doctor too; forked ones inherit it."""

from __future__ import annotations

import contextlib
import multiprocessing.spawn
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from deep_mnist.doctor.capture.custom_loop import watch_calls
from deep_mnist.doctor.capture.fit_call import METHODS
from deep_mnist.doctor.capture.intercept import ImportWatch, methods_watch
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.report.render import as_json
from deep_mnist.doctor.script.quiet import silence_tensorflow
from deep_mnist.doctor.script.served_data import dataset_patches
from deep_mnist.doctor.script.stop_at_fit import ScriptJudge, ScriptOptions

CHILD = "DEEP_MNIST_DOCTOR_CHILD"  # set for the script's own processes: where they leave the exit status


@contextlib.contextmanager
def spawned_children(judge: ScriptJudge) -> Iterator[None]:
    """Let multiprocessing's spawned children enter the doctor while the block runs."""
    own = multiprocessing.spawn.get_command_line
    root = str(Path(__file__).resolve().parents[3])
    enter = f"from {__name__} import enter_child; enter_child(); "
    prologue = f"import sys; sys.path.append({root!r}); {enter}"

    def with_doctor(**kwargs: Any) -> list[str]:
        return [prologue + part if "spawn_main" in str(part) else part for part in own(**kwargs)]

    multiprocessing.spawn.get_command_line = with_doctor
    os.environ[CHILD] = f"{judge.owner}:{judge.status_file}:{int(judge.options.train)}"
    try:
        yield
    finally:
        multiprocessing.spawn.get_command_line = own
        os.environ.pop(CHILD, None)


def enter_child() -> None:
    """Put the doctor before the fits of a process that the script has spawned."""
    silence_tensorflow()
    owner, status, train = os.environ[CHILD].split(":")
    options = ScriptOptions(train=bool(int(train)), report=partial(_leave, Path(status)))
    judge = ScriptJudge(options, Path(status), int(owner))
    for watch in (
        methods_watch(METHODS, judge.before)[0],
        watch_calls(judge.before)[0],
        ImportWatch(dataset_patches()),
    ):
        watch.start()


def _leave(status: Path, diagnosis: Diagnosis) -> None:
    """Leave a diagnosis where the process that was started by the doctor finds it."""
    status.with_suffix(".json").write_text(as_json(diagnosis))
    status.with_suffix(".txt").write_text(str(diagnosis))
