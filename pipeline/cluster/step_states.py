"""The states of a run's steps, and how they are shown while it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from components.argo_workflow import PodState, step_name
from components.pod_end import pod_end

CACHED = "from the cache"
# Argo's node is there and has not begun, or never will: `Omitted`, where what it depends on failed.
_NOT_BEGUN = (None, "RUNTIME_STATE_UNSPECIFIED")
# Argo's phase -> the API's word: kubeflow/pipelines 2.17.0, backend/src/apiserver/model/run.go:97 (ToV2).
_STATES = {
    "Pending": "PENDING", "Running": "RUNNING", "Succeeded": "SUCCEEDED", "Skipped": "SKIPPED", "Failed": "FAILED",
    "Error": "FAILED",
}  # fmt: skip


def task_details(run: Any) -> list[Any]:
    """Return the API's details of a run's tasks, which are Argo's nodes."""
    return (run.run_details.task_details if run.run_details else None) or []


def details_in(workflow: Mapping[str, Any]) -> list[Any]:
    """Return the same of a Workflow's nodes, for the API tells old ones once Argo has packed them."""
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return [
        SimpleNamespace(
            display_name=node.get("displayName"),
            state=_STATES.get(str(node.get("phase"))),
            start_time=node.get("startedAt"),
        )
        for node in nodes.values()
    ]


def steps_of(spec: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, int]:
    """Return the steps of a definition, each with how many times it runs: in a loop once for each of its items.

    The API lists Argo's internals beside the steps, and of a loop only what has begun.
    """
    return dict(_steps_in(spec, spec.get("root", {}), 1, parameters))


def _steps_in(
    spec: Mapping[str, Any], component: Mapping[str, Any], times: int, parameters: Mapping[str, Any]
) -> Iterator[tuple[str, int]]:
    for name, task in component.get("dag", {}).get("tasks", {}).items():
        inner = spec.get("components", {}).get(task["componentRef"]["name"], {})
        here = max(1, len(_items(task, parameters))) if "parameterIterator" in task else times
        if "dag" in inner:
            yield from _steps_in(spec, inner, here, parameters)
        else:
            yield name, here


def _items(task: Mapping[str, Any], parameters: Mapping[str, Any]) -> Sequence[Any]:
    items = task["parameterIterator"]["items"]
    named = str(items.get("inputParameter", "")).removeprefix("pipelinechannel--")
    return json.loads(items["raw"]) if "raw" in items else parameters.get(named, [])


def step_states(details: Sequence[Any], steps: Mapping[str, int]) -> dict[str, str]:
    """Return the state of each step that has begun, in the API's words, in order of their start.

    A step that may be repeated is there as `train` and once for each attempt, `train(0)`, `train(1)`: the first speaks
    for all. In a loop a step is there once for each trial: together they are the least finished of them, those that
    have not begun included.

    Args:
        steps: As `steps_of` returns them.
    """
    details = [each for each in details if each.state not in _NOT_BEGUN]
    details.sort(key=lambda each: (each.start_time is None, str(each.start_time)))
    whole: dict[str, list[str]] = {}
    last: dict[str, str] = {}
    for each in details:
        shown = each.display_name or ""
        last[step_name(shown)] = str(each.state)
        if step_name(shown) == shown:
            whole.setdefault(shown, []).append(str(each.state))
    return {name: _together(whole.get(name, [state]), steps[name]) for name, state in last.items() if name in steps}


def _together(begun: list[str], times: int) -> str:
    """Return the state of a step's trials, of which some may not have begun."""
    states = [*begun, *["PENDING"] * (times - len(begun))]
    order = ("FAILED", "RUNNING", "PENDING", "CANCELING", "CANCELED")
    said = next((state for state in order if state in states), states[-1])
    done = sum(state == "SUCCEEDED" for state in states)
    return said if len(states) == 1 or done == len(states) else f"{said} {done} of {len(states)} trials have succeeded"


class StepTable:
    """A live table of the steps on a terminal, a line for each change elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._shown_states: dict[str, str] = {}
        self._repeated: set[str] = set()

    def __enter__(self) -> StepTable:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line beside the states."""
        self._console.print(text, highlight=False, markup=False)

    def say_repeated(self, repeated: Iterable[tuple[int, PodState]]) -> None:
        """Print of each repetition, once, what became of the pod before it."""
        for attempt, lost in repeated:
            line = f"{lost.where:<14} attempt {attempt}: {pod_end(lost.message).how or 'the pod before it failed'}"
            if line not in self._repeated:
                self._repeated.add(line)
                self.say(line)

    def show(self, states: Mapping[str, str]) -> None:
        """Show the states; what follows a state's word is its reason."""
        if self._live:
            self._live.update(_table(states))
            return
        for step, state in states.items():
            if self._shown_states.get(step) != state:
                self._shown_states[step] = state
                self._console.print(f"{step:<14} {_shown(state)}", highlight=False, markup=False)


def _table(states: Mapping[str, str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    colours = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "bold", "CANCELED": "yellow", "SKIPPED": "cyan"}
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "state"):
        table.add_column(heading)
    for step, state in states.items():
        table.add_row(step, Text(_shown(state), style=colours.get(state.partition(" ")[0], "dim")))
    return table


def _shown(state: str) -> str:
    """Return a state in lower case, and what follows it as it is."""
    word, space, rest = state.partition(" ")
    return word.lower() + (f": {rest}" if space else "")
