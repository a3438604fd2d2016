"""CONTRIBUTING.md and the decisions name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
KEPT_ELSEWHERE = {"component.py", "training.py", "test_clean.py"}


def test_every_path_it_names_exists() -> None:
    """Each path in backticks that is no pattern lies in the tree."""
    named = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|yaml))`", TEXT)
    missing = [path for path in named if path not in KEPT_ELSEWHERE and not (ROOT / path).exists()]
    assert len(named) > 10 and missing == []


def test_every_name_it_gives_is_in_the_code() -> None:
    """The functions, tables and tests that the examples point to are there."""
    code = "\n".join(
        path.read_text() for folder in ("deep_mnist", "components", "tests") for path in (ROOT / folder).rglob("*.py")
    )
    for name in (
        "case.example",
        "fires",
        "silent",
        "NETWORKS",
        "report_failure",
        "test_the_checked_in_contracts_are_those_of_the_code",
    ):
        assert name in TEXT and name in code


def test_every_make_target_it_names_exists() -> None:
    """What it says to type can be typed."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", TEXT)) <= targets


def test_decisions_are_numbered_without_a_gap() -> None:
    """docs/adr holds 0001, 0002, …, each headed by its number."""
    pages = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [path.name[:4] for path in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert all(path.read_text().startswith(f"# {int(path.name[:4])}. ") for path in pages)


def test_the_workflow_only_calls_the_ci_script() -> None:
    """GitHub runs .ci/run and no command of its own."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands == [".ci/run"]


def test_hooks_run_the_tools_of_make_check() -> None:
    """Each hook is local, and its tool is one that `make check` calls."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    makefile = (ROOT / "Makefile").read_text()
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    assert all(hook["entry"].split()[0] in makefile for hook in config["repos"][0]["hooks"])
