"""What is known about a step that ended without a word of its own: killed, out of memory, or out of room."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

from components.failure import Failure, read_failure, write_failure

FULL_DISK_BYTES = 1 << 20
_SIGNAL_OF_SHELL = 128  # a shell gives 128 + the number of the signal that ended its command


def record_unexplained_exit(step: str, outputs: Path, status: int, *, killed_for_memory: str = "") -> None:
    """Write error.json for a step that failed and wrote none.

    Args:
        step: The step's name.
        outputs: The folder of its outputs.
        status: How its process or container ended; negative for a signal.
        killed_for_memory: Which limit was reached, when it is known that the kernel killed it for its memory.
    """
    if read_failure(outputs) is None:
        write_failure(failure_of_exit(step, outputs, status, killed_for_memory), outputs)


def failure_of_exit(step: str, outputs: Path, status: int, killed_for_memory: str = "") -> Failure:
    """Return what can be said of a step by the way it ended; arguments as for `record_unexplained_exit`."""
    number = signal_of(status)
    if killed_for_memory:
        return _failure(step, "OutOfMemory", "enough memory for the step", killed_for_memory, _MORE_MEMORY)
    if full := full_disk(outputs, step):
        return full
    if number == signal.SIGKILL:
        received = "SIGKILL: the kernel, short of memory, or somebody else killed its process"
        return _failure(step, "Killed", "the step to end by itself", received, _MORE_MEMORY)
    if number:
        received = f"{signal.Signals(number).name} ended its process"
        return _failure(step, "Killed", "the step to end by itself", received, _SEE_LOG)
    if status == 0:
        return _failure(step, "NoOutput", "the executor's output file of a step that succeeded", "no file", _SEE_LOG)
    return _failure(step, "Ended", "exit status 0, or a reason", f"exit status {status} without one", _SEE_LOG)


_MORE_MEMORY = (
    "give it more memory: close other programs, use fewer data or a smaller network, "
    "or raise the limit in pipeline/resources.py"
)
_SEE_LOG = "read the last lines of the step's log"


def _failure(step: str, kind: str, expected: str, received: str, fix: str) -> Failure:
    message = f"Expected {expected}. Received: {received}. Fix: {fix}"
    return Failure(kind, message, expected, received, fix, foreseen=False, step=step)


def full_disk(folder: Path, step: str = "") -> Failure | None:
    """Return that the disk of `folder` is full, when it is: then logs and error.json may be missing."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free >= FULL_DISK_BYTES:
        return None
    fix = "free some, or RUNS=elsewhere"
    return _failure(step, "DiskFull", f"room on the disk of {folder}", f"{free} bytes free", fix)


def signal_of(status: int) -> int:
    """Return the signal that a process's or a shell's exit status tells of, or 0."""
    number = -status if status < 0 else status - _SIGNAL_OF_SHELL
    return number if number in {each.value for each in signal.Signals} else 0


def memory_kills() -> int:
    """Return how many processes the kernel has killed for memory: of this control group, or of the whole machine."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        try:
            found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0
