"""A sweep: trials of networks and seeds as one run; the best by validation accuracy is judged once and may be promoted.

    download ─▶ ParallelFor trial: preprocess ─▶ validate ─▶ require_valid ─▶ train
                                                                               │ all
                                                         publish ◀─ evaluate ◀─┴─ select

The steps are those of `training.py`, and `select`. Every trial has its own dataset, since networks want their data
prepared differently, but all have the same split: `seed` is the split's, a trial's own seed is its training's. The test
split is seen by `evaluate` alone, once, for the one model that was selected.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.download.component import download
from components.evaluate.component import evaluate
from components.images import image, provenance
from components.preprocess.component import preprocess
from components.publish.component import publish
from components.select.component import select
from components.train.component import train
from components.validate.component import require_valid, validate
from pipeline.notification import notified
from pipeline.placement import ClusterSettings, placer
from pipeline.rehearsal import rehearsed

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
    second_gate = rehearsed(rehearsal, placed)
    reporting = notified(settings.notify if settings and cluster else "", placed)

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
        epochs: int = 0,
        seed: int = 0,
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
    ) -> None:
        with reporting(run_name):
            raw = download(dataset=dataset, dataset_digest=dataset_digest)
            placed(raw, "download")

            with dsl.ParallelFor(trials, name="trials", parallelism=parallelism) as trial:
                prepared = preprocess(
                    raw=raw.outputs["raw"],
                    source=dataset,
                    network=trial.network,
                    model=model,
                    model_digest=model_digest,
                    preparation=preparation,
                    validation_fraction=validation_fraction,
                    seed=seed,
                )
                placed(prepared, "preprocess")

                judged = validate(dataset=prepared.outputs["dataset"], accept=accept)
                placed(judged, "validate")

                passed = require_valid(findings=judged.outputs["findings"], verdict=judged.outputs["verdict"])
                placed(passed, "validate")

                ready = second_gate(
                    dataset=prepared.outputs["dataset"],
                    ready=passed.output,
                    network=trial.network,
                    model=model,
                    model_digest=model_digest,
                    epochs=epochs,
                    accept=accept,
                )

                trained = train(
                    dataset=prepared.outputs["dataset"],
                    ready=ready,
                    network=trial.network,
                    model=model,
                    model_digest=model_digest,
                    epochs=epochs,
                    seed=trial.seed,
                    require_gpu=require_gpu,
                    checkpoints=checkpoints,
                )
                placed(
                    trained,
                    "train",
                    gpu_count=gpu_count,
                    gpu_type=gpu_type,
                    node_selector=node_selector,
                    tolerations=tolerations,
                )

            best = select(
                datasets=dsl.Collected(prepared.outputs["dataset"]), models=dsl.Collected(trained.outputs["trained"])
            )
            placed(best, "select")

            scored = evaluate(
                dataset=best.outputs["dataset"],
                trained=best.outputs["trained"],
                registry=registry,
                model_name=model_name,
                min_accuracy=min_accuracy,
                min_class_accuracy=min_class_accuracy,
                confidence=confidence,
            )
            scored.set_caching_options(False)  # the champion may have changed since
            placed(scored, "evaluate")

            published = publish(
                dataset=best.outputs["dataset"],
                trained=best.outputs["trained"],
                evaluation=scored.outputs["evaluation"],
                registry=registry,
                model_name=model_name,
                require_promotion=require_promotion,
                run_name=run_name,
                model_registry=model_registry,
                accept=accept,
            )
            published.set_caching_options(False)
            published.set_env_variable("DEEP_MNIST_PROVENANCE", provenance(images))  # for the model card
            placed(published, "publish")

    return sweep
