"""A diagnosis as a pipeline hands it on: three files and a verdict, and the gate that reads them.

A task that fails uploads none of its artifacts on a cluster, so the step that judges always succeeds, and the gate
behind it, a task of its own, raises. What costs money takes the gate's output as an input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from deep_mnist.doctor.diagnosis import Diagnosis


def _name(finding: Mapping[str, Any]) -> str:
    """Return "I103 images.range"; an image of an earlier version writes findings without a rule."""
    return f"{finding.get('rule', '')} {finding['field']}".strip()


class UnfitVerdictError(ValueError):
    """A verdict that stops the run, with every error found, not only the first.

    Attributes:
        expected, received, fix: Of all errors, in their order.
    """

    subject = "the run is"

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        lines = [
            f"{_name(each)} ({each['split']})\n"
            f"    Expected: {each['expected']}\n    Received: {each['received']}\n"
            + (f"    Where: {', '.join(map(str, each['where']))}\n" if each.get("where") else "")
            + f"    Fix: {each['fix']}"
            for each in errors
        ]
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        super().__init__("\n  ".join([f"{self.subject} not fit to train on, {count}:", *lines]))
        self.expected = "\n".join(f"{_name(each)}: {each['expected']}" for each in errors)
        self.received = "\n".join(f"{_name(each)}: {each['received']}" for each in errors)
        self.fix = "\n".join(dict.fromkeys(str(each["fix"]) for each in errors))


class InvalidDataError(UnfitVerdictError):
    """Data that the network cannot use."""

    subject = "the data are"


class UnfitNetworkError(UnfitVerdictError):
    """A network that a short run showed cannot be trained as it is."""

    subject = "the network is"


class VerdictOutputs(NamedTuple):
    """What the step returns."""

    verdict: str
    errors: int


def write_reports(diagnosis: Diagnosis, findings: Path, report: Path, summary: Path, *, step: str) -> VerdictOutputs:
    """Write the JSON object, the page and the Markdown, print the findings, and return the step's outputs."""
    # Not above: the gate, a step of its own, needs nothing of numpy.
    from deep_mnist.doctor.report.render import as_html, as_json, as_markdown, headline

    for path in (findings, report, summary):
        path.parent.mkdir(parents=True, exist_ok=True)
    findings.write_text(as_json(diagnosis) + "\n")
    report.write_text(as_html(diagnosis))
    summary.write_text(as_markdown(diagnosis))
    print(f"{step}: {headline(diagnosis)}", flush=True)
    for finding in diagnosis.findings:
        print(f"{step}: {finding.sentence()}", flush=True)
    return VerdictOutputs(diagnosis.verdict, diagnosis.errors)


def require_fit(
    findings: Sequence[Mapping[str, Any]], verdict: str, error: type[UnfitVerdictError] = InvalidDataError
) -> str:
    """Return "fit", the token that the next step waits for.

    Args:
        findings: As in the doctor's JSON.
        verdict: What the judging step returned.
        error: What to raise.

    Raises:
        UnfitVerdictError: The verdict is not "fit"; the message tells every error.
    """
    errors = [each for each in findings if each.get("severity") == "error"]
    if verdict == "fit" and not errors:
        return "fit"
    raise error(errors)
