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
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from deep_mnist.doctor.acceptance import Accept
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.custom_loop import watch_calls, whole_of_batch
from deep_mnist.doctor.failures import explained
from deep_mnist.doctor.fit_call import FitCall
from deep_mnist.doctor.graph_mode import FedRun, judge_run, watch_sessions
from deep_mnist.doctor.intercept import ImportWatch, inside, methods_watch
from deep_mnist.doctor.judge import Diagnosis
from deep_mnist.doctor.memory import judge_call, rehearsed
from deep_mnist.doctor.report import as_json
from deep_mnist.doctor.served_data import dataset_patches
from deep_mnist.doctor.tutorial_data import TutorialFinder
from deep_mnist.doctor.unrun import result_of

VERBS = ("fit", "train_on_batch", "evaluate")
CHILD = "DEEP_MNIST_DOCTOR_CHILD"  # set for the script's own processes: where they leave the exit status


@dataclass(frozen=True)
class ScriptOptions:
    """How a script is judged.

    Attributes:
        train: Go on when fit.
        every: Judge every fit of the script, not the first alone; without `train` none of them runs.
        accept: As in `deep_mnist.doctor.check`.
        overrides: loss, from_logits, num_classes; they win over the script's own.
        report: Called with each diagnosis.
        relay: Called with a diagnosis of a process that the script has spawned, as text and as JSON.
    """

    train: bool = False
    every: bool = False
    accept: Accept = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[Diagnosis], None] = print
    relay: Callable[[str, str], None] = lambda text, _: print(text)
    rehearse: bool = False


class ScriptEnd(BaseException):
    """The script has been judged and ends here, past its own `except Exception`, as with SystemExit."""


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
        run = ScriptRun(path, options, Path(folder) / "status")
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

    def __init__(self, path: Path, options: ScriptOptions, status: Path) -> None:
        self.path, self.options, self.status_file = path, options, status
        self.owner = os.getpid()
        self.verdicts: list[str] = []
        self.code: int | None = None

    # --- judging -----------------------------------------------------------------------------------

    def before(self, call: FitCall, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge a call of Keras before it is made; return its result, or end the script."""
        if call.verb == "evaluate" and self.verdicts:
            return resume() if self.options.train else result_of(call)
        if call.verb != "a custom loop" and call.verb != "fit" and self.verdicts and not self.options.every:
            return resume()
        if self.code is not None:  # the script has caught its end: it must not train for that
            self.leave(self.code)
        self.judge(call, frame)
        if self.options.train and self.verdicts[-1] == "fit":
            return resume()
        if self.options.every:
            return result_of(call)
        return self.end(0 if self.verdicts[-1] == "fit" else 1)

    def before_run(self, run: FedRun, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge the first run of a session that feeds placeholders; later ones are its training."""
        if self.code is not None:
            self.leave(self.code)
        if self.verdicts:
            return resume()
        try:
            diagnosis = judge_run(run, frame, accept=self.options.accept, overrides=self.options.overrides)
        except NotUsableError as error:
            print(f"doctor: {error}", file=sys.stderr)
            return self.end(2)
        self.verdicts.append(diagnosis.verdict)
        self.options.report(diagnosis)
        if self.options.train and diagnosis.verdict == "fit":
            return resume()
        return self.end(0 if diagnosis.verdict == "fit" else 1)

    def judge(self, call: FitCall, frame: FrameType | None) -> None:
        try:
            with inside(), _eagerly():
                overrides = {**call.overrides, **self.options.overrides}
                call = whole_of_batch(call, frame) if call.verb == "train_on_batch" else call
                diagnosis = judge_call(call, frame, accept=self.options.accept, overrides=overrides)
                if self.options.rehearse and diagnosis.verdict == "fit" and call.verb in ("fit", "train_on_batch"):
                    diagnosis = rehearsed(diagnosis, call, self.options.accept)
        except NotUsableError as error:
            print(f"doctor: {error}", file=sys.stderr)
            self.end(2)
        else:
            self.verdicts.append(diagnosis.verdict)
            self.options.report(diagnosis)

    def end(self, code: int) -> Any:
        """End the script; of a thread or a process of its own, the whole program."""
        self.code = code
        if threading.current_thread() is not threading.main_thread() or os.getpid() != self.owner:
            self.leave(code)
        raise ScriptEnd

    def leave(self, code: int) -> None:
        """End this process at once; a process that the script started ends its parent too."""
        sys.stdout.flush()
        sys.stderr.flush()
        if os.getpid() != self.owner:
            self.status_file.write_text(str(code))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.owner, signal.SIGUSR1)
        for child in multiprocessing.active_children():
            child.terminate()
        _exit(code)

    # --- running -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Put the doctor before every fit of this process and of those that it starts."""
        methods, restore_methods = methods_watch(VERBS, self.before)
        calls, restore_calls = watch_calls(self.before)
        sessions, restore_sessions = watch_sessions(self.before_run)
        watches = [methods, calls, sessions, ImportWatch(dataset_patches())]
        tutorials = TutorialFinder()
        sys.meta_path.append(tutorials)
        os._exit = self._os_exit  # type: ignore[assignment]
        own_signal = signal.signal(signal.SIGUSR1, lambda *_: self._child_ended())
        for watch in watches:
            watch.start()
        try:
            with _spawned_children(self):
                yield
        finally:
            for watch in watches:
                watch.stop()
            restore_methods()
            restore_calls()
            restore_sessions()
            sys.meta_path.remove(tutorials)
            signal.signal(signal.SIGUSR1, own_signal)
            os._exit = _exit

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
        if self.status_file.exists():
            return self._childs_code()
        if self.code is not None:
            return self.code
        if self.verdicts:
            return 1 if "unfit" in self.verdicts else (status if isinstance(status, int) else int(status is not None))
        print(
            f"doctor: Expected a call of fit in {self.path}. Received: none; the script ended by {how}. "
            "Fix: give the script that trains, with its arguments after --.",
            file=sys.stderr,
        )
        return 2

    def _failed(self, error: BaseException) -> int:
        if self.code is not None or self.status_file.exists():
            return self._ended("", 1)
        if isinstance(error, KeyboardInterrupt):
            raise error
        kept = _from_script(error.__traceback__, self.path)
        traceback.print_exception(type(error), error, kept)
        when = "after" if self.verdicts else "before"
        print(f"\ndoctor: {self.path.name} failed {when} its first fit. {explained(error, self.path)}", file=sys.stderr)
        return 2 if not self.verdicts else 1

    def _os_exit(self, status: int) -> None:
        if os.getpid() == self.owner and self.code is None and not self.verdicts:
            status = self._ended(f"os._exit({status})", status)
        sys.stdout.flush()
        _exit(status)

    def _child_ended(self) -> None:
        """A process of the script's has judged its fit: nothing here may go on."""
        code = self._childs_code()
        for child in multiprocessing.active_children():
            child.terminate()
        sys.stdout.flush()
        shutil.rmtree(self.status_file.parent, ignore_errors=True)
        _exit(code)

    def _childs_code(self) -> int:
        """Return the exit status that a process of the script's has left, its diagnosis passed on."""
        text, json_file = (self.status_file.with_suffix(suffix) for suffix in (".txt", ".json"))
        if text.exists():
            self.options.relay(text.read_text(), json_file.read_text())
        return int(self.status_file.read_text())


_exit = os._exit


def _eagerly() -> contextlib.AbstractContextManager[None]:
    """Outside of a tf.function's graph, when TensorFlow is there: a custom loop's step may be in one."""
    scope = getattr(sys.modules.get("tensorflow"), "init_scope", contextlib.nullcontext)
    return scope()


def _from_script(trace: TracebackType | None, path: Path) -> TracebackType | None:
    """Return the traceback from the script's own first frame on."""
    while trace is not None and Path(trace.tb_frame.f_code.co_filename) != path:
        trace = trace.tb_next
    return trace


# --- processes that the script starts by "spawn" -----------------------------------------------------


@contextlib.contextmanager
def _spawned_children(run: ScriptRun) -> Iterator[None]:
    """Let multiprocessing's spawned children enter the doctor too; forked ones inherit it."""
    own = multiprocessing.spawn.get_command_line
    root = str(Path(__file__).resolve().parents[2])
    prologue = (
        f"import sys; sys.path.append({root!r}); from deep_mnist.doctor.script import enter_child; enter_child(); "
    )

    def with_doctor(**kwargs: Any) -> list[str]:
        return [prologue + part if "spawn_main" in str(part) else part for part in own(**kwargs)]

    multiprocessing.spawn.get_command_line = with_doctor
    os.environ[CHILD] = f"{run.owner}:{run.status_file}:{int(run.options.train)}"
    try:
        yield
    finally:
        multiprocessing.spawn.get_command_line = own
        os.environ.pop(CHILD, None)


def enter_child() -> None:
    """Put the doctor before the fits of a process that the script has spawned."""
    owner, status, train = os.environ[CHILD].split(":")
    run = ScriptRun(
        Path(sys.argv[0]), ScriptOptions(train=bool(int(train)), report=partial(_leave, Path(status))), Path(status)
    )
    run.owner = int(owner)
    for watch in (methods_watch(VERBS, run.before)[0], watch_calls(run.before)[0], ImportWatch(dataset_patches())):
        watch.start()


def _leave(status: Path, diagnosis: Diagnosis) -> None:
    """Leave a diagnosis where the process that was started by the doctor finds it."""
    status.with_suffix(".json").write_text(as_json(diagnosis))
    status.with_suffix(".txt").write_text(str(diagnosis))
