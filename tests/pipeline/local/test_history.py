"""The page of all runs: every kind of folder, whatever is left in it, and readers and writers at the same time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.local.history import past_runs
from pipeline.local.history_page import render_history, write_history_page
from tests.support.runs import environment

ARGUMENTS = {"dataset": "mnist", "network": "fast", "model": "", "seed": 3, "epochs": 0, "model_name": "mnist"}
PUBLISHED = {"status": "PUBLISHED", "version": 4, "accuracy": 0.9953, "seconds": 71.4, "why": "the first model"}


def write_run(runs: Path, name: str = "20261124-190741-d5de", **files: Any) -> Path:
    """Write a run's folder: each file's name without its ending -> its content, an object or plain text."""
    folder = runs / name
    folder.mkdir(parents=True)
    written = {"request": {"arguments": ARGUMENTS}, "outcome": PUBLISHED, **files}
    for part, content in written.items():
        if content is not None:
            (folder / f"{part}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    for part in ("report.html", "run.log", "events.jsonl"):
        (folder / part).touch()
    return folder


def events(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("href", "src")]


def links(page: Path) -> list[str]:
    return _Links(page.read_text(encoding="utf-8")).found


def runs_command(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "runs", *options]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def test_the_command_writes_the_page_and_prints_json(tmp_path: Path) -> None:
    """`runs` names the page it wrote; `runs --json` gives the same runs as a list, the latest first."""
    write_run(tmp_path / "runs", "20261124-190741-d5de")
    lost = {"status": "NOT PROMOTED", "accuracy": 0.9, "champion": 0.9953, "seconds": 8, "severities": {"warning": 2}}
    write_run(tmp_path / "runs", "20261125-010000-aaaa", outcome=lost)
    said, listed = runs_command(tmp_path), json.loads(runs_command(tmp_path, "--json").stdout)

    assert said.stdout == "2 runs: runs/index.html\n" and said.returncode == 0
    assert [run["status"] for run in listed] == ["NOT PROMOTED", "PUBLISHED"]
    first = {key: listed[1][key] for key in ("started", "version", "accuracy", "seconds", "network", "seed")}
    assert list(first.values()) == ["2026-11-24T19:07:41Z", 4, 0.9953, 71.4, "fast", 3]
    assert listed[0]["findings"] == {"error": 0, "warning": 2, "accepted": 0, "note": 0}
    page = (tmp_path / "runs" / "index.html").read_text()
    assert "mnist version 4" in page and "2 warnings" in page and "0.9953" in page and "1 min 11 s" in page


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message says what was expected, received, and the option to correct."""
    refused = runs_command(tmp_path, "--runs", "elsewhere")

    assert refused.returncode == 2
    assert "Expected a folder of runs. Received: elsewhere. Fix:" in " ".join(refused.stderr.split())


def test_every_link_is_relative_and_leads_to_a_file(tmp_path: Path) -> None:
    """Nothing outside the folder of the runs is named, so the folder can be moved, or shown from elsewhere."""
    runs = tmp_path / "a place & its #1 runs"
    write_run(runs, "named by hand 100% #2")
    write_run(runs, "20261124-190741-d5de")
    (write_run(runs, "20261124-190741-ffff") / "report.html").unlink()
    moved = runs.rename(tmp_path / "moved")
    found = links(write_history_page(moved))

    assert len(found) == 5
    assert all((moved / unquote(link)).is_file() and not link.startswith(("/", "file:")) for link in found)
    assert str(tmp_path) not in (moved / "index.html").read_text()


@pytest.mark.parametrize(
    ("files", "status", "step"),
    [
        ({"outcome": None}, "UNFINISHED", "train"),
        ({"outcome": '{"status": "PUBL'}, "UNFINISHED", "train"),
        ({"outcome": None, "request": '{"argu'}, "UNFINISHED", "train"),
        ({"outcome": {"status": "FAILED", "step": "validate", "findings": 2}}, "FAILED", "validate"),
        ({"outcome": {"status": "INTERRUPTED", "step": "train", "seconds": 3}}, "INTERRUPTED", "train"),
        ({"outcome": [1, 2]}, "UNFINISHED", "train"),
        ({"outcome": {"status": "SOMETHING ELSE"}}, "UNFINISHED", "train"),
    ],
)
def test_a_run_that_did_not_end_well_is_shown(tmp_path: Path, files: dict[str, Any], status: str, step: str) -> None:
    """Killed, cut off, failed, interrupted: each is a row with the step it came to."""
    folder = write_run(tmp_path, **files)
    started = ({"event": "start", "task": task, "time": 1.8e9} for task in ("download", "train"))
    (folder / "events.jsonl").write_text(events(*started) + '{"event": "sta')
    (run,) = past_runs(tmp_path)

    assert (run.status, run.step) == (status, step)
    assert status.lower() in write_history_page(tmp_path).read_text()


def test_a_run_is_at_work_as_long_as_its_processes_live(tmp_path: Path) -> None:
    """What decides is a lock that the run's processes hold, so a killed one is not taken for a running one."""
    folder = write_run(tmp_path, outcome=None)
    code = (
        "import sys; from pipeline.local.run_lock import hold_run_lock; "
        "log = open(sys.argv[1], 'ab'); hold_run_lock(log); "
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, folder / "run.log"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    alive = [run.status for run in past_runs(tmp_path)]
    holder.kill()
    holder.communicate()

    assert alive == ["RUNNING"]
    assert [run.status for run in past_runs(tmp_path)] == ["UNFINISHED"]


def test_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    """Hidden folders, files, empty and foreign folders, links that lead nowhere or in a circle are not shown."""
    write_run(tmp_path)
    (tmp_path / ".cache" / "processes").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "outcome.txt").write_text("good")
    (tmp_path / "notes" / "outcome.json").mkdir()
    (tmp_path / "file.json").write_text("{}")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")

    assert [run.name for run in past_runs(tmp_path)] == ["20261124-190741-d5de"]
    assert len(links(write_history_page(tmp_path))) == 2


def test_no_text_of_a_run_becomes_markup(tmp_path: Path) -> None:
    """Names, reasons and bytes that are no UTF-8 reach the page as text."""
    hostile = "<script>alert(1)</script>"
    arguments = {**ARGUMENTS, "dataset": hostile, "network": '"><img src=x>'}
    write_run(tmp_path, "x<b>&", request={"arguments": arguments}, outcome={**PUBLISHED, "why": hostile})
    strange = tmp_path / os.fsdecode(b"\xff\xfe")
    strange.mkdir()
    (strange / "outcome.json").write_text(json.dumps(PUBLISHED))
    page = write_history_page(tmp_path).read_text(encoding="utf-8")

    assert len(past_runs(tmp_path)) == 2
    assert hostile not in page and "<img" not in page and "<b>" not in page
    assert page.count("<script>") == 1  # what sorts the table


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("status", "version", "accuracy", "champion", "seconds", "step", "why", "findings", "severities")


@settings(max_examples=150, deadline=None)
@given(
    outcome=st.dictionaries(st.sampled_from(NAMES), JSON | st.sampled_from(["PUBLISHED", "FAILED"])),
    arguments=st.dictionaries(st.sampled_from([*ARGUMENTS, "trials"]), JSON) | JSON,
    event=st.dictionaries(st.sampled_from(["event", "task", "time"]), JSON | st.just("start")),
)
def test_whatever_the_files_hold_there_is_a_page(
    tmp_path_factory: pytest.TempPathFactory, outcome: dict[str, Any], arguments: Any, event: dict[str, Any]
) -> None:
    """Values of any type in any place give a row, JSON of finite numbers, and a page."""
    runs = tmp_path_factory.mktemp("runs")
    folder = write_run(runs, "by hand", outcome=outcome, request={"arguments": arguments})
    (folder / "events.jsonl").write_text(events(event))
    (run,) = past_runs(runs)

    json.dumps(run.to_dict(), allow_nan=False)
    assert render_history([run]).count("<tr>") == 2


def test_hundreds_of_runs_fit_one_page(tmp_path: Path) -> None:
    """Four hundred runs, every value of the columns to sort by in place, below 1 MB."""
    for number in range(400):
        outcome = {**PUBLISHED, "version": number + 1, "accuracy": 0.9 + number / 10000}
        write_run(tmp_path, f"202611{number // 24 + 1:02}-{number % 24:02}0000-0000", outcome=outcome)
    page = write_history_page(tmp_path).read_text()

    assert len(re.findall(r'data-label="accuracy" class="number" data-value="0\.9\d*"', page)) == 400
    assert "mnist version 400" in page and len(page) < 1_000_000


def test_runs_that_end_at_once_leave_every_run_on_the_page(tmp_path: Path) -> None:
    """Each writer adds its run and makes the page anew; no reader sees half a page, and the last page has them all."""
    write_run(tmp_path, "00000000")

    def end(number: int) -> bool:
        write_run(tmp_path, f"{number:08}-x")
        return write_history_page(tmp_path).read_text().rstrip().endswith("</html>")

    with ThreadPoolExecutor(8) as pool:
        whole = list(pool.map(end, range(1, 33)))

    assert all(whole)
    assert len(links(tmp_path / "index.html")) == 2 * 33
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".index.html")] == []
