"""A measured figure with the goal beside it."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Print a line a claim and return whether all are met."""
    for claim in claims:
        print(claim, flush=True)
    return all(claim.met for claim in claims)
