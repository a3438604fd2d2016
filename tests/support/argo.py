"""A run as Argo Workflows v4.0.5 and Kubeflow Pipelines 2.17.0 report it: the nodes of its Workflow, and its tasks.

Names of nodes, after kubeflow/pipelines 2.17.0, backend/src/v2/compiler/argocompiler/:
    dag.go:155         the entrypoint's tasks are `root-driver` and `root`
    dag.go:250, 293    a task of a DAG is `NAME-driver` and `NAME`; a group of tasks is a DAG of its own
    container.go:414   a container's task is a DAG of one task, `executor`
and argoproj/argo-workflows v4.0.5, workflow/controller/operator.go:
    2377   an attempt of a template that may be retried is `NAME(0)`, `NAME(1)`, … below a node `NAME` of type Retry.
           KFP gives every template such a strategy (third-party/argo/base/workflow-controller-configmap-patch.yaml:
           templateDefaults), so these nest: `wf(0).root(0).train(0).executor(0)`
    2890   the display name is the name without that of the node around it, and without the separator
    2775   the separator
    dag.go:334   a DAG that failed has no message of its own
    1149   the Retry node says `retryStrategy.expression evaluated to false`, or
    1138   `No more retries left`
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

WORKFLOW = "deep-mnist-x7k2p"
DRIVER, EXECUTOR = "system-container-driver", "metadata-0-1-retry-system-container-executor"
IMPL = "metadata-0-1-retry-system-container-impl"
SEPARATOR = re.compile(r"^(\[\d+\])?\.")
# backend/src/apiserver/model/run.go:97 (ToV2)
STATES = {
    "Pending": "PENDING", "Running": "RUNNING", "Succeeded": "SUCCEEDED", "Skipped": "SKIPPED", "Failed": "FAILED",
    "Error": "FAILED", "Omitted": None,
}  # fmt: skip
LIVE = ("Pending", "Running")
OMITTED = "omitted: depends condition not met"
SKIPPED = "when 'false != false' evaluated false"
Attempt = tuple[str, str]


class Workflow:
    """The nodes of a run whose steps are at these attempts, each (phase, message), in order of their start.

    A step may be given by its phase alone, or by its one attempt.
    """

    def __init__(self, **steps: str | Attempt | Sequence[Attempt]) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self._clock = 0
        attempts = {name.replace("_", "-"): _attempts(each) for name, each in steps.items()}
        ends = [each[-1][0] for each in attempts.values()]
        phase = _aggregate(ends)
        self.phase, self.state = phase, STATES[phase]
        self.history = ["PENDING", "RUNNING"]
        self.deadline: int | None = None
        self.told: Workflow | None = None
        top = self._retried(WORKFLOW, "", "DAG", "entrypoint", [(phase, "")])
        self._driver(top, "root-driver", "Succeeded")
        root = self._retried(f"{top}.root", top, "DAG", "root", [(phase, "")])
        for name, each in attempts.items():
            self._step(root, name, each)

    def group(self, name: str, driver: Attempt = ("Succeeded", ""), phase: str = "Running") -> Workflow:
        """Add a group of tasks, such as `condition-1`; one whose condition is false is `Skipped`.

        A skipped task is one node without attempts: argoproj/argo-workflows v4.0.5, workflow/controller/dag.go:615.
        """
        boundary = f"{WORKFLOW}(0).root(0)"
        self._driver(boundary, f"{name}-driver", *driver)
        if phase == "Skipped":
            self._node(f"{boundary}.{name}", boundary, "Skipped", f"comp-{name}", phase, SKIPPED)
        else:
            self._retried(f"{boundary}.{name}", boundary, "DAG", f"comp-{name}", [(phase, "")])
        return self

    def omitted(self, *steps: str) -> Workflow:
        """Add steps that never begin, since one that they depend on failed; each is its driver and itself.

        argoproj/argo-workflows v4.0.5, workflow/controller/dag.go:551. Their state is none of Kubeflow's, which leaves
        the zero of an enumeration out: backend/src/apiserver/common/utils.go:159 (EmitUnpopulated: false).
        """
        boundary = f"{WORKFLOW}(0).root(0)"
        for name in (part for step in steps for part in (f"{step}-driver", step)):
            self._node(f"{boundary}.{name}", boundary, "Skipped", EXECUTOR, "Omitted", OMITTED)
        return self

    def cached(self, step: str) -> Workflow:
        """Add a step whose result was taken from the cache: all of it succeeds, and its container is skipped.

        kubeflow/pipelines 2.17.0, backend/src/v2/compiler/argocompiler/container.go:433.
        """
        boundary = f"{WORKFLOW}(0).root(0)"
        self._driver(boundary, f"{step}-driver", "Succeeded")
        dag = self._retried(f"{boundary}.{step}", boundary, "DAG", EXECUTOR, [("Succeeded", "")])
        self._node(f"{dag}.executor", dag, "Skipped", IMPL, "Skipped", "when 'true != true' evaluated false")
        return self

    def trials(self, **steps: Sequence[str | Attempt]) -> Workflow:
        """Add a loop whose steps are at one attempt in each trial.

        kubeflow/pipelines 2.17.0, backend/src/v2/compiler/argocompiler/dag.go:449 and 468: the loop is a DAG of
        `iteration-driver` and `iteration-iterations(0:0)`, `(1:1)`, …, each a DAG of `iteration-item-driver` and
        `iteration-item`, which holds the steps.
        """
        boundary = f"{WORKFLOW}(0).root(0)"
        count = max(len(each) for each in steps.values())
        loop = self._retried(f"{boundary}.for-loop-1", boundary, "DAG", "comp-for-loop-1", [("Running", "")])
        self._driver(loop, "iteration-driver", "Succeeded")
        for trial in range(count):
            name = f"{loop}.iteration-iterations({trial}:{trial})"
            iteration = self._retried(name, loop, "DAG", "comp-for-loop-1-iteration", [("Running", "")])
            self._driver(iteration, "iteration-item-driver", "Succeeded")
            item = self._retried(f"{iteration}.iteration-item", iteration, "DAG", "comp-for-loop-1", [("Running", "")])
            for step, attempts in steps.items():
                if trial < len(attempts):
                    self._step(item, step.replace("_", "-"), _attempts(attempts[trial]))
        return self

    def driver(self, step: str, phase: str, message: str = "") -> Workflow:
        """Add a step of which only the driver's pod was made."""
        self._driver(f"{WORKFLOW}(0).root(0)", f"{step}-driver", phase, message)
        return self

    def terminated(self, *, reported: bool = True) -> Workflow:
        """Let the run be one that was terminated: as long as it lives, CANCELING; then FAILED, and never CANCELED.

        kubeflow/pipelines 2.17.0, backend/src/:
            apiserver/resource/resource_manager.go:1024   terminating sets the Workflow's activeDeadlineSeconds to 0
            common/util/workflow.go:314 (IsTerminating)   which means CANCELING only until the Workflow has ended
            apiserver/storage/run_store.go:824            terminating itself appends nothing to the history; a report
                                                          of the Workflow does (line 618), if one comes in between

        Args:
            reported: Whether the Workflow was reported between the request and its end.
        """
        self.deadline = 0
        self.state = "CANCELING" if self.phase in LIVE else "FAILED"
        self.history = ["PENDING", "RUNNING", *(["CANCELING"] if reported else [])]
        return self

    def packed(self, told: Workflow) -> Workflow:
        """Let Argo have packed the nodes, after which Kubeflow's API tells for good what it was told before.

        As met on Kubeflow 2.17.0 with a sweep of three trials. argoproj/argo-workflows v4.0.5,
        workflow/packer/packer.go:65 (CompressWorkflowIfNeeded): the nodes are emptied, and stand as JSON, gzip, base64.
        """
        self.told = told
        return self

    def pod_name(self, node: Mapping[str, Any]) -> str:
        """backend/src/common/util/workflow.go:391 (RetrievePodName)."""
        return f"{WORKFLOW}-{node['templateName']}-{node['id'].rpartition('-')[2]}"

    def pods_of(self, step: str) -> list[str]:
        """Return the names of the pods of a step, in order of their attempts."""
        return [
            self.pod_name(each)
            for each in self.nodes.values()
            if each["type"] == "Pod" and f".{step}(" in each["name"] and each["templateName"] == IMPL
        ]

    def manifest(self) -> dict[str, Any]:
        return {
            "metadata": {"name": WORKFLOW, "annotations": {"workflows.argoproj.io/pod-name-format": "v2"}},
            "spec": {} if self.deadline is None else {"activeDeadlineSeconds": self.deadline},
            "status": {"phase": self.phase, **self._nodes()},
        }

    def state_history(self) -> list[dict[str, str]]:
        """backend/src/apiserver/storage/run_store.go:618: each state that differs from the one before."""
        return [{"state": each} for each in dict.fromkeys([*self.history, self.state])]

    def task_details(self) -> list[dict[str, Any]]:
        """Every node is a task, in order of the nodes' ids: backend/src/apiserver/server/api_converter.go:1827."""
        return [
            {
                "display_name": node["displayName"],
                "start_time": node["startedAt"],
                **({"state": state} if (state := STATES[node["phase"]]) else {}),
                "child_tasks": [{"pod_name": each} for each in node["children"]],
            }
            for _, node in sorted((self.told or self).nodes.items())
        ]

    def _nodes(self) -> dict[str, Any]:
        if not self.told:
            return {"nodes": self.nodes}
        return {"compressedNodes": base64.b64encode(gzip.compress(json.dumps(self.nodes).encode())).decode()}

    def _step(self, boundary: str, name: str, attempts: Sequence[Attempt]) -> None:
        self._driver(boundary, f"{name}-driver", "Succeeded")
        phase = attempts[-1][0]
        dag = self._retried(
            f"{boundary}.{name}", boundary, "DAG", EXECUTOR, [("Running" if phase in LIVE else phase, "")]
        )
        self._retried(f"{dag}.executor", dag, "Pod", IMPL, attempts)

    def _driver(self, boundary: str, name: str, phase: str, message: str = "") -> None:
        self._retried(f"{boundary}.{name}", boundary, "Pod", DRIVER, [(phase, message)])

    def _retried(self, name: str, boundary: str, kind: str, template: str, attempts: Sequence[Attempt]) -> str:
        """Add a Retry node with its attempts; return the last attempt's name."""
        phase, message = attempts[-1]
        said = "" if phase in (*LIVE, "Succeeded") else "retryStrategy.expression evaluated to false"
        children = [f"{name}({number})" for number in range(len(attempts))]
        parent = self._node(name, boundary, "Retry", template, "Running" if phase in LIVE else phase, said)
        parent["children"] = [_identity(each) for each in children]
        for child, (phase, message) in zip(children, attempts, strict=True):
            self._node(child, boundary, kind, template, phase, "" if kind == "DAG" else message)
        return children[-1]

    def _node(self, name: str, boundary: str, kind: str, template: str, phase: str, message: str) -> dict[str, Any]:
        self._clock += 1
        display = SEPARATOR.sub("", name.removeprefix(boundary)) if boundary else name
        node = {
            "id": _identity(name), "name": name, "displayName": display, "type": kind, "templateName": template,
            "boundaryID": _identity(boundary) if boundary else "", "phase": phase, "children": [],
            "startedAt": f"2026-01-01T{self._clock // 3600:02}:{self._clock // 60 % 60:02}:{self._clock % 60:02}Z",
        }  # fmt: skip
        if phase not in LIVE:
            node["finishedAt"] = node["startedAt"].replace("Z", ".5Z")
        if message:
            node["message"] = message
        self.nodes[node["id"]] = node
        return node


def _attempts(given: str | Attempt | Sequence[Attempt]) -> list[Attempt]:
    if isinstance(given, str):
        return [(given, "main: Error (exit code 1)" if given == "Failed" else "")]
    return [given] if isinstance(given, tuple) else list(given)  # type: ignore[list-item]


def _aggregate(ends: Sequence[str]) -> str:
    failed = [each for each in ends if each in ("Failed", "Error")]
    return failed[0] if failed else "Running" if not ends or set(ends) & set(LIVE) else "Succeeded"


def _identity(name: str) -> str:
    """pkg/apis/workflow/v1alpha1/workflow_types.go (NodeID): the workflow's name and the FNV-1a hash of the node's."""
    if name == WORKFLOW:
        return name
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{WORKFLOW}-{value}"
