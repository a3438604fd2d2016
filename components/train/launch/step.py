"""The step's entry: paths in, finite numbers out, whatever the training runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from components.train.launch.here import train_on_nodes
from components.train.launch.on_cluster import train_on_cluster
from components.train.request import TrainRequest
from deep_mnist.kubernetes_api import ACCOUNT, KubernetesApi


def train_from_paths(
    dataset: str,
    trained: str,
    curves: str,
    request: TrainRequest,
    *,
    ready: str = "fit",
    node_resources: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Train as the step does: paths in, finite numbers for KFP out.

    Args:
        dataset, trained, curves: Paths.
        request: With more than one node, the nodes are processes here, or on a cluster pods of a TrainJob.
        ready: require_valid's token.
        node_resources: Of each such pod.
    """
    if ready != "fit":
        raise ValueError(f'Expected ready="fit", require_valid\'s token. Received: {ready!r}. Fix: Run validate first.')
    if request.nodes > 1:
        paths = Path(dataset), Path(trained), Path(curves)
        if os.environ.get("KUBERNETES_SERVICE_HOST") and ACCOUNT.exists():
            return train_on_cluster(*paths, request, dict(node_resources or {}), KubernetesApi())
        return train_on_nodes(*paths, request)
    from components.train.train import train  # where others train, TensorFlow is not needed here

    return train(Path(dataset), Path(trained), Path(curves), request)
