"""The examples in the library's docstrings give what they show."""

from __future__ import annotations

import doctest
import importlib
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITH_EXAMPLES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for path in (ROOT / "deep_mnist").rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_give_what_they_show(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a module's docstrings runs, and prints what stands below it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what examples leave goes with the test
    ended = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert not ended.failed
