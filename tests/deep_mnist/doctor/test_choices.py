"""Rules are switched off, visibly; a project's pyproject.toml speaks for its scripts and folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.doctor.__main__ import main
from deep_mnist.doctor.acceptance import choices_of
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.judge import judge_folder
from deep_mnist.doctor.settings import project_settings
from tests.support.doctor_cases import digits


@pytest.fixture
def raw(tmp_path) -> Path:
    """A folder whose pixels are 0..255 for a network that wants 0..1, in a project's folder."""
    return digits().images(lambda images: (images * 255).astype(np.float32)).write(tmp_path / "project" / "data")


def rule_of(folder: Path) -> str:
    (finding,) = judge_folder(folder).findings
    return finding.rule.code


def test_an_ignored_rule_finds_nothing_and_the_report_says_that_it_was_switched_off(raw, capsys):
    code = rule_of(raw)

    assert main([str(raw), "--ignore", code, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["findings"] == [] and printed["ignored"] == [code]
    assert main([str(raw), "--ignore", code]) == 0
    assert f"Switched off: {code}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["I999", "images.range", "F101"])
def test_only_rules_that_are_known_and_of_no_file_can_be_ignored(name):
    with pytest.raises(NotUsableError, match="Expected"):
        choices_of(None, [name])


def test_the_nearest_pyproject_with_a_section_of_the_doctors_counts(raw, capsys):
    """As with ruff: the folder's own project is asked, files without the section are passed by."""
    code = rule_of(raw)
    (raw / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    (raw.parent / "pyproject.toml").write_text(f'[tool.deep-mnist.doctor]\nignore = ["{code}"]\n')
    (raw.parent.parent / "pyproject.toml").write_text('[tool.deep-mnist.doctor]\nignore = ["I103", "M999"]\n')

    assert project_settings(raw).ignore == (code,)
    assert main([str(raw), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ignored"] == [code]


def test_a_project_accepts_with_a_reason(raw, capsys):
    (raw.parent / "pyproject.toml").write_text('[tool.deep-mnist.doctor.accept]\n"images.range" = "the old loader"\n')

    assert main([str(raw), "--json"]) == 0
    assert [each["because"] for each in json.loads(capsys.readouterr().out)["findings"]] == ["the old loader"]


@pytest.mark.parametrize(
    "section",
    ['ignored = ["I103"]', 'ignore = "I103"', "ignore = [103]", 'accept = ["I103"]', "[broken", 'rules = "mine.py"'],
)
def test_a_section_that_cannot_be_meant_is_refused_by_name(raw, capsys, section):
    (raw.parent / "pyproject.toml").write_text(f"[tool.deep-mnist.doctor]\n{section}\n")

    assert main([str(raw)]) == 2
    assert "pyproject.toml" in capsys.readouterr().err
