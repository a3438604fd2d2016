"""The diagnosis in the forms of other tools: SARIF for code scanning, JUnit for test reports, GitHub's annotations."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Rule

if TYPE_CHECKING:
    from deep_mnist.doctor.diagnosis import Diagnosis

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "accepted": "note", "note": "note"}
COMMANDS = {"error": "error", "warning": "warning", "accepted": "notice", "note": "notice"}
TOOL = "deep-mnist-doctor"


def as_sarif(diagnoses: Sequence[Diagnosis]) -> str:
    """Return a SARIF 2.1.0 log of one run: each finding a result of its rule, an accepted one suppressed."""
    found = [(diagnosis, finding) for diagnosis in diagnoses for finding in diagnosis.findings]
    rules = list({finding.rule.code: finding.rule for _, finding in found}.values())
    driver = {"name": TOOL, "rules": [_descriptor(each) for each in rules]}
    broken = [each for diagnosis in diagnoses for each in diagnosis.broken]
    invocation = {
        "executionSuccessful": not broken,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": each.sentence()}} for each in broken],
    }
    results = [_result(diagnosis, finding, rules.index(finding.rule)) for diagnosis, finding in found]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": f"{rule.summary} {rule.why}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"field": rule.field, "scope": str(rule.scope)},
    }


def _result(diagnosis: Diagnosis, finding: Finding, index: int) -> dict[str, Any]:
    file, line = location(diagnosis, finding)
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(file)}}
    if line is not None:
        place["region"] = {"startLine": line}
    result: dict[str, Any] = {
        "ruleId": finding.rule.code,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": message(finding)},
        "locations": [{"physicalLocation": place}],
        "properties": finding.to_dict(),
    }
    if finding.because:
        result["suppressions"] = [{"kind": "external", "justification": finding.because}]
    return result


def as_junit(diagnoses: Sequence[Diagnosis]) -> str:
    """Return a JUnit report: a test case for each finding, errors failed, accepted ones skipped; or one that passed."""
    suites = ET.Element("testsuites")
    for diagnosis in diagnoses:
        cases = [_junit_case(diagnosis, each) for each in diagnosis.findings] or [_passed()]
        cases += [_junit_error(each.check, each.sentence()) for each in diagnosis.broken]
        failures, errors = (sum(each.find(kind) is not None for each in cases) for kind in ("failure", "error"))
        suite = ET.SubElement(suites, "testsuite", {
            "name": TOOL, "tests": str(len(cases)), "failures": str(failures), "errors": str(errors),
            "skipped": str(sum(each.find("skipped") is not None for each in cases)),
            "time": f"{diagnosis.seconds:.3f}"})  # fmt: skip
        suite.extend(cases)
    ET.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _passed() -> ET.Element:
    return ET.Element("testcase", {"classname": TOOL, "name": "nothing found"})


def _junit_case(diagnosis: Diagnosis, finding: Finding) -> ET.Element:
    file, line = location(diagnosis, finding)
    name = f"{finding.rule.code} {finding.rule.name} ({finding.split})"
    case = ET.Element("testcase", {"classname": f"{TOOL}.{finding.field}", "name": _xml(name), "file": _xml(file)})
    if line is not None:
        case.set("line", str(line))
    if finding.severity == "error":
        ET.SubElement(case, "failure", {"message": _xml(finding.received), "type": finding.rule.code}).text = _xml(
            message(finding)
        )
    elif finding.severity == "accepted":
        ET.SubElement(case, "skipped", {"message": _xml(f"accepted because {finding.because}")})
    else:
        ET.SubElement(case, "system-out").text = _xml(f"{finding.severity}: {message(finding)}")
    return case


def _junit_error(check: str, text: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": f"{TOOL}.broken", "name": check})
    ET.SubElement(case, "error", {"message": _xml(text), "type": "broken rule"})
    return case


def _xml(text: str) -> str:
    """Leave out what XML 1.0 cannot hold; findings quote file contents."""
    return "".join(each for each in text if each in "\t\n\r" or "\x20" <= each <= "\ud7ff" or "\ue000" <= each)


def as_github(diagnoses: Sequence[Diagnosis]) -> str:
    """Return GitHub's workflow commands, one annotation a finding, then a line with the verdict."""
    lines = []
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            file, line = location(diagnosis, finding)
            where = f"file={_property(file)}" + (f",line={line}" if line is not None else "")
            title = _property(f"{finding.rule.code} {finding.field} ({finding.split})")
            lines.append(f"::{COMMANDS[finding.severity]} {where},title={title}::{_data(message(finding))}")
        lines += [f"::error title=broken rule::{_data(each.sentence())}" for each in diagnosis.broken]
        lines.append(diagnosis.verdict)
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def message(finding: Finding) -> str:
    """Return a finding as one paragraph."""
    accepted = f" Accepted because: {finding.because}" if finding.because else ""
    return (
        f"Expected {finding.expected}. Received: {finding.received}. Fix: {finding.fix} "
        f"Otherwise: {finding.why}{accepted}"
    )


def location(diagnosis: Diagnosis, finding: Finding) -> tuple[str, int | None]:
    """Return the file (relative to the working directory where it lies below it) and line that a finding is about."""
    origin = diagnosis.origin
    if origin is None or not origin.path:
        return _relative(diagnosis.case.folder), None
    return _relative(origin.file), origin.line_of(finding)


def _relative(path: Path) -> str:
    path = path.resolve()
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) and path != here else path.as_posix()
