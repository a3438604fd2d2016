"""Run a component's body as kfp's executor does, in a process of its own, and read what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.failure import Failure, read_failure
from deep_mnist.processes import start_module
from pipeline.local.forked_steps import EXECUTOR
from tests.support.runs import ROOT

SECONDS = 240.0


@dataclass(frozen=True)
class Executed:
    """How a step ended, what it printed, and the error.json beside its outputs."""

    status: int
    log: str
    failure: Failure | None


def execute_body(folder: Path, step: str, body: str, **environment: str) -> Executed:
    """Run `body` as the body of a step's function, inside `report_failure`, as every component's is."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = f"def {step}():\n    from components.failure import report_failure\n    with report_failure():\n{lines}\n"
    module = folder / "ephemeral_component.py"
    module.write_text(source)
    outputs = {"outputFile": str(folder / "outputs" / "executor_output.json")}
    arguments = ["--executor_input", json.dumps({"outputs": outputs}), "--function_to_execute", step]
    surroundings = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": str(ROOT), **environment}
    with (folder / "log").open("w+") as log:
        process = start_module(
            EXECUTOR,
            ["--component_module_path", str(module), *arguments],
            environment=surroundings,
            folder=folder,
            output=log,
            errors=log,
        )
        status = process.wait(SECONDS)
        log.seek(0)
        return Executed(status, log.read(), read_failure(folder / "outputs"))


def execute_component(folder: Path, component: Any, parameters: dict[str, Any]) -> Executed:
    """Run a component's own command; its input artifacts name folders that are not there."""
    spec = component.component_spec
    container = spec.implementation.container
    executor_input = json.dumps(_executor_input(folder, spec, parameters))
    arguments = [each.replace("{{$}}", executor_input) for each in container.args]
    command = [each.replace("python3", sys.executable) if "ephemeral" in each else each for each in container.command]
    surroundings = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Executed(done.returncode, done.stdout, read_failure(folder / "outputs"))


def _executor_input(folder: Path, spec: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    def artifact(name: str, kind: str) -> dict[str, Any]:
        uri = str(folder / "outputs" / name)
        return {"artifacts": [{"name": name, "uri": uri, "type": {"schemaTitle": kind}, "metadata": {}}]}

    inputs, outputs = spec.inputs or {}, spec.outputs or {}
    zeros = {"String": "", "Integer": 0, "Float": 0.5, "Boolean": False, "List": [], "Dict": {}}
    return {
        "inputs": {
            "parameterValues": {
                name: parameters.get(name, zeros.get(each.type))
                for name, each in inputs.items()
                if not each.type.startswith("system.")
            },
            "artifacts": {
                name: artifact(f"no-{name}", each.type.partition("@")[0])
                for name, each in inputs.items()
                if each.type.startswith("system.")
            },
        },
        "outputs": {
            "outputFile": str(folder / "outputs" / "executor_output.json"),
            "parameters": {
                name: {"outputFile": str(folder / "outputs" / name)}
                for name, each in outputs.items()
                if not each.type.startswith("system.")
            },
            "artifacts": {
                name: artifact(name, each.type.partition("@")[0])
                for name, each in outputs.items()
                if each.type.startswith("system.")
            },
        },
    }
