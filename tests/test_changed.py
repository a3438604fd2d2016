"""The inner loop: the tests that a change reaches, by the real command in a clone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.changed import ROOT, reached


def test_importers_and_tests_that_start_the_command_are_reached_and_no_others() -> None:
    """A change of confident learning concerns the labels' tests and commands, not an optimizer's."""
    found = reached(["deep_mnist/labels/confident.py"])

    assert "tests/deep_mnist/labels/test_confident.py" in found
    assert "tests/deep_mnist/labels/test_search.py" in found  # names `python -m deep_mnist.labels`
    assert "tests/components/train/test_muon.py" not in found


def test_what_is_not_imported_reaches_the_tests_that_name_it() -> None:
    """A template or a manifest is read, not imported."""
    assert "tests/requirements/test_install.py" in reached(["requirements/install.py"])
    assert "tests/components/train/test_muon.py" not in reached(["docker/Dockerfile"])
    assert any("container" in each for each in reached(["docker/Dockerfile"]))


def test_the_command_runs_what_differs(tmp_path: Path) -> None:
    """What is changed in a clone is collected, and without a change nothing is."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    command = [sys.executable, "-m", "tests.support.changed", "--since", "HEAD", "--collect-only", "-q"]

    unchanged = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)
    with (clone / "tests/test_names.py").open("a") as file:
        file.write("# changed\n")
    changed = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)

    assert unchanged.stdout.startswith("0 test files")
    assert changed.stdout.startswith("1 test files")
    assert "tests/test_names.py" in changed.stdout


def test_a_revision_that_is_not_there_is_refused() -> None:
    """In one line, and nothing is run."""
    command = [sys.executable, "-m", "tests.support.changed", "--since", "no-such-revision"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "no-such-revision" in ended.stderr
    assert "Traceback" not in ended.stderr
