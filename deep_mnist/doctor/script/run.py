"""Run a user's program, unmodified, up to its first fit, and judge that fit.

    python -m deep_mnist.doctor train.py -- --epochs 5

It runs as its own tool would run it (`programs.py`). Before the first step it ends; with `train` it goes on when its
data are fit.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.spawn
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from deep_mnist.doctor.capture.custom_loop import watch_calls
from deep_mnist.doctor.capture.fit_call import METHODS
from deep_mnist.doctor.capture.intercept import ImportWatch, methods_watch
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.checks.crashes.explain import finding_of
from deep_mnist.doctor.report.own_fault import STATUS, is_ours, is_own_fault, is_refusal, tell_fault
from deep_mnist.doctor.script.bare_loops import watch_tapes
from deep_mnist.doctor.script.child_process import spawned_children
from deep_mnist.doctor.script.failures import diagnosis_of, keep_frames, own_frames, sentence_of
from deep_mnist.doctor.script.hidden_modules import error_of_hidden_module
from deep_mnist.doctor.script.programs import Program
from deep_mnist.doctor.script.served_data import dataset_patches
from deep_mnist.doctor.script.stop_at_fit import ScriptEnd, ScriptJudge, ScriptOptions
from deep_mnist.doctor.script.surroundings import explained_by_surroundings
from deep_mnist.doctor.script.tutorial_data import TutorialFinder
from deep_mnist.doctor.script.unrun_fit import lacks_a_run
from deep_mnist.doctor.tensorflow1.session_watch import watch_sessions


def run_program(program: Program, arguments: Sequence[str], options: ScriptOptions) -> int:
    """Run a program up to its first fit and return the exit status: 0 fit, 1 unfit, 2 not usable, 3 our own fault.

    Args:
        program: What is run.
        arguments: Its own.
        options: How it is judged.
    """
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        run = ProgramRun(program, ScriptJudge(options, Path(folder) / "status", os.getpid()))
        with run.watching(), _as_its_tool_runs_it(program, arguments, Path(folder)):
            return run.to_its_end()


@contextlib.contextmanager
def _as_its_tool_runs_it(program: Program, arguments: Sequence[str], folder: Path) -> Iterator[None]:
    before = sys.argv, list(sys.path), sys.modules["__main__"]
    sys.argv = [str(program.path), *arguments]
    try:
        with program.place(folder):
            yield
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


class ProgramRun:
    """One run of a program under the doctor, in this process and in those that it starts."""

    def __init__(self, program: Program, judge: ScriptJudge) -> None:
        self.program, self.judge, self.started = program, judge, time.perf_counter()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Put the doctor before every fit of this process and of those that it starts."""
        methods, restore_methods = methods_watch(METHODS, self.judge.before)
        calls, restore_calls = watch_calls(self.judge.before)
        sessions, restore_sessions = watch_sessions(self.judge.before_run, self.judge.wants_runs)
        tapes, restore_tapes = watch_tapes(self.judge.before_bare_loop)
        frames = ImportWatch({"keras.src.utils.traceback_utils": keep_frames})
        watches = [methods, calls, sessions, tapes, ImportWatch(dataset_patches()), frames]
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
            restore_tapes()
            sys.meta_path.remove(tutorials)
            signal.signal(signal.SIGUSR1, own_signal)
            os._exit = self.judge.exit_process

    def to_its_end(self) -> int:
        """Run the program; return the doctor's exit status."""
        hiding = error_of_hidden_module(self.program.path, Path(sys.path[0]).resolve())
        if hiding is not None:
            return self._failed(hiding)
        try:
            self.program.run()
            self.judge.after_last_run()
        except ScriptEnd:
            pass
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)  # as Python does
            return self._ended(f"sys.exit({error.code if error.code is not None else ''})", error.code)
        except BaseException as error:
            return self._failed(error)
        return self._ended(self.program.last, 0)

    def _ended(self, how: str, status: object) -> int:
        if self.judge.status_file.exists():
            return self._childs_code()
        if self.judge.code is not None:
            return self.judge.code
        if "unfit" in self.judge.verdicts:
            return 1
        if self.judge.faults and not self.judge.options.train:
            return STATUS
        if self.judge.verdicts or self.judge.faults:
            return status if isinstance(status, int) else int(status is not None)
        print(
            f"doctor: Expected a call of fit in {self.program.name}. Received: none; it ended by {how}. "
            f"Fix: {self.program.no_fit}",
            file=sys.stderr,
        )
        return 2

    def _failed(self, error: BaseException) -> int:
        if self.judge.code is not None or self.judge.status_file.exists():
            return self._ended("", 1)
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, NotUsableError) and not self._is_own_code(error.__traceback__):
            raise error
        if is_own_fault(error):
            return 1 if "unfit" in self.judge.verdicts else tell_fault(error, self.judge.options.command)
        finding = None if is_refusal(error) else finding_of(error, self.program.path)
        kept = own_frames(self._from_own_code(error.__traceback__))
        if isinstance(error, SyntaxError) and not self._is_own_code(error.__traceback__):
            kept = None  # the program's text was not read: nothing of it has run
        traceback.print_exception(type(error), error, kept)
        options = self.judge.options
        skipped = lacks_a_run(error, finding) if self.judge.verdicts and options.every and not options.train else ""
        if skipped:
            print(f"\ndoctor: {self.program.name} ends here. {skipped}", file=sys.stderr)
            return self._ended("", 0)
        when = "after" if self.judge.verdicts else "in" if _is_of_read_data(error) else "before"
        how = explained_by_surroundings(error, self.program.path)
        said = "" if is_refusal(error) else how or sentence_of(finding)
        print(f"\ndoctor: {self.program.name} failed {when} its first fit. {said}", file=sys.stderr)
        if not self.judge.verdicts:
            seconds = time.perf_counter() - self.started
            self.judge.options.failed(diagnosis_of(error, finding, self.program.path, seconds))
        return 2 if not self.judge.verdicts else 1

    def _is_own_code(self, trace: TracebackType | None) -> bool:
        return any(self.program.owns(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(trace))

    def _from_own_code(self, trace: TracebackType | None) -> TracebackType | None:
        """Return the traceback from the program's own first frame on; of what fails before it, all but our frames."""
        if not self._is_own_code(trace):
            frames = [each for each in _links(trace) if not is_ours(each.tb_frame) and "runpy" not in _file(each)]
            return frames[0] if frames else None
        while trace is not None and not self.program.owns(_file(trace)):
            trace = trace.tb_next
        return trace

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


def _links(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _file(trace: TracebackType) -> str:
    return trace.tb_frame.f_code.co_filename


def _is_of_read_data(error: BaseException) -> bool:
    """Whether the data that fit was given raised when they were read to be judged, as they do in fit."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(
        each.f_code.co_name == "judge_call" for each in frames if "deep_mnist" in str(each.f_globals["__name__"])
    )
