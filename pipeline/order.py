"""The order of a definition's tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def container_tasks(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of the tasks of a pipeline specification that run a container, in loops too, in order."""
    return list(_container_tasks(spec, spec["root"]["dag"]))


def _container_tasks(spec: Mapping[str, Any], dag: Mapping[str, Any]) -> Iterator[str]:
    for name in in_order(dag["tasks"]):
        component = spec["components"][dag["tasks"][name]["componentRef"]["name"]]
        if "dag" in component:
            yield from _container_tasks(spec, component["dag"])
        else:
            yield name
