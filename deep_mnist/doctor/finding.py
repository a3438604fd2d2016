"""One fault of the data or the network, what a person accepts of it, and the verdict on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from deep_mnist.doctor.rule import Rule

SEVERITIES = ("error", "warning", "accepted", "note")
MAX_WHERE = 10  # indices shown of the examples that are wrong


def first_of(wrong: np.ndarray | np.bool) -> tuple[int, ...]:
    """Return the first indices of what is wrong, of bool (n,)."""
    import numpy as np  # who has an array has it: verdicts are read without

    return tuple(int(index) for index in np.flatnonzero(wrong)[:MAX_WHERE])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        rule: What was found.
        field: What is wrong: the rule's field.
        severity: "error" makes the data unfit; "warning" and "note" do not, nor does "accepted": an error or
            warning that a person took responsibility for.
        split: "train", "test", "validation", "both" or "model".
        expected, received: One phrase each.
        fix: The one-line fix, a Python statement wherever one can.
        why: What would have happened in training.
        where: First indices of what is wrong.
        part: Which input or output of several it is about, "" of the first or only one.
        because: Why a person accepted it; empty unless the severity is "accepted".
        line: Of the call's source, where the cause lies at another one than where its data are set.
    """

    rule: Rule
    field: str
    severity: str
    split: str
    expected: str
    received: str
    fix: str
    why: str
    where: tuple[int, ...] = ()
    because: str = ""
    part: str = dataclasses.field(default="", compare=False)
    line: int | None = dataclasses.field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; "because" only of an accepted finding."""
        names = ("field", "severity", "split", "expected", "received")
        values: dict[str, Any] = {"rule": self.rule.code, "name": self.rule.name}
        values |= {name: getattr(self, name) for name in names}
        values |= {"where": list(self.where), "fix": self.fix, "why": self.why}
        return values | ({"because": self.because} if self.because else {})

    def sentence(self) -> str:
        """Return the finding in one line for a log."""
        where = f" First at {', '.join(map(str, self.where))}." if self.where else ""
        head = f"{self.severity.upper()} {self.rule.code} {self.field} ({self.split}): "
        accepted = f" Accepted because: {self.because}" if self.because else ""
        return f"{head}Expected {self.expected}. Received: {self.received}.{where} Fix: {self.fix}{accepted}"


def verdict(findings: Iterable[Finding]) -> str:
    """Return "unfit" when there is an error among the findings, else "fit"."""
    return "unfit" if any(each.severity == "error" for each in findings) else "fit"
