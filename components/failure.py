"""How a step that fails says so, whole, wherever it runs.

Every component's body stands in `with report_failure():`. An exception becomes a `Failure` there: `error.json` beside
the step's outputs, which the local runner reads, and a line in the step's log that starts with MARK, which
`python -m pipeline watch` reads, for a failed task uploads nothing on a cluster. The pod's termination message has its
first words, by which Argo knows that repeating the step is of no use. What the code foresaw ends without a traceback;
anything else keeps its traceback in the log.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from components.pod_end import STEP_FAILED, STEP_LOST, TERMINATION_LOG, TOLD_CHARACTERS
from components.work import noted_work
from deep_mnist.errors import advice_of
from deep_mnist.storage.store import StoreUnreachableError

FILE = "error.json"
MARK = "DEEP-MNIST-FAILURE "
MAX_CAUSES = 8
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Failure:
    """Why a step failed.

    Attributes:
        type: The exception's class name.
        message: Its text.
        expected, received, fix: What was expected, what was received, what to do.
        foreseen: True when the code refused; False for a fault that nobody had in mind, whose traceback is in the log.
        step: The step's name, "" for a cause.
        causes: The exceptions behind it, the nearest first.
    """

    type: str
    message: str
    expected: str = ""
    received: str = ""
    fix: str = ""
    foreseen: bool = True
    step: str = ""
    causes: tuple[Failure, ...] = field(default_factory=tuple)

    def to_json(self) -> str:
        """Return it as one line of ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Failure:
        """Return the failure that `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is none.
        """
        causes = tuple(cls.from_dict(each) for each in fields["causes"])
        return cls(**{**fields, "causes": causes})

    def text(self) -> str:
        """Return it for a person: the message, what the message leaves out, and every cause that adds to it."""
        shown = "\n".join(_sentences(self))
        for cause in self.causes:
            if cause.message in shown and _is_said(cause.fix, shown):
                continue
            first, *others = _sentences(cause)
            shown = "\n".join([shown, f"  caused by {first}", *(f"  {line}" for line in others)])
        return shown


def _sentences(failure: Failure) -> list[str]:
    lines = [f"{failure.type}: {failure.message}"]
    for name in ("expected", "received", "fix"):
        text = getattr(failure, name)
        if text and not _is_said(text, failure.message):
            lines.append(f"    {name.capitalize()}: {text}")
    return lines


def _is_said(text: str, message: str) -> bool:
    """Return whether a message says this already; one of several findings names its field on a line of its own."""
    parts = [line if line in message else line.partition(": ")[2] or line for line in text.splitlines()]
    return text in message or all(part in message for part in parts)


@contextmanager
def report_failure() -> Iterator[None]:
    """Report what goes wrong inside, then end the process; outside of kfp's executor, just let it through.

    What is inside is the step's own work, and how long it took is noted as well.

    Raises:
        SystemExit: With status 1, or that of the error, once the failure is written.
    """
    arguments = _executor_arguments()
    try:
        with noted_work(arguments[1] if arguments else None):
            yield
    except Exception as error:
        _end_with(error)
        raise
    except SystemExit as error:
        if advice_of(error) is not None:
            _end_with(error)
        raise


def _end_with(error: BaseException) -> None:
    arguments = _executor_arguments()
    if arguments is None:
        return
    step, folder = arguments
    failure = failure_of(error, step, folder)
    if not failure.foreseen:
        traceback.print_exception(error, file=sys.stdout)
    write_failure(failure, folder)
    tell_kubernetes(failure, lost=is_lost(error))
    with suppress(OSError):  # a full disk may hold the log, too
        print(f"{failure.text()}\n{MARK}{failure.to_json()}", flush=True)
    raise SystemExit(error.code if isinstance(error, SystemExit) else 1) from None


def _executor_arguments() -> tuple[str, Path] | None:
    """Return the step's name and the folder of its outputs, as kfp's executor received them; None elsewhere."""
    arguments = dict(zip(sys.argv, sys.argv[1:], strict=False))
    if "--executor_input" not in arguments or "--function_to_execute" not in arguments:
        return None
    outputs = json.loads(arguments["--executor_input"]).get("outputs", {})
    step = arguments["--function_to_execute"].replace("_", "-")
    return step, Path(outputs.get("outputFile") or "/tmp/output").parent


def write_failure(failure: Failure, folder: Path) -> None:
    """Write error.json into `folder`, if that is possible."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(failure.to_json() + "\n")


def is_lost(error: BaseException) -> bool:
    """Return whether a step was asked to end, as on a node that is taken away, or an object store did not answer."""
    return isinstance(error, SystemExit) or any(
        isinstance(each, StoreUnreachableError) for each in (error, *_chain(error))
    )


def tell_kubernetes(failure: Failure, *, lost: bool, path: str = TERMINATION_LOG) -> None:
    """Write why the step ended where Kubernetes looks for it; elsewhere there is no such file, and none is made.

    Args:
        failure: Why.
        lost: The fault was not the step's: it should be repeated.
        path: Of the termination message.
    """
    told = f"{STEP_LOST if lost else STEP_FAILED} {failure.text()}"[:TOLD_CHARACTERS]
    with suppress(OSError), open(path, "r+") as stream:
        stream.write(told)


def read_failure(folder: Path) -> Failure | None:
    """Return the failure whose error.json lies in `folder`, or None."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        return Failure.from_dict(json.loads((folder / FILE).read_text()))
    return None


def failure_in_log(log: str) -> Failure | None:
    """Return the last failure that a step reported in its log, or None; a collector may have put a time before it."""
    for line in reversed(log.splitlines()):
        _, found, written = line.partition(MARK)
        if found:
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                return Failure.from_dict(json.loads(written))
    return None


def failure_of(error: BaseException, step: str = "", folder: Path | None = None) -> Failure:
    """Return an exception, with the chain of those behind it, as a failure.

    Args:
        error: What was raised.
        step: Which step it was raised in.
        folder: Where the step wrote; its disk is looked at when there was no room.
    """
    causes = tuple(_described(each, folder) for each in _chain(error))
    failure = _described(error, folder)
    if not failure.foreseen:
        failure = replace(failure, expected=_NO_FAULT, received=f"{failure.type}: {failure.message}", fix=_UNFORESEEN)
    return replace(failure, step=step, causes=causes)


def _chain(error: BaseException) -> list[BaseException]:
    """Return the exceptions behind this one, as a traceback would show them, members of groups included."""
    chain: list[BaseException] = []
    waiting = _behind(error)
    while waiting and len(chain) < MAX_CAUSES:
        cause = waiting.pop(0)
        if cause is not error and not any(cause is each for each in chain):
            chain.append(cause)
            waiting = [*_behind(cause), *waiting]
    return chain


def _behind(error: BaseException) -> list[BaseException]:
    members = list(error.exceptions) if isinstance(error, BaseExceptionGroup) else []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return [*members, *([cause] if cause else [])]


def _described(error: BaseException, folder: Path | None) -> Failure:
    name, message = type(error).__name__, str(error).strip()
    advice = advice_of(error)
    if advice is not None:
        return Failure(name, message, **advice._asdict())
    message = message or repr(error)
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":  # TensorFlow's, of a device
        return Failure(name, message, "enough memory for the step", f"{name}: {message}", _MORE_MEMORY)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Failure(name, message, *_no_room(error, folder))
    return Failure(name, message, foreseen=False)


_MORE_MEMORY = (
    "use fewer data, a smaller network or batch, or give the step more memory: close other programs here, "
    "raise its limit in pipeline/resources.py for containers and clusters"
)
_NO_FAULT = "no fault in the step's own code"
_UNFORESEEN = (
    "read the traceback in the step's log; where the input is not at fault, report it together with that traceback"
)


def _no_room(error: OSError, folder: Path | None) -> tuple[str, str, str]:
    place = str(error.filename or folder or Path.cwd())
    existing = Path(place)
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    reason = error.strerror or os.strerror(error.errno or errno.ENOSPC)
    return f"room on the disk of {place}", f"{reason}; {free} bytes are free now", "free some, or RUNS=elsewhere"
