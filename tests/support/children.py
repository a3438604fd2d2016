"""Which processes a test has started, and their own children, as long as they live."""

from __future__ import annotations

import psutil


def living_children() -> dict[int, str]:
    """Return the command line of every process below this one by its number; those that end meanwhile are left out."""
    found = {}
    for each in psutil.Process().children(recursive=True):
        try:
            found[each.pid] = " ".join(each.cmdline())
        except psutil.Error:  # a zombie has none
            continue
    return found
