"""What a run asks a cluster for at the same time, so that one sees before it is sent that a node is too small."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.cluster.definition import CompiledTask, Definition
from pipeline.order import in_order

# Argo's own container in each pod, as the LimitRange of manifests/base lets it ask: cores, Mi.
BESIDE_CPU, BESIDE_MEMORY = 0.05, 64
# What Kubeflow Pipelines 2.17 with kind's store asks for already, defaults of the LimitRange included.
INSTALL = "1.0 cores and 3.6 GiB"
_MI = {"": 1 / 2**20, "Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "M": 1e6 / 2**20, "G": 1e9 / 2**20}


@dataclass
class Demand:
    """Requests, each the most that there is at one time.

    Attributes:
        pods: How many run.
        cores, memory: Of all of them; memory in Mi.
        accelerators: Resource -> how many.
        largest_cores, largest_memory: Of the largest single pod, which one node must hold; memory in Mi.
    """

    pods: int = 0
    cores: float = 0.0
    memory: float = 0.0
    accelerators: dict[str, int] = field(default_factory=dict)
    largest_cores: float = 0.0
    largest_memory: float = 0.0

    def text(self) -> str:
        """Return it as a sentence."""
        accelerators = "".join(f", {count} x {kind}" for kind, count in self.accelerators.items())
        return (
            f"requested at the same time: {self.cores:.2f} cores, {self.memory / 1024:.2f} GiB{accelerators}, in "
            f"{self.pods} pod{'s' if self.pods > 1 else ''}; one node must have {self.largest_cores:.2f} cores and "
            f"{self.largest_memory / 1024:.2f} GiB free. Kubeflow itself asks for {INSTALL}"
        )

    def admit(self, pods: int, cores: float, memory: float, accelerators: Mapping[str, int]) -> None:
        """Take note of what is there at one time."""
        self.pods, self.cores = max(self.pods, pods), max(self.cores, cores)
        self.memory = max(self.memory, memory)
        for kind, count in accelerators.items():
            self.accelerators[kind] = max(self.accelerators.get(kind, 0), count)


def demand_of(definition: Definition, parameters: Mapping[str, Any], accelerators: Mapping[str, str]) -> Demand:
    """Return what a run asks for.

    Args:
        definition: What is sent.
        parameters: Of the run: how many trials there are.
        accelerators: Step -> "2 x nvidia.com/gpu" or "none".
    """
    demand = Demand()
    moments: dict[tuple[str, int], list[CompiledTask]] = {}
    depths: dict[str, dict[str, int]] = {}
    for task in definition.tasks():
        if task.group not in depths:
            depths[task.group] = _depths(_dag(definition, task.group))
        moments.setdefault((task.group, depths[task.group][task.name]), []).append(task)
    for (group, _), tasks in moments.items():
        times = _at_once(definition, group, parameters)
        sizes = [_size(task) for task in tasks]
        kinds: dict[str, int] = {}
        for task in tasks:
            count, _, kind = accelerators.get(task.name, "none").partition(" x ")
            if kind:
                kinds[kind] = kinds.get(kind, 0) + times * int(count)
        demand.admit(times * len(tasks), times * sum(c for c, _ in sizes), times * sum(m for _, m in sizes), kinds)
        demand.largest_cores = max(demand.largest_cores, *(cores for cores, _ in sizes))
        demand.largest_memory = max(demand.largest_memory, *(memory for _, memory in sizes))
    return demand


def _depths(dag: Mapping[str, Any]) -> dict[str, int]:
    """Return after how many others, one after the other, each task of a DAG comes: those of one depth run together."""
    depths: dict[str, int] = {}
    for name in in_order(dag["tasks"]):
        before = dag["tasks"][name].get("dependentTasks", [])
        depths[name] = 1 + max((depths[each] for each in before), default=0)
    return depths


def _dag(definition: Definition, group: str) -> Mapping[str, Any]:
    dag: Mapping[str, Any] = definition.pipeline["root"]["dag"]
    for name in filter(None, group.split("/")):
        dag = definition.pipeline["components"][dag["tasks"][name]["componentRef"]["name"]]["dag"]
    return dag


def _at_once(definition: Definition, group: str, parameters: Mapping[str, Any]) -> int:
    """Return how many times the tasks of a group run at the same time: the loop's bound, or its trials."""
    above, _, last = group.rpartition("/")
    loop = _dag(definition, above)["tasks"].get(last, {})
    if "parameterIterator" not in loop:
        return 1
    trials = len(parameters.get("trials", ())) or 1
    bound = int(loop.get("iteratorPolicy", {}).get("parallelismLimit", 0))
    return min(trials, bound) if bound else trials


def _size(task: CompiledTask) -> tuple[float, float]:
    """Return the cores and Mi that a task's pod requests."""
    resources = task.executor.get("resources", {})
    cores = cores_of(str(resources.get("resourceCpuRequest", "0")))
    return cores + BESIDE_CPU, mebibytes_of(str(resources.get("resourceMemoryRequest", "0"))) + BESIDE_MEMORY


def cores_of(quantity: str) -> float:
    """Return a CPU quantity of Kubernetes as cores.

    >>> cores_of("1500m"), cores_of("2")
    (1.5, 2.0)
    """
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def mebibytes_of(quantity: str) -> float:
    """Return a memory quantity of Kubernetes in Mi.

    >>> mebibytes_of("2Gi"), mebibytes_of("512Mi")
    (2048.0, 512.0)
    """
    found = re.fullmatch(r"([\d.]+)(\w*)", quantity)
    return float(found[1]) * _MI[found[2]] if found else 0.0
