"""Judge the fits of a script as they are called, and end the script: the part that each of its processes has."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from deep_mnist.doctor.acceptance import Choices
from deep_mnist.doctor.capture.custom_loop import whole_of_batch
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import inside
from deep_mnist.doctor.capture.live_call import judge_call, rehearsed
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.script.unrun_fit import result_of
from deep_mnist.doctor.tensorflow1.graph_mode import FedRun, judge_run

TRAINED = (Verb.FIT, Verb.TRAIN_ON_BATCH)  # may be rehearsed


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
    """

    train: bool = False
    every: bool = False
    choices: Choices = field(default_factory=Choices)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[Diagnosis], None] = print
    relay: Callable[[str, str], None] = lambda text, _: print(text)
    rehearse: bool = False


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
        self.code: int | None = None
        self.exit_process = os._exit

    def before(self, call: FitCall, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        """Judge a call of Keras before it is made; return its result, or end the script."""
        if call.verb is Verb.EVALUATE and self.verdicts:
            return resume() if self.options.train else result_of(call)
        if call.verb not in (Verb.CUSTOM_LOOP, Verb.FIT) and self.verdicts and not self.options.every:
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
            diagnosis = judge_run(run, frame, choices=self.options.choices, overrides=self.options.overrides)
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
                call = whole_of_batch(call, frame) if call.verb is Verb.TRAIN_ON_BATCH else call
                diagnosis = judge_call(call, frame, choices=self.options.choices, overrides=overrides)
                if self.options.rehearse and diagnosis.verdict == "fit" and call.verb in TRAINED:
                    diagnosis = rehearsed(diagnosis, call, self.options.choices)
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
        self.exit_process(code)


def _eagerly() -> contextlib.AbstractContextManager[None]:
    """Outside of a tf.function's graph, when TensorFlow is there: a custom loop's step may be in one."""
    scope = getattr(sys.modules.get("tensorflow"), "init_scope", contextlib.nullcontext)
    return scope()
