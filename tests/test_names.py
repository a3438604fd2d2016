"""One name, one meaning: what keeps a reader from taking one class for another."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_no_class_name_is_defined_twice() -> None:
    """A class name stands for one thing in the library, the steps and the wiring together."""
    places = defaultdict(list)
    for path in (path for top in ("deep_mnist", "components", "pipeline") for path in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert len(places) > 50
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
