"""`python -m pipeline plan`: what a run on a cluster would do, before anything is sent. It needs no cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from pipeline.cluster.cluster_arguments import (
    cluster_run_options,
    cluster_settings,
    definition_options,
    pipeline_parameters,
    sweep_for_cluster,
)
from pipeline.cluster.definition import CompiledTask, Definition, compile_definition
from pipeline.cluster.demand import Demand, demand_of
from pipeline.cluster.nodes import beyond_quota, nodes_of, with_nodes
from pipeline.command_options import SWEEP_OPTIONS, add_options

PLACEHOLDER = "{{$.inputs.parameters['"


@click.command()
@cluster_run_options
@definition_options
@click.option("--fresh", is_flag=True, help="Reuse no step's earlier result.")
@click.option("--retraining", is_flag=True, help="Plan what `schedule` sends: it trains only when something changed.")
@click.option("--sweep", is_flag=True, help="Plan what `sweep` sends, with its --seeds, --networks, --parallelism.")
@add_options(*SWEEP_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def plan(fresh: bool, retraining: bool, sweep: bool, as_json: bool, **options: Any) -> None:
    """Show the steps, their images, what may be reused, and what asks for a GPU. Nothing is sent."""
    sweeping = {name: options.pop(name) for name in ("seeds", "networks", "parallelism")}
    if sweep:
        definition, parameters = sweep_for_cluster(reuse=not fresh, needs_store=False, **sweeping, **options)
    else:
        definition = compile_definition(
            gpu=options["gpu"],
            settings=cluster_settings(options),
            reuse=not (fresh or retraining),
            retraining=retraining,
        )
        parameters = pipeline_parameters(definition, needs_store=False, **options)
    planned = planned_run(definition, parameters)
    if as_json:
        click.echo(json.dumps(planned))
        return
    show(planned)


def planned_run(definition: Definition, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan: pipeline, digest, parameters, steps in order, warnings."""
    steps = [_step(task, parameters) for task in definition.tasks()]
    nodes = nodes_of(parameters)
    demand = demand_of(definition, parameters, {step["step"]: step["accelerator"] for step in steps})
    with_nodes(demand, nodes, len(parameters.get("trials", ())) or 1)
    return {
        "pipeline": definition.name,
        "digest": definition.digest,
        "parameters": dict(parameters),
        "steps": steps,
        "nodes": nodes,
        "demand": asdict(demand),
        "warnings": [*_warnings(steps, parameters), *beyond_quota(demand)],
    }


def show(planned: Mapping[str, Any]) -> None:
    """Print a plan as a table."""
    click.echo(f"{planned['pipeline']} {planned['digest'][:16]}")
    rows = [_HEADINGS, *([str(step[key]) for key in _HEADINGS] for step in planned["steps"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if nodes := planned["nodes"]:
        each = ", ".join(f"{value} {name}" for name, value in nodes["each"].items())
        click.echo(
            "train: a TrainJob (Kubeflow Trainer 2.x, runtime deep-mnist-tensorflow) of "
            f"{nodes['count']} pods, each {each}"
        )
    click.echo(Demand(**planned["demand"]).text())
    click.echo("parameters")
    for name, value in planned["parameters"].items():
        click.echo(f"  {name} = {json.dumps(value)}")
    for warning in planned["warnings"]:
        click.echo(f"Warning: {warning}")
    click.echo("Nothing was sent.")


_HEADINGS = ["step", "result", "accelerator", "cpu", "memory", "timeout", "retries", "condition", "image"]


def _step(task: CompiledTask, parameters: Mapping[str, Any]) -> dict[str, Any]:
    resources = task.executor.get("resources", {})
    return {
        "step": task.name,
        "condition": _condition(task, parameters),
        "result": "reused if unchanged" if task.cached else "always new",
        "accelerator": _accelerator(resources.get("accelerator", {}), parameters),
        "node_selector": parameters.get("node_selector", {}) if "nodeSelector" in task.kubernetes else {},
        "tolerations": parameters.get("tolerations", []) if "tolerations" in task.kubernetes else [],
        "cpu": resources.get("resourceCpuLimit", ""),
        "memory": resources.get("resourceMemoryLimit", ""),
        "timeout": f"{int(task.kubernetes.get('activeDeadlineSeconds', 0)) // 60} min",
        "retries": task.spec.get("retryPolicy", {}).get("maxRetryCount", 0),
        "image": task.executor.get("image", ""),
    }


def _condition(task: CompiledTask, parameters: Mapping[str, Any]) -> str:
    if "condition-" in task.group:
        return "if data or recipe changed"
    if "for-loop-" in task.group:
        return f"in each of {len(parameters['trials'])} trials"
    return "when all has ended" if task.spec.get("triggerPolicy") else ""


def _accelerator(requested: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Return "2 x nvidia.com/gpu" as the driver will resolve it, or "none"."""
    count = _resolved(requested.get("resourceCount", "0"), parameters)
    kind = _resolved(requested.get("resourceType", ""), parameters)
    return "none" if not kind or count in ("", "0") else f"{count} x {kind}"


def _resolved(text: str, parameters: Mapping[str, Any]) -> str:
    if not text.startswith(PLACEHOLDER):
        return text
    name = text.removeprefix(PLACEHOLDER).rpartition("'")[0].removeprefix("pipelinechannel--")
    return str(parameters.get(name, ""))


def _warnings(steps: list[dict[str, Any]], parameters: Mapping[str, Any]) -> list[str]:
    found = []
    if not parameters.get("registry"):
        found.append("no registry is named, and without one nothing can be published: --store gs://bucket/folder.")
    local = sorted({step["image"] for step in steps if "." not in step["image"].partition("/")[0]})
    if local:
        found.append(
            f"{len(local)} images have no registry in their names: a node finds them only where they were loaded, as "
            "`make kind-run` does. Set DEEP_MNIST_IMAGES to your registry, `make images`, and push them."
        )
    asking = [step["step"] for step in steps if step["accelerator"] != "none"]
    if asking and not parameters.get("node_selector"):
        found.append(f"{', '.join(asking)} asks for an accelerator of any kind. --node-selector names the kind.")
    return found
