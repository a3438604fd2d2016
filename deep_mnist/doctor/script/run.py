"""Run a user's script, unmodified, up to its first fit, and judge that fit.

    python -m deep_mnist.doctor train.py -- --epochs 5

The script runs as Python would run it: its own folder first on the path, its own `__main__` and arguments, the same
working directory. Before the first step it ends; with `train` it goes on when its data are fit.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.spawn
import os
import runpy
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from deep_mnist.doctor.capture.custom_loop import watch_calls
from deep_mnist.doctor.capture.fit_call import METHODS
from deep_mnist.doctor.capture.intercept import ImportWatch, methods_watch
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.script.child_process import spawned_children
from deep_mnist.doctor.script.failures import explained
from deep_mnist.doctor.script.served_data import dataset_patches
from deep_mnist.doctor.script.stop_at_fit import ScriptEnd, ScriptJudge, ScriptOptions
from deep_mnist.doctor.script.tutorial_data import TutorialFinder
from deep_mnist.doctor.tensorflow1.graph_mode import watch_sessions


def run_script(path: Path, arguments: Sequence[str], options: ScriptOptions) -> int:
    """Run a script up to its first fit and return the doctor's exit status: 0 fit, 1 unfit, 2 not usable.

    Args:
        path: Of the script.
        arguments: Its own.
        options: How it is judged.

    Raises:
        NotUsableError: There is no such script.
    """
    if not path.is_file():
        raise NotUsableError(f"Expected a folder or a Python script. Received: {path}, which is neither.")
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        run = ScriptRun(path, ScriptJudge(options, Path(folder) / "status", os.getpid()))
        with run.watching(), _as_python_runs_it(path, arguments):
            return run.to_its_end()


@contextlib.contextmanager
def _as_python_runs_it(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    before = sys.argv, list(sys.path), sys.modules["__main__"]
    sys.argv = [str(path), *arguments]
    sys.path[0:1] = [str(path.resolve().parent)]
    try:
        yield
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


class ScriptRun:
    """One run of a script under the doctor, in this process and in those that it starts."""

    def __init__(self, path: Path, judge: ScriptJudge) -> None:
        self.path, self.judge = path, judge

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Put the doctor before every fit of this process and of those that it starts."""
        methods, restore_methods = methods_watch(METHODS, self.judge.before)
        calls, restore_calls = watch_calls(self.judge.before)
        sessions, restore_sessions = watch_sessions(self.judge.before_run)
        watches = [methods, calls, sessions, ImportWatch(dataset_patches())]
        tutorials = TutorialFinder()
        sys.meta_path.append(tutorials)
        os._exit = self._os_exit  # type: ignore[assignment]
        own_signal = signal.signal(signal.SIGUSR1, lambda *_: self._child_ended())
        for watch in watches:
            watch.start()
        try:
            with spawned_children(self.judge):
                yield
        finally:
            for watch in watches:
                watch.stop()
            restore_methods()
            restore_calls()
            restore_sessions()
            sys.meta_path.remove(tutorials)
            signal.signal(signal.SIGUSR1, own_signal)
            os._exit = self.judge.exit_process

    def to_its_end(self) -> int:
        """Run the script; return the doctor's exit status."""
        try:
            runpy.run_path(str(self.path), run_name="__main__")
        except ScriptEnd:
            pass
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)  # as Python does
            return self._ended(f"sys.exit({error.code if error.code is not None else ''})", error.code)
        except BaseException as error:
            return self._failed(error)
        return self._ended("its last line", 0)

    def _ended(self, how: str, status: object) -> int:
        if self.judge.status_file.exists():
            return self._childs_code()
        if self.judge.code is not None:
            return self.judge.code
        if "unfit" in self.judge.verdicts:
            return 1
        if self.judge.verdicts:
            return status if isinstance(status, int) else int(status is not None)
        print(
            f"doctor: Expected a call of fit in {self.path}. Received: none; the script ended by {how}. "
            "Fix: give the script that trains, with its arguments after --.",
            file=sys.stderr,
        )
        return 2

    def _failed(self, error: BaseException) -> int:
        if self.judge.code is not None or self.judge.status_file.exists():
            return self._ended("", 1)
        if isinstance(error, KeyboardInterrupt):
            raise error
        kept = _from_script(error.__traceback__, self.path)
        traceback.print_exception(type(error), error, kept)
        when = "after" if self.judge.verdicts else "before"
        print(f"\ndoctor: {self.path.name} failed {when} its first fit. {explained(error, self.path)}", file=sys.stderr)
        return 2 if not self.judge.verdicts else 1

    def _os_exit(self, status: int) -> None:
        if os.getpid() == self.judge.owner and self.judge.code is None and not self.judge.verdicts:
            status = self._ended(f"os._exit({status})", status)
        sys.stdout.flush()
        self.judge.exit_process(status)

    def _child_ended(self) -> None:
        """A process of the script's has judged its fit: nothing here may go on."""
        code = self._childs_code()
        for child in multiprocessing.active_children():
            child.terminate()
        sys.stdout.flush()
        shutil.rmtree(self.judge.status_file.parent, ignore_errors=True)
        self.judge.exit_process(code)

    def _childs_code(self) -> int:
        """Return the exit status that a process of the script's has left, its diagnosis passed on."""
        text, json_file = (self.judge.status_file.with_suffix(suffix) for suffix in (".txt", ".json"))
        if text.exists():
            self.judge.options.relay(text.read_text(), json_file.read_text())
        return int(self.judge.status_file.read_text())


def _from_script(trace: TracebackType | None, path: Path) -> TracebackType | None:
    """Return the traceback from the script's own first frame on."""
    while trace is not None and Path(trace.tb_frame.f_code.co_filename) != path:
        trace = trace.tb_next
    return trace
