"""A sweep: trials of networks and seeds as one run; the best by validation accuracy is judged once and may be promoted.

    download ─▶ ParallelFor trial: preprocess ─▶ validate ─▶ require_valid ─▶ train
                                                                               │ all
                                                         publish ◀─ evaluate ◀─┴─ select

The steps are those of `training.py` (`steps.py` wires them for both), and `select`. Every trial has its own dataset,
since networks want their data prepared differently, but all have the same split: `seed` is the split's, a trial's own
seed is its training's. The test split is seen by `evaluate` alone, once, for the one model that was selected.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.images import image
from components.select.component import select
from pipeline.notification import notified
from pipeline.placement import ClusterSettings, placer
from pipeline.steps import Steps

SWEEP_NAME = "deep-mnist-sweep"


def build_sweep(
    *,
    images: Callable[[str], str] = image,
    cluster: bool = False,
    reuse: bool = True,
    parallelism: int = 2,
    rehearsal: bool = False,
    settings: ClusterSettings | None = None,
) -> Any:
    """Return the sweep, a kfp GraphComponent; `trials` is a list of {"network", "seed"}.

    Args:
        images: Component name -> image reference, fixed when the pipeline is compiled.
        cluster: Add what only a cluster heeds; see `training.build_pipeline`. KFP 2.17 ignores a retry inside a
            ParallelFor (its issue 13897): there a trial whose node is lost fails the run.
        reuse: On a cluster, take a step's earlier result where the same inputs always give the same outputs.
        parallelism: How many trials run at the same time; kfp.local runs two at most.
        rehearsal: Rehearse each trial's network on a CPU before it is trained.
        settings: As for `training.build_pipeline`.
    """

    placed = placer(images, cluster=cluster, reuse=reuse, settings=settings)
    steps = Steps(placed, images, rehearsal)
    guarded = notified(settings.notify if settings and cluster else "", placed)

    @dsl.pipeline(name=SWEEP_NAME, description="Trains networks and seeds side by side; judges and promotes the best.")
    def sweep(
        trials: list = [{"network": "fast", "seed": 0}],  # noqa: B006
        dataset: str = "mnist",
        dataset_digest: str = "",
        model: str = "",
        model_digest: str = "",
        preparation: str = "auto",
        validation_fraction: float = 1 / 12,
        accept: list = [],  # noqa: B006
        ignore: list = [],  # noqa: B006
        rules: str = "",
        rules_digest: str = "",
        labels: str = "",
        labels_digest: str = "",
        shard_bytes: int = 0,
        shards: str = "",
        epochs: int = 0,
        seed: int = 0,
        nodes: int = 1,
        node_resources: dict = {},  # noqa: B006
        gpu_count: str = "0",
        gpu_type: str = "nvidia.com/gpu",
        node_selector: dict = {},  # noqa: B006 - kfp reads the default, nothing mutates it
        tolerations: list = [],  # noqa: B006
        require_gpu: bool = False,
        checkpoints: str = "",
        registry: str = "",
        model_name: str = "mnist",
        min_accuracy: float = 0.95,
        min_class_accuracy: float = 0.90,
        confidence: float = 0.95,
        require_promotion: bool = False,
        run_name: str = "",
        model_registry: str = "",
        forms: list = [],  # noqa: B006
    ) -> None:
        choices = {"accept": accept, "ignore": ignore}
        with guarded(run_name, dataset=dataset, registry=registry, model_name=model_name):
            raw = steps.download(dataset=dataset, dataset_digest=dataset_digest)

            with dsl.ParallelFor(trials, name="trials", parallelism=parallelism) as trial:
                of_network: dict[str, Any] = {"network": trial.network, "model": model, "model_digest": model_digest}
                prepared, ready = steps.prepare(
                    raw,
                    source=dataset,
                    preparation=preparation,
                    validation_fraction=validation_fraction,
                    seed=seed,
                    choices=choices,
                    rules=rules,
                    rules_digest=rules_digest,
                    labels=labels,
                    labels_digest=labels_digest,
                    shard_bytes=shard_bytes,
                    shards=shards,
                    # From the cache, two trials of one network would hand `select` one artifact: a key of KFP's
                    # metadata store forbids it, and `select`'s driver dies (kubeflow/pipelines 2.17.0,
                    # backend/src/v2/metadata/client.go:739).
                    reuse=False,
                    **of_network,
                )
                trained = steps.train_model(
                    dataset=prepared,
                    ready=ready,
                    network=of_network,
                    epochs=epochs,
                    seed=trial.seed,
                    choices=choices,
                    require_gpu=require_gpu,
                    nodes=nodes,
                    node_resources=node_resources,
                    checkpoints=checkpoints,
                    accelerator={
                        "gpu_count": gpu_count,
                        "gpu_type": gpu_type,
                        "node_selector": node_selector,
                        "tolerations": tolerations,
                    },
                )

            best = select(datasets=dsl.Collected(prepared), models=dsl.Collected(trained))
            placed(best, "select")

            steps.judge_and_publish(
                dataset=best.outputs["dataset"],
                trained=best.outputs["trained"],
                registry=registry,
                model_name=model_name,
                policy={
                    "min_accuracy": min_accuracy,
                    "min_class_accuracy": min_class_accuracy,
                    "confidence": confidence,
                },
                require_promotion=require_promotion,
                run_name=run_name,
                model_registry=model_registry,
                forms=forms,
                accept=accept,
            )

    return sweep
