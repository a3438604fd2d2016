"""What code of the user's own raised when it was called as fit calls it, in words."""

from __future__ import annotations

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.rules import NAME_GONE

LONGEST = 120  # characters of an error's message


def told(error: Exception) -> str:
    """Return "raises ValueError at train.py:12: …"."""
    place = Crash(error).place
    lines = [each.strip() for each in str(error).splitlines() if each.strip() and "in user code" not in each]
    return f"raises {type(error).__name__}{place and f' at {place}'}: {(lines[-1] if lines else '')[:LONGEST]}"


def renamed(error: Exception) -> str:
    """Return the line that has today's name in the place of one that is gone, "" for any other error."""
    from deep_mnist.doctor.checks.crashes.explain import finding_of

    found = finding_of(error)
    return found.fix if found is not None and found.rule is NAME_GONE else ""
