"""The command that measures: what it writes and what it compares, by the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.__main__ import compared

ONE = ("--only", "bench.calls")


def test_figures_are_written_and_compared(tmp_path: Path) -> None:
    """A run writes its figures and the machine, and prints them beside another run's."""
    before, now = tmp_path / "before.json", tmp_path / "now.json"
    figure = {"name": "seconds of pipeline --help", "value": 1000.0, "goal": 0.25, "at_least": False, "digits": 2}
    before.write_text(json.dumps({"machine": {"processor": "another"}, "figures": [figure]}))

    ended = _bench(*ONE, "--json", str(now), "--against", str(before))

    written = json.loads(now.read_text())
    assert ended.returncode in (0, 1), ended.stderr  # whether goals are met is not for a loaded machine to say
    assert written["machine"]["cores"] >= 1
    assert {each["name"] for each in written["figures"]} > {figure["name"]}
    assert all(each["value"] > 0 for each in written["figures"])
    assert "== beside the other run: processor another" in ended.stdout
    assert compared(json.loads(before.read_text()), written)[0] in ended.stdout


def test_a_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """One line, before anything is measured."""
    (tmp_path / "other.json").write_text("[]")

    ended = _bench(*ONE, "--against", str(tmp_path / "other.json"))

    assert ended.returncode == 2
    assert "other.json" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_ratio_tells_how_many_times_as_much() -> None:
    """A figure that only one run has is left out."""
    before = {"figures": [{"name": "a", "value": 2.0, "digits": 1}, {"name": "gone", "value": 1.0, "digits": 1}]}
    now = {"figures": [{"name": "a", "value": 3.0, "digits": 1}, {"name": "new", "value": 1.0, "digits": 1}]}

    (line,) = compared(before, now)

    assert line.split() == ["a", "2.0", "->", "3.0", "1.50", "times"]


def test_the_measurement_of_a_gpu_can_be_tried_without_one(tmp_path: Path) -> None:
    """Two trainings from two seeds on one compiled loop, of a few images: every figure of them is in the file."""
    written, few = tmp_path / "gpu.json", ("--images", "400", "--epochs", "1", "--seeds", "2", "--only", "trainings")
    command = [sys.executable, "-m", "bench.gpu", "--anywhere", *few, "--json", str(written)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1, ended.stderr  # no CPU reaches the goals
    assert "2 seeds: test accuracy" in ended.stdout
    found = json.loads(written.read_text())
    first, second = found["trainings"]
    assert (0, 1) == (first["seed"], second["seed"])
    assert first["first_call_seconds"] > 0 == second["first_call_seconds"]
    assert first["curve"] != second["curve"]
    assert all(each["accuracy"] > 0.3 and each["images_per_second"] > 0 for each in found["trainings"])
    assert found["machine"]["kind"] in ("CPU", "GPU")


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=False)
