"""The order of a definition's tasks."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any


def in_order(tasks: Mapping[str, Any]) -> list[str]:
    """Return the names of a DAG's tasks, each after those it depends on.

    Args:
        tasks: `dag.tasks` of the intermediate representation.

    >>> in_order({"train": {"dependentTasks": ["download"]}, "download": {}})
    ['download', 'train']
    """
    return list(
        TopologicalSorter({name: tasks[name].get("dependentTasks", []) for name in sorted(tasks)}).static_order()
    )
