"""Whether a run's processes live: they hold a lock on its log, and whatever kills the last of them lets go of it."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def hold_run_lock(log: BinaryIO) -> None:
    """Lock an open log for this process and every child that inherits it; a file system without locks holds nothing."""
    with suppress(OSError):
        fcntl.flock(log, fcntl.LOCK_EX)


def is_running(log: Path) -> bool:
    """Say whether a living process holds the log."""
    try:
        with log.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
