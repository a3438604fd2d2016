"""The component definition of training."""

from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output, component

from components.images import image


@component(base_image=image("train"), install_kfp_package=False)
def train(
    dataset: Input[Dataset],
    ready: str,
    network: str,
    model: str,
    model_digest: str,
    epochs: int,
    seed: int,
    require_gpu: bool,
    checkpoints: str,
    nodes: int,
    node_resources: dict,
    trained: Output[Model],
    curves: Output[HTML],
    metrics: Output[Metrics],
) -> None:
    """Train a network on validated data; `ready` is require_valid's token, so nothing starts before it."""
    from components.failure import report_failure

    with report_failure():
        import json
        from pathlib import Path

        from components.train.launch.step import train_from_paths
        from components.train.request import TrainRequest

        request = TrainRequest(network, model, model_digest, epochs, seed, require_gpu, checkpoints, nodes=nodes)
        values = train_from_paths(
            dataset.path, trained.path, curves.path, request, ready=ready, node_resources=node_resources
        )
        for name, value in values.items():
            metrics.log_metric(name, value)
        # kfp.local takes a step for unchanged only while every artifact has its file.
        Path(metrics.path).write_text(json.dumps(values))
