"""Rules of a user's own count as the doctor's; one that raises costs itself alone and is told as broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.doctor_cases import digits
from tests.support.own_rules import OWN, write_rules

ROOT = Path(__file__).resolve().parents[3]


def doctor(*arguments: object) -> tuple[int, dict, str]:
    command = [sys.executable, "-m", "deep_mnist.doctor", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_a_file_of_rules_judges_as_the_doctors_own_do(tmp_path):
    folder, rules = digits().write(tmp_path / "data"), write_rules(tmp_path / "mine.py")

    status, printed, _ = doctor(folder, "--rules", rules)
    assert status == 1
    assert [(each["rule"], each["split"]) for each in printed["findings"]] == [("OWN001", "both")]
    status, printed, _ = doctor(folder, "--rules", rules, "--accept", "OWN001=we make them since May")
    assert status == 0 and printed["findings"][0]["severity"] == "accepted"
    assert doctor(folder, "--rules", rules, "--ignore", "own-no-sevens")[0] == 0


def test_a_project_brings_its_own_rules(tmp_path):
    folder = digits().write(tmp_path / "data")
    write_rules(tmp_path / "mine.py")
    (tmp_path / "pyproject.toml").write_text('[tool.deep-mnist.doctor]\nrules = ["mine.py"]\n')

    assert doctor(folder)[0] == 1


def test_a_package_brings_its_rules_by_an_entry_point(tmp_path):
    """As pip would install it: a module and the metadata that names it."""
    site, folder = tmp_path / "site", digits().write(tmp_path / "data")
    (site / "plant-1.0.dist-info").mkdir(parents=True)
    write_rules(site / "plant_rules.py")
    (site / "plant-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: plant\nVersion: 1.0\n")
    (site / "plant-1.0.dist-info" / "entry_points.txt").write_text("[deep_mnist.rules]\nplant = plant_rules\n")
    code = f"import sys; sys.path.append({str(site)!r}); from deep_mnist.doctor.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["findings"][0]["rule"] == "OWN001"


def test_a_rule_that_raises_is_told_as_broken_and_costs_itself_alone(tmp_path):
    rules = write_rules(tmp_path / "mine.py", body="raise KeyError('shelf')")
    fit = digits().write(tmp_path / "fit")
    unfit = digits().images(lambda images: images * 255).write(tmp_path / "unfit")

    status, printed, _ = doctor(fit, "--rules", rules)
    assert status == 3 and printed["verdict"] == "fit" and printed["findings"] == []
    assert printed["broken"] == [{"check": "check_sevens", "rules": ["OWN001"], "error": "KeyError: 'shelf'"}]
    status, printed, _ = doctor(unfit, "--rules", rules)
    assert status == 1 and [each["field"] for each in printed["findings"]] == ["images.range"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = (", "SyntaxError"),
        ("import no_such_module", "No module named"),
        ("x = 1", "marked with @check"),
        (OWN.format(body="pass").replace("OWN001", "own-1"), "Expected a code"),
        (OWN.format(body="pass").replace("OWN001", "I103"), "one rule of code I103"),
    ],
)
def test_a_file_of_no_rules_is_refused_in_one_line(tmp_path, text, says):
    (tmp_path / "mine.py").write_text(text)
    status, _, err = doctor(digits().write(tmp_path / "data"), "--rules", tmp_path / "mine.py")

    assert status == 2 and says in err and "Traceback" not in err and err.count("\n") == 1
