"""A measured figure with the goal beside it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD = "BENCH_RECORD"  # environment variable: a file that gets a line of JSON for each figure


@dataclass(frozen=True)
class Claim:
    """What was measured, and what it is to be.

    Attributes:
        name: Of the figure, with its unit.
        value: Measured; None where this machine cannot measure it.
        goal: Greatest value that meets it, or least when `at_least`.
        digits: Behind the point.
    """

    name: str
    value: float | None
    goal: float
    at_least: bool = False
    digits: int = 2

    @property
    def met(self) -> bool:
        if self.value is None:
            return True
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        if self.value is None:
            return f"{self.name:62} not measured  (goal {sign} {self.goal:g})"
        verdict = "met" if self.met else "MISSED"
        return f"{self.name:62} {self.value:10.{self.digits}f}  (goal {sign} {self.goal:g})  {verdict}"


def tell(*claims: Claim) -> bool:
    """Print a line a claim, record it where `python -m bench` asks for it, and return whether all are met."""
    record = os.environ.get(RECORD)
    for claim in claims:
        print(claim, flush=True)
        if record:
            with Path(record).open("a") as stream:
                stream.write(json.dumps(asdict(claim)) + "\n")
    return all(claim.met for claim in claims)
