"""Judge the fits of a script as they are called, and end the script: the part that each of its processes has."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from deep_mnist.doctor.acceptance import Choices
from deep_mnist.doctor.capture.custom_loop import whole_of_batch
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import inside
from deep_mnist.doctor.capture.live_call import judge_call, rehearsed
from deep_mnist.doctor.capture.tested_later import is_trained_later
from deep_mnist.doctor.checks.program.earlier_fits import Fits
from deep_mnist.doctor.diagnosis import Broken, Diagnosis
from deep_mnist.doctor.judge import isolated
from deep_mnist.doctor.report.own_fault import STATUS, is_own_fault, is_refusal, tell_fault
from deep_mnist.doctor.script.later_fits import later_fits
from deep_mnist.doctor.script.unrun_fit import build_as_fit_would, result_of
from deep_mnist.doctor.tensorflow1.graph_mode import FedRun, judge_run

Result = TypeVar("Result")
UNJUDGED = "not judged"
MOST_READ = 16  # runs of a session that read before one trains, and are made


@dataclass(frozen=True)
class ScriptOptions:
    """How a script is judged.

    Attributes:
        train: Go on when fit.
        every: Judge every fit of the script, not the first alone; without `train` none of them runs.
        choices: What the user accepts and ignores.
        overrides: loss, from_logits, num_classes; they win over the script's own.
        report: Called with each diagnosis.
        relay: Called with a diagnosis of a process that the script has spawned, as text and as JSON.
        rehearse: Run the network for some seconds when nothing was found.
        command: The doctor's own arguments, for the report of a fault.
        deliver: Called before this process ends without returning from the script: writes what was reported.
        failed: Called with what is known of the error, when the script fails before its first fit.
    """

    train: bool = False
    every: bool = False
    choices: Choices = field(default_factory=Choices)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[Diagnosis], None] = print
    relay: Callable[[str, str], None] = lambda text, _: print(text)
    rehearse: bool = False
    deliver: Callable[[], None] = lambda: None
    command: Sequence[str] = ()
    failed: Callable[[Diagnosis], None] = lambda _: None


class ScriptEnd(BaseException):
    """The script has been judged and ends here, past its own `except Exception`, as with SystemExit."""


class ScriptJudge:
    """What one process of a script knows: how to judge, what was found, and how to end.

    Args:
        options: How the script is judged.
        status_file: Where a process that the script has started leaves its exit status.
        owner: Process id of the doctor's own process.
    """

    def __init__(self, options: ScriptOptions, status_file: Path, owner: int) -> None:
        self.options, self.status_file, self.owner = options, status_file, owner
        self.verdicts: list[str] = []
        self.fits = Fits()
        self.faults = 0  # fits that were not judged, by a fault of ours
        self.read: list[tuple[FedRun, FrameType | None]] = []
        self.code: int | None = None
        self.exit_process = os._exit

    def before(self, call: FitCall, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge a call of Keras before it is made; return its result, or end the script."""
        if call.verb is Verb.EVALUATE and (self.verdicts or self._isolated(lambda: is_trained_later(call, frame))):
            return resume() if self.options.train else result_of(call)
        if call.verb not in (Verb.CUSTOM_LOOP, Verb.FIT) and self.verdicts and not self.options.every:
            return resume()
        if self.code is not None:  # the script has caught its end: it must not train for that
            self.leave(self.code)
        return self.after(self.judged(lambda: self.judge(call, frame)), resume, lambda: result_of(call))

    def wants_runs(self) -> bool:
        """Whether runs of sessions are still looked at; after the script's end was caught, to end it again."""
        return not (self.verdicts or self.faults) or self.code is not None

    def before_run(self, run: FedRun, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge the first run of a session that trains; runs before it that only read are made, a few of them."""
        if self.code is not None:
            self.leave(self.code)
        if self.verdicts or self.faults:
            return resume()
        if run.reads_only and len(self.read) < MOST_READ:
            self.read.append((run, frame))
            return resume()
        return self.judge_run(run, frame, resume)

    def before_bare_loop(self, place: str) -> None:
        """End the script at a training loop without a network of Keras, which would run in whole for nothing."""
        if self.code is not None:
            self.leave(self.code)
        if self.options.train or self.verdicts or self.faults:
            return
        print(
            f"doctor: Expected the training of a Keras network. Received: a loop at {place} that changes variables of "
            "its own by their gradients, and no network to judge. Fix: put the variables into layers of a keras.Model, "
            "and call it in the loop.",
            file=sys.stderr,
        )
        self.end(2)

    def after_last_run(self) -> None:
        """Judge the last run that only read, of a script that has ended without one that trains."""
        if self.read and not (self.verdicts or self.faults) and self.code is None:
            run, frame = self.read.pop()
            self.judge_run(run, frame, lambda: None)

    def judge_run(self, run: FedRun, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge a run of a session; return its result, or end the script."""
        options, earlier = self.options, [each for each, _ in self.read]
        judged = self._isolated(
            lambda: judge_run(
                run, frame, choices=options.choices, overrides=options.overrides, earlier=earlier,
                rehearse=options.rehearse, goes_on=options.train,
            )
        )  # fmt: skip
        if judged is None:
            return self.after(UNJUDGED, resume)
        if judged.fails and judged.diagnosis.verdict == "fit":
            resume()  # TensorFlow says what is wrong, and `explained` in the field's words
        return self.after(self.judged(lambda: judged.diagnosis), resume)

    def after(self, verdict: str, resume: Callable[[], Any], unrun: Callable[[], Any] | None = None) -> Any:
        """Go on as the options and the verdict say: make the call, return what it would have, or end the script."""
        if self.options.train and verdict in ("fit", UNJUDGED):
            return resume()
        if self.options.every and unrun is not None:
            return unrun()
        return self.end({"fit": 0, "unfit": 1, UNJUDGED: STATUS}[verdict])

    def judged(self, judge: Callable[[], Diagnosis]) -> str:
        """Judge and report; return the verdict, or UNJUDGED after a fault of ours."""
        diagnosis = self._isolated(judge)
        if diagnosis is None:
            return UNJUDGED
        self.verdicts.append(diagnosis.verdict)
        self._isolated(lambda: self.options.report(diagnosis))
        return diagnosis.verdict

    def _isolated(self, act: Callable[[], Result]) -> Result | None:
        """Return what a part of the doctor returns; None after a fault of it, which is told as ours."""
        try:
            return act()
        except Exception as error:
            if is_own_fault(error):
                tell_fault(error, self.options.command)
                self.faults += 1
                return None
            if not is_refusal(error):
                raise  # the user's own, as of a generator that was drawn from
            print(f"doctor: {error}", file=sys.stderr)
            self.end(2)
            raise

    def judge(self, call: FitCall, frame: FrameType | None) -> Diagnosis:
        """Return the diagnosis of a call of Keras."""
        call.earlier = self.fits.earlier()
        with inside():
            with _eagerly():
                overrides = {**call.overrides, **self.options.overrides}
                call = whole_of_batch(call, frame) if call.verb is Verb.TRAIN_ON_BATCH else call
                diagnosis = judge_call(call, frame, choices=self.options.choices, overrides=overrides)
                diagnosis = self._with_later_fits(diagnosis, call, frame)
            if self.options.rehearse and diagnosis.verdict == "fit" and call.verb is not Verb.EVALUATE:
                diagnosis = self._rehearsed(diagnosis, call)  # a tape records nothing in init_scope
            if self.options.every and not self.options.train:
                build_as_fit_would(diagnosis.case)
        if call.verb in (Verb.FIT, Verb.TRAIN_ON_BATCH):
            self.fits.add(call, diagnosis.case, ran=self.options.train and diagnosis.verdict == "fit")
        return diagnosis

    def _with_later_fits(self, diagnosis: Diagnosis, call: FitCall, frame: FrameType | None) -> Diagnosis:
        if self.options.every or self.options.train:
            return diagnosis
        return replace(diagnosis, not_judged=(*diagnosis.not_judged, *later_fits(call, frame)))

    def _rehearsed(self, diagnosis: Diagnosis, call: FitCall) -> Diagnosis:
        broken: list[Broken] = []
        choices = self.options.choices
        found = isolated(broken, "rehearse", ("the rehearsal",), lambda: rehearsed(diagnosis, call, choices), diagnosis)
        return replace(found, broken=[*found.broken, *broken])

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
        self.options.deliver()
        if os.getpid() != self.owner:
            self.status_file.write_text(str(code))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.owner, signal.SIGUSR1)
        for child in multiprocessing.active_children():
            child.terminate()
        self.exit_process(code)


def _eagerly() -> contextlib.AbstractContextManager[None]:
    """Outside of a tf.function's graph, when TensorFlow is there: a custom loop's step may be in one."""
    scope = getattr(sys.modules.get("tensorflow"), "init_scope", contextlib.nullcontext)
    return scope()
