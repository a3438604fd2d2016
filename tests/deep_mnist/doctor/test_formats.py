"""The forms for other tools are what these tools read, and lead to the file and line of the fault."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from sarif_pydantic import Sarif

from deep_mnist.doctor.judge import judge_folder
from deep_mnist.doctor.report.formats import as_github, as_junit, as_sarif
from tests.support.digits import draw_digits
from tests.support.doctor_cases import digits
from tests.support.doctor_commands import doctor, doctors

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("scripts") / "raw_pixels.py"


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    """Raw pixels in test only, accepted, and labels beyond the classes."""
    accept = [{"field": "images.range", "split": "test", "because": "a reason: 100 %, true\nyes"}]
    case = digits().change(lambda images: images * 255, "test_images").change(lambda labels: labels + 5, "train_labels")
    return judge_folder(case.with_settings(accept=accept).write(tmp_path_factory.mktemp("case")))


def test_sarif_names_every_rule_and_suppresses_what_was_accepted(diagnosis):
    log = json.loads(as_sarif([diagnosis]))
    Sarif.model_validate(log)
    (run,) = log["runs"]

    assert [each["ruleId"] for each in run["results"]] == [each.rule.code for each in diagnosis.findings]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    suppressed = [each for each in run["results"] if "suppressions" in each]
    assert [each["properties"]["severity"] for each in suppressed] == ["accepted"]


def test_junit_counts_what_failed_and_skips_what_was_accepted(diagnosis):
    suite = ET.fromstring(as_junit([diagnosis])).find("testsuite")

    assert suite is not None
    errors = [each for each in diagnosis.findings if each.severity == "error"]
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == len(errors) > 0
    assert len(suite.findall("testcase/skipped")) == 1


def test_a_junit_report_of_nothing_found_has_one_case_that_passed(tmp_path):
    suite = ET.fromstring(as_junit([judge_folder(digits().write(tmp_path))])).find("testsuite")

    assert suite is not None and suite.get("tests") == "1" and suite.find("testcase/failure") is None


def test_githubs_annotations_stand_on_one_line_each(diagnosis):
    *lines, verdict = as_github([diagnosis]).split("\n")

    assert verdict == "unfit" and len(lines) == len(diagnosis.findings)
    assert all(re.match(r"::(error|warning|notice) file=[^,:]+,title=[^:]+::", each) for each in lines)
    assert any("100 %25, true%0Ayes" in each for each in lines)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("sarif", r'"uri": "raw_pixels\.py"'),
        ("github", r"^::error file=raw_pixels\.py,line=\d+,title=I"),
        ("junit", r'file="raw_pixels\.py" line="\d+"'),
        ("markdown", r"## error: I\d+ images\.range"),
        ("html", r"<h1>Is the data fit"),
    ],
)
@pytest.mark.usefixtures("fresh_processes")
def test_the_command_prints_each_form_with_the_scripts_file_and_line(form, says, tmp_path):
    """One form in a new interpreter, the others in forks."""
    x_train, y_train = draw_digits(400)
    np.savez(tmp_path / "digits.npz", x_train=x_train, y_train=y_train, x_test=x_train[:40], y_test=y_train[:40])
    shutil.copy(SCRIPT, tmp_path)
    arguments = [SCRIPT.name, "--format", form]
    done = doctor(*arguments, folder=tmp_path) if form == "sarif" else doctors({form: arguments}, tmp_path)[form]

    assert done.status == 1, done.err
    assert re.search(says, done.out, re.MULTILINE), done.out[:2000]
