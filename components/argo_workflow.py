"""What Kubeflow's API tells of a run through its Argo Workflow: which pods failed, what others wait for, their logs.

The API's own task details name no pod and no reason. Its first version, `/apis/v1beta1/runs/ID`, returns the
Workflow as Argo last reported it, and there every node carries Kubernetes' own words.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

GUARDED = re.compile(r"^exit-handler-\d+$")  # the group of tasks after which the exit handler runs
NAMELESS = "the run"  # a pod that belongs to no step: the driver of the whole or of a group
INNER = ("root", "executor")  # nodes that KFP adds, which are no step of the pipeline
ATTEMPT = re.compile(r"(\(\d+(:[^()]*)?\))+$")  # of a node that is repeated, or of a loop
GROUP = re.compile(r"^(condition|exit-handler|for-loop)-|^iteration(-|$)")
_TRIAL = re.compile(r"^iteration-iterations\((\d+):")
_ERROR_IN_LOG = re.compile(r'\{"error_message":.*\}\s*\Z', re.DOTALL)


class PodState(NamedTuple):
    """One pod of a run: its step, its name, and what Argo or Kubernetes says of it, which may be "".

    In a loop, `trial` counts from 1; elsewhere it is 0.
    """

    step: str
    pod: str
    message: str
    trial: int = 0

    @property
    def where(self) -> str:
        """The step, with its trial."""
        return f"{self.step} of trial {self.trial}" if self.trial else self.step


class StepSpan(NamedTuple):
    """When a step ran, its driver and all its attempts included, and Argo's phase of its last pod. Times: ISO 8601."""

    pod: PodState
    started: str
    finished: str
    phase: str


def run_path(run_id: str) -> str:
    """Return the path of a run with its Workflow."""
    return f"/apis/v1beta1/runs/{run_id}"


def log_path(run_id: str, pod: str) -> str:
    """Return the path of a pod's log, read from Kubernetes or, once the pod is gone, from the store."""
    return f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log"


def workflow_in(response: str) -> dict[str, Any]:
    """Return the Workflow in the API's response about a run; empty before Argo has reported one.

    Raises:
        ValueError: The response is not JSON.
    """
    run = json.loads(response)
    runtime = run.get("pipeline_runtime") if isinstance(run, dict) else None
    workflow = json.loads((runtime or {}).get("workflow_manifest") or "{}")
    return _unpacked(workflow) if isinstance(workflow, dict) else {}


def is_packed(workflow: Mapping[str, Any]) -> bool:
    """Return whether Argo has packed the nodes, whose details Kubeflow's own API then tells no longer, or old ones.

    It does so from 1 MiB on, which a sweep of three trials exceeds, and a run whose steps are often repeated:
    argo-workflows v4.0.5, workflow/packer/packer.go:17.
    """
    return bool((workflow.get("status") or {}).get("compressedNodes"))


def was_terminated(workflow: Mapping[str, Any]) -> bool:
    """Return whether somebody terminated the run, which Kubeflow does by a deadline of 0 and then calls FAILED.

    kubeflow/pipelines 2.17.0, backend/src/apiserver/resource/resource_manager.go:1024.
    """
    return (workflow.get("spec") or {}).get("activeDeadlineSeconds") == 0


def guarded_phase(workflow: Mapping[str, Any]) -> str:
    """Return Argo's phase of all that an exit handler waits for, "" where there is none."""
    phases = [each.get("phase") for each in _nodes(workflow) if GUARDED.match(step_name(_last_part(each)))]
    return str(phases[-1] or "") if phases else ""


def failed_pods(workflow: Mapping[str, Any]) -> list[PodState]:
    """Return each step whose last pod failed, in order of their start."""
    return [_state(workflow, node) for node in _last_pods(workflow) if node.get("phase") in ("Failed", "Error")]


def pending_pods(workflow: Mapping[str, Any]) -> list[PodState]:
    """Return each step whose pod was created or is to be, and does not run yet."""
    return [_state(workflow, node) for node in _last_pods(workflow) if node.get("phase") == "Pending"]


def repeated_pods(workflow: Mapping[str, Any]) -> list[tuple[int, PodState]]:
    """Return each repetition of a step's own pod: the number of the attempt, from 2 on, and the pod before it."""
    attempts: dict[str, list[Mapping[str, Any]]] = {}
    for node in sorted((each for each in _nodes(workflow) if each.get("type") == "Pod"), key=_start):
        if not _is_driver(node):
            attempts.setdefault(step_name(str(node.get("name", ""))), []).append(node)
    return [
        (number, _state(workflow, before))
        for pods in attempts.values()
        for number, before in enumerate(pods[:-1], start=2)
    ]


def step_spans(workflow: Mapping[str, Any]) -> list[StepSpan]:
    """Return each step, in a loop each trial's, in order of its first pod's start; steps that never began are none."""
    pods: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for node in sorted((each for each in _nodes(workflow) if each.get("type") == "Pod"), key=_start):
        pods.setdefault((_step_of(node), _trial_of(node)), []).append(node)
    return [
        StepSpan(_state(workflow, last), _start(nodes[0]), str(last.get("finishedAt") or _start(last)), _phase(last))
        for (step, _), nodes in pods.items()
        if (last := nodes[-1]) and step != NAMELESS
    ]


def workflow_span(workflow: Mapping[str, Any]) -> tuple[str, str]:
    """Return when the first pod started and the last one that has ended ended, ISO 8601, "" where none has."""
    pods = [each for each in _nodes(workflow) if each.get("type") == "Pod"]
    starts = [_start(each) for each in pods if each.get("startedAt")]
    ends = [str(each["finishedAt"]) for each in pods if each.get("finishedAt")]
    return min(starts, default=""), max(ends or starts, default="")


def pod_of(workflow: Mapping[str, Any], step: str) -> str:
    """Return the name of the last pod in which a step itself ran, "" where there is none."""
    pods = [each for each in _last_pods(workflow) if _step_of(each) == step and not _is_driver(each)]
    return _pod_name(workflow, pods[-1]) if pods else ""


def steps_from_cache(workflow: Mapping[str, Any]) -> set[str]:
    """Return the steps whose result was taken from the cache: their container's node is skipped.

    kubeflow/pipelines 2.17.0, backend/src/v2/compiler/argocompiler/container.go:433.
    """
    skipped = (each for each in _nodes(workflow) if each.get("phase") == "Skipped")
    return {_step_of(each) for each in skipped if step_name(_last_part(each)) == "executor"}


def log_and_error(text: str) -> tuple[str, str]:
    """Return the log and the error in a response of the log's path, which says 200 before it has read anything."""
    found = _ERROR_IN_LOG.search(text)
    try:
        error = json.loads(found[0]) if found else {}
    except ValueError:
        return text, ""
    return (text[: found.start()], str(error["error_message"])) if found else (text, "")


def step_name(display_name: str) -> str:
    """Return a node's display name without the number of the attempt, as in `train(1)`."""
    return ATTEMPT.sub("", display_name)


def _unpacked(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return the Workflow with its nodes: JSON, gzip, base64 where Argo has packed them.

    Raises:
        ValueError: What is packed cannot be read.
    """
    if not is_packed(workflow) or workflow["status"].get("nodes"):
        return workflow
    status = workflow["status"]
    try:
        nodes = json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"compressedNodes: {error}") from error
    return {**workflow, "status": {**status, "nodes": nodes}}


def _nodes(workflow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(((workflow.get("status") or {}).get("nodes") or {}).values())


def _last_pods(workflow: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the last pod of each step, its driver's included, in order of their start; of a loop, of each trial."""
    pods = sorted((each for each in _nodes(workflow) if each.get("type") == "Pod"), key=_start)
    yield from {(_step_of(node), _trial_of(node)): node for node in pods}.values()


def _start(node: Mapping[str, Any]) -> str:
    return str(node.get("startedAt") or "")


def _state(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> PodState:
    message = str(node.get("message") or "")
    return PodState(_step_of(node), _pod_name(workflow, node), message, _trial_of(node))


def _phase(node: Mapping[str, Any]) -> str:
    return str(node.get("phase") or "")


def _is_driver(node: Mapping[str, Any]) -> bool:
    return step_name(_last_part(node)).endswith("-driver")


def _trial_of(node: Mapping[str, Any]) -> int:
    found = [_TRIAL.match(part) for part in str(node.get("name", "")).split(".")]
    return next((int(each[1]) + 1 for each in found if each), 0)


def _last_part(node: Mapping[str, Any]) -> str:
    return str(node.get("name", "")).rpartition(".")[2]


def _step_of(node: Mapping[str, Any]) -> str:
    """Return the step in a node's name, as in `deep-mnist-x7k2p(0).root(0).condition-1(0).train(0).executor(0)`."""
    parts = [step_name(part) for part in str(node.get("name", "")).split(".")]
    names = [part.removesuffix("-driver") for part in parts[1:]]
    steps = [name for name in names if name not in (*INNER, "onExit") and not GROUP.match(name)]
    return steps[-1] if steps else NAMELESS


def _pod_name(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Return the pod's name: Argo puts the template between the workflow's name and the node's hash."""
    metadata = workflow.get("metadata") or {}
    style = (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format")
    identity = str(node.get("id", ""))
    if style == "v1":
        return identity
    return f"{metadata.get('name')}-{node.get('templateName')}-{identity.rpartition('-')[2]}"
