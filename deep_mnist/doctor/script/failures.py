"""An error that ends a script before its first fit, as the doctor reports it: a sentence, and a diagnosis."""

from __future__ import annotations

import linecache
from pathlib import Path
from types import ModuleType, TracebackType

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.capture.words.origin import Origin
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.explain import finding_of
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.evidence.live.own_code import is_of_a_library
from deep_mnist.doctor.finding import Finding

UNKNOWN = "The doctor knows no more of this error than is said above."
LONGEST_MESSAGE = 2000  # characters of an error's own message, in a report


def explained(error: BaseException, script: Path) -> str:
    """Return what is known of an error in one line: expected, received, fix.

    Args:
        error: As it ended the script.
        script: Whose folder a missing file may lie in.
    """
    return sentence_of(finding_of(error, script))


def sentence_of(finding: Finding | None) -> str:
    """Return a finding in one line, or that nothing is known."""
    if finding is None:
        return UNKNOWN
    return f"{finding.rule.code} Expected {finding.expected}. Received: {finding.received}. Fix: {finding.fix}"


def diagnosis_of(error: BaseException, finding: Finding | None, script: Path, seconds: float) -> Diagnosis:
    """Return the diagnosis of a script that failed: what is known of the error, at the script's own line.

    Args:
        error: As it ended the script.
        finding: What is known of it.
        script: The script's path.
        seconds: That it ran.
    """
    step = Crash(error, script).user
    line = step.line if step is not None else getattr(error, "lineno", None)
    path = step.file if step is not None else str(script)
    call = linecache.getline(path, line).strip() if line else ""
    case = Case(Path(), {"train": Split("train")}, Contract())
    failure = f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
    return Diagnosis([finding] if finding else [], seconds, case, Origin(path, line, call), failure=failure)


def keep_frames(module: ModuleType) -> None:
    """Let Keras keep the frames of its own in tracebacks: they hold the layer and the shapes."""
    module.disable_traceback_filtering()


def own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback of the user's own frames, and of the one that raised."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    kept = [each for each in frames[:-1] if not is_of_a_library(each.tb_frame)] + frames[-1:]
    shortened: TracebackType | None = None
    for each in reversed(kept):
        shortened = TracebackType(shortened, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return shortened
