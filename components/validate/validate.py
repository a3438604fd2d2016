"""The work of validate: judge the dataset that preprocess wrote, write the report, and the gate behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deep_mnist.contract.folder import contract_of
from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.judge import Diagnosis, diagnose
from deep_mnist.doctor.report import as_html, as_json, as_markdown, headline


class InvalidDataError(ValueError):
    """Data that the network cannot use, with every error found in them, not only the first.

    Attributes:
        expected, received, fix: Of all errors, in their order.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        lines = [
            f"{each['field']} ({each['split']})\n"
            f"    Expected: {each['expected']}\n    Received: {each['received']}\n"
            + (f"    Where: {', '.join(map(str, each['where']))}\n" if each.get("where") else "")
            + f"    Fix: {each['fix']}"
            for each in errors
        ]
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        super().__init__("\n  ".join([f"the data are not fit to train on, {count}:", *lines]))
        self.expected = "\n".join(f"{each['field']}: {each['expected']}" for each in errors)
        self.received = "\n".join(f"{each['field']}: {each['received']}" for each in errors)
        self.fix = "\n".join(dict.fromkeys(str(each["fix"]) for each in errors))


class Outputs(NamedTuple):
    """What the step returns."""

    verdict: str
    errors: int


def validate_dataset(folder: Path, accept: Sequence[Mapping[str, Any]] = ()) -> Diagnosis:
    """Judge the dataset that preprocess wrote, by the contract that lies in it.

    Args:
        folder: A dataset folder.
        accept: What a person takes responsibility for: [{"field", "split" (absent: any), "because"}]; contract.json
            may name more.

    Raises:
        DatasetError: The folder was altered since, or holds nothing; the message names the step to rerun.
    """
    dataset = open_dataset(folder)
    contract = contract_of(dataset)
    try:
        return diagnose(folder, contract, fit=contract.fit, record=dataset.record, accept=accept)
    except NotUsableError as error:
        raise DatasetError(f"{error} Rerun preprocess.") from error


def write_reports(diagnosis: Diagnosis, findings: Path, report: Path, summary: Path) -> Outputs:
    """Write the JSON object, the page and the Markdown, print the findings, and return the step's outputs."""
    for path in (findings, report, summary):
        path.parent.mkdir(parents=True, exist_ok=True)
    findings.write_text(as_json(diagnosis) + "\n")
    report.write_text(as_html(diagnosis))
    summary.write_text(as_markdown(diagnosis))
    print(f"validate: {headline(diagnosis)}", flush=True)
    for finding in diagnosis.findings:
        print(f"validate: {finding.sentence()}", flush=True)
    return Outputs(diagnosis.verdict, diagnosis.errors)


def require_valid(findings: Sequence[Mapping[str, Any]], told_verdict: str) -> str:
    """Return "fit", the token that train waits for.

    Args:
        findings: As in the doctor's JSON.
        told_verdict: What validate returned.

    Raises:
        InvalidDataError: The verdict is not "fit"; the message tells every error.
    """
    errors = [each for each in findings if each.get("severity") == "error"]
    if told_verdict == "fit" and not errors:
        return "fit"
    raise InvalidDataError(errors)
