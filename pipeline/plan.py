"""`python -m pipeline plan`: what a run on a cluster would do, before anything is sent. It needs no cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from pipeline.definition import Definition, Task, compile_definition
from pipeline.parameters import parameter_options, parameters_for, with_defaults

PLACEHOLDER = "{{$.inputs.parameters['"


@click.command()
@parameter_options
@click.option("--fresh", is_flag=True, help="Reuse no step's earlier result.")
@click.option("--retraining", is_flag=True, help="Plan what `schedule` sends: it trains only when something changed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def plan(fresh: bool, retraining: bool, as_json: bool, **asked: Any) -> None:
    """Show the steps, their images, what may be reused, and what asks for a GPU. Nothing is sent."""
    definition = compile_definition(reuse=not (fresh or retraining), only_when_changed=retraining)
    parameters = with_defaults(definition, parameters_for(definition, **asked))
    planned = planned_run(definition, parameters)
    if as_json:
        click.echo(json.dumps(planned))
        return
    show(planned)


def planned_run(definition: Definition, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan: pipeline, digest, parameters, steps in order, warnings."""
    steps = [_step(task, parameters) for task in definition.tasks()]
    return {
        "pipeline": definition.name,
        "digest": definition.digest,
        "parameters": dict(parameters),
        "steps": steps,
        "warnings": _warnings(steps, parameters),
    }


def show(planned: Mapping[str, Any]) -> None:
    """Print a plan as a table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "earlier result", "accelerator", "cpu", "memory", "time limit", "retries", "image"):
        table.add_column(heading, overflow="fold")
    for step in planned["steps"]:
        table.add_row(*(str(step[key]) for key in _COLUMNS))
    console.print(f"{planned['pipeline']} {planned['digest'][:12]}", markup=False)
    console.print(table)
    for name, value in planned["parameters"].items():
        console.print(f"  {name} = {json.dumps(value)}", markup=False, highlight=False)
    for warning in planned["warnings"]:
        console.print(f"Warning: {warning}", markup=False, highlight=False)
    console.print("Nothing was sent.")


_COLUMNS = ("step", "reuse", "accelerator", "cpu", "memory", "timeout", "retries", "image")


def _step(task: Task, parameters: Mapping[str, Any]) -> dict[str, Any]:
    resources = task.executor.get("resources", {})
    return {
        "step": task.name,
        "condition": task.group,
        "reuse": "reused if nothing changed" if task.cached else "never reused",
        "accelerator": _accelerator(resources.get("accelerator", {}), parameters),
        "node_selector": parameters.get("node_selector", {}) if "nodeSelector" in task.kubernetes else {},
        "tolerations": parameters.get("tolerations", []) if "tolerations" in task.kubernetes else [],
        "cpu": resources.get("resourceCpuLimit", ""),
        "memory": resources.get("resourceMemoryLimit", ""),
        "timeout": f"{int(task.kubernetes.get('activeDeadlineSeconds', 0)) // 60} min",
        "retries": task.spec.get("retryPolicy", {}).get("maxRetryCount", 0),
        "image": task.executor.get("image", ""),
    }


def _accelerator(asked: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Return "2 x nvidia.com/gpu" as the driver will resolve it, or "none"."""
    count = _resolved(asked.get("resourceCount", "0"), parameters)
    kind = _resolved(asked.get("resourceType", ""), parameters)
    return "none" if not kind or count in ("", "0") else f"{count} x {kind}"


def _resolved(text: str, parameters: Mapping[str, Any]) -> str:
    if not text.startswith(PLACEHOLDER):
        return text
    name = text.removeprefix(PLACEHOLDER).rpartition("'")[0].removeprefix("pipelinechannel--")
    return str(parameters.get(name, ""))


def _warnings(steps: list[dict[str, Any]], parameters: Mapping[str, Any]) -> list[str]:
    found = []
    local = sorted({step["image"] for step in steps if "." not in step["image"].partition("/")[0]})
    if local:
        found.append(
            f"{', '.join(local)}: no registry in the name, so a node finds such an image only where it was loaded, as "
            "`make kind-run` does. Set DEEP_MNIST_IMAGES to your registry and `make images`, then push."
        )
    asking = [step["step"] for step in steps if step["accelerator"] != "none"]
    if asking and not parameters.get("node_selector"):
        found.append(f"{', '.join(asking)} asks for an accelerator of any kind. --node-selector names the kind.")
    return found
