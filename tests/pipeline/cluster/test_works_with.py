"""The table of versions in docs/cluster.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cluster.works_with import PAGE, PINS, RESULT, TESTED, pinned, result_in, rewritten, table

JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="24" failures="1" errors="0" skipped="2"
timestamp="2026-12-01T10:00:00"><properties>{}</properties></testsuite></testsuites>"""
MET = {"kubernetes": "v1.34.2", "kubeflow": "2.17.0", "argo": "v4.0.5"}


def junit(path: Path, met: dict[str, str]) -> Path:
    path.write_text(JUNIT.format("".join(f'<property name="{name}" value="{each}"/>' for name, each in met.items())))
    return path


def test_the_page_holds_the_table_of_now() -> None:
    """A pin that moves moves the table: python -m pipeline.cluster.works_with."""
    page = PAGE.read_text()

    assert rewritten(page, json.loads(RESULT.read_text())) == page


@pytest.mark.parametrize("part", [part for part, (path, _) in PINS.items() if path])
def test_each_pin_is_found(part: str) -> None:
    """Where it is pinned it is read."""
    assert pinned(part)[:1].isdigit() and f"| {part} | {pinned(part)} |" in PAGE.read_text()


def test_a_result_names_what_it_met(tmp_path: Path) -> None:
    """Versions and counts of a session with a cluster come into the table."""
    result = result_in(junit(tmp_path / "test-cluster.xml", MET))
    assert result is not None
    shown = table(result)

    assert result["said"] == "21 passed, 1 failed, 2 skipped"
    assert all(f"| {MET[name]} |" in shown for name in TESTED.values())
    assert "`make test-cluster`, 2026-12-01" in shown


def test_a_session_without_a_cluster_is_no_result(tmp_path: Path) -> None:
    """What was skipped says nothing of a version."""
    assert result_in(junit(tmp_path / "test-cluster.xml", {})) is None
