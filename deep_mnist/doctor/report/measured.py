"""How often each rule alarmed on healthy data: read here, written by `python -m bench.false_alarms --write`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

DOCTOR = "all"  # the entry of all rules together


@dataclass(frozen=True)
class FalseAlarms:
    """Of one rule: healthy draws to which it applied, those in which it alarmed, and both for each kind of data.

    An alarm is an error or a warning; a note is none.
    """

    draws: int = 0
    alarms: int = 0
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def false_alarms_of(code: str) -> FalseAlarms | None:
    """Return what was measured of a rule, None where nothing was."""
    return measured().get(code)


@cache
def measured() -> Mapping[str, FalseAlarms]:
    """Return what was measured, by code; all rules together under DOCTOR."""
    return read_measured((files("deep_mnist.doctor.checks") / "measured.json").read_text())


def read_measured(text: str) -> dict[str, FalseAlarms]:
    """Return what a file of measurements says, by code."""
    entries: dict[str, dict[str, dict[str, tuple[int, int]]]] = json.loads(text)
    return {code: of_kinds({kind: (n, k) for kind, (n, k) in each["kinds"].items()}) for code, each in entries.items()}


def of_kinds(kinds: Mapping[str, tuple[int, int]]) -> FalseAlarms:
    """Return the measurement whose kinds of data have these (draws, alarms)."""
    return FalseAlarms(sum(n for n, _ in kinds.values()), sum(k for _, k in kinds.values()), dict(kinds))


def written(measurements: Mapping[str, FalseAlarms]) -> str:
    """Return the file's text: a line for each rule, so that a change shows as one."""
    lines = [f"  {json.dumps(code)}: {json.dumps(_plain(each))}" for code, each in sorted(measurements.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n" if lines else "{}\n"


def _plain(each: FalseAlarms) -> dict[str, Any]:
    kinds = {kind: list(counts) for kind, counts in each.kinds.items()}
    return {"draws": each.draws, "alarms": each.alarms, "kinds": kinds}
