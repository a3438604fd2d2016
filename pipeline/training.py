"""START HERE: the seven tasks in order. The signature of `training` is the whole configuration.

    download ─raw─▶ preprocess ─dataset─▶ validate ─verdict─▶ require_valid ─▶ train ─▶ evaluate ─▶ publish
                                                                            └▶ rehearse ─▶ require_rehearsed ─▶ train

`validate` succeeds with a report even when the data are unfit, for a failed task uploads no artifact on a cluster;
`require_valid` then raises. `train` takes an output of `require_valid` as an input: a data dependency, so that no
accelerator is requested before the data have passed. Where training is given accelerators, `rehearse` runs the network
for some seconds on a CPU first, with a gate of its own (`rehearsal.py`). Where it is asked for, `inspect` names single
labels that are likely wrong before that, fold by fold (`inspection.py`).

On a cluster, where each step costs two pods, the first three are one, `prepare`: five tasks. The gate behind it stays.

`steps.py` wires what `sweep.py` has too; here is the order, and what each step is given. `retraining.py` puts `compare`
and `remember` around the last three, for schedules.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from kfp import dsl

from components.images import image
from pipeline.notification import notified
from pipeline.placement import ClusterSettings, placer
from pipeline.steps import Steps
from pipeline.workspace import kept_in, pipeline_config

PIPELINE_NAME = "deep-mnist"
Around = Callable[..., AbstractContextManager[Callable[[dsl.PipelineTask], None]]]


def straight_on(**_known: Any) -> AbstractContextManager[Callable[[dsl.PipelineTask], None]]:
    """Put nothing around train, evaluate and publish."""
    return nullcontext(lambda _published: None)


def build_pipeline(
    *,
    images: Callable[[str], str] = image,
    cluster: bool = False,
    reuse: bool = True,
    around: Around = straight_on,
    rehearsal: bool = False,
    inspection: int = 0,
    settings: ClusterSettings | None = None,
) -> Any:
    """Return the pipeline, a kfp GraphComponent.

    Args:
        images: Component name -> image reference, fixed when the pipeline is compiled.
        cluster: Add what only a cluster heeds: retries, timeouts, resources, accelerators, security contexts, and
            caching by task. Locally a retry would only repeat a failure.
        reuse: On a cluster, take a step's earlier result where the same inputs always give the same outputs.
        around: What stands around train, evaluate and publish; see `retraining.py`.
        rehearsal: Rehearse the network on a CPU before it is trained.
        inspection: Folds in which single labels are inspected before the training; 0 leaves that out.
        settings: What differs between clusters and is no parameter: who is notified of the end, how images are pulled.
    """
    placed = placer(images, cluster=cluster, reuse=reuse, settings=settings)
    steps = Steps(placed, images, rehearsal, joined=cluster, inspection=inspection)
    guarded = notified(settings.notify if settings and cluster else "", placed)

    @dsl.pipeline(
        name=PIPELINE_NAME,
        description="Refuses data the network cannot use, otherwise delivers a model.",
        pipeline_config=pipeline_config(settings, cluster=cluster),
    )
    def training(
        dataset: str = "mnist",
        dataset_digest: str = "",
        network: str = "fast",
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
        of_network: dict[str, Any] = {"network": network, "model": model, "model_digest": model_digest}
        of_registry = {"registry": registry, "model_name": model_name}
        choices = {"accept": accept, "ignore": ignore}
        with guarded(run_name, dataset=dataset, **of_registry):
            prepared, ready = steps.fetch_and_prepare(
                dataset=dataset,
                dataset_digest=dataset_digest,
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
                **of_network,
            )
            with around(
                dataset=prepared, ready=ready, network=network, model=model, epochs=epochs, seed=seed, **of_registry
            ) as conclude:
                trained = steps.train_model(
                    dataset=prepared,
                    ready=ready,
                    network=of_network,
                    epochs=epochs,
                    seed=seed,
                    choices=choices,
                    require_gpu=require_gpu,
                    nodes=nodes,
                    node_resources=node_resources,
                    checkpoints=kept_in(checkpoints, settings, cluster=cluster),
                    accelerator={
                        "gpu_count": gpu_count,
                        "gpu_type": gpu_type,
                        "node_selector": node_selector,
                        "tolerations": tolerations,
                    },
                )
                published = steps.judge_and_publish(
                    dataset=prepared,
                    trained=trained,
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
                    **of_registry,
                )
                conclude(published)

    return training
