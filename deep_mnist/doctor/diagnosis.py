"""What the doctor says of a case, in the forms that a program, a terminal and a notebook ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import Finding, verdict

if TYPE_CHECKING:
    from deep_mnist.doctor.capture.words.origin import Origin


class Broken(NamedTuple):
    """A check that raised: a fault of the check, never of what it judged.

    Attributes:
        check: Its name.
        rules: Codes of its rules, which are not judged.
        error: Type and message of the exception.
        trace: Its traceback, for a report to us.
    """

    check: str
    rules: tuple[str, ...]
    error: str
    trace: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, without the traceback."""
        return {"check": self.check, "rules": list(self.rules), "error": self.error}

    def sentence(self) -> str:
        """Return it in one line."""
        rules = ", ".join(self.rules)
        return f"{rules} not judged: {self.check} broke ({self.error}). A fault of that rule, not of your program."


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says.

    Attributes:
        findings: Errors first.
        seconds: From the start of the work.
        case: What was judged, for the report's images.
        origin: The call of fit in its source; None when a folder was judged.
        broken: Checks that raised; what they look for was not judged.
        ignored: Codes of rules that the user has switched off.
        not_judged: What was not there to be judged, a sentence each.
        failure: The error that ended the program before its fit, "" where there was none.
    """

    findings: Sequence[Finding]
    seconds: float
    case: Case
    origin: Origin | None = None
    broken: Sequence[Broken] = ()
    ignored: frozenset[str] = frozenset()
    not_judged: Sequence[str] = ()
    failure: str = ""

    @property
    def verdict(self) -> str:
        """Return "fit" or "unfit"; "failed" where the program ended by an error and there is no fit to judge."""
        return "failed" if self.failure else verdict(self.findings)

    @property
    def errors(self) -> int:
        return sum(each.severity == "error" for each in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        findings = [each.to_dict() for each in self.findings]
        values = {"verdict": self.verdict, "seconds": round(self.seconds, 3), "findings": findings}
        if self.failure:
            values["error"] = self.failure
        if self.broken:
            values["broken"] = [each.to_dict() for each in self.broken]
        if self.ignored:
            values["ignored"] = sorted(self.ignored)
        if self.not_judged:
            values["not_judged"] = [*self.not_judged]
        return values if self.origin is None else {**values, "source": self.origin.to_dict()}

    def raise_if_unfit(self) -> Diagnosis:
        """Return the diagnosis itself when it is fit.

        Raises:
            UnfitError: It is not; the message holds every error.
        """
        if self.verdict != "fit":
            raise UnfitError(self)
        return self

    def __str__(self) -> str:
        """Return the text that the command prints, without color."""
        from deep_mnist.doctor.report.render import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the page, in a frame of its own, for a notebook."""
        from deep_mnist.doctor.report.render import as_frame

        return as_frame(self)


class UnfitError(ValueError):
    """Training on this data would fail; `diagnosis` says why.

    Attributes:
        diagnosis: The whole of it.
        expected, received, fix: Of all errors, in their order.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        errors = [each for each in diagnosis.findings if each.severity == "error"]
        lines = [each.sentence() for each in errors]
        super().__init__("\n  ".join(["Expected data that the network can be trained on. Received:", *lines]))
        self.diagnosis = diagnosis
        self.expected = "\n".join(f"{each.rule.code} {each.field}: {each.expected}" for each in errors)
        self.received = "\n".join(f"{each.rule.code} {each.field}: {each.received}" for each in errors)
        self.fix = "\n".join(dict.fromkeys(each.fix for each in errors))
