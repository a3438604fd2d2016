"""Single labels are inspected between the gate and training, where that is wanted.

    … ─▶ require_valid ─▶ ParallelFor fold: inspect_fold ─▶ inspect ─▶ train ─▶ …

Each fold is a training of its own, so on a cluster they run side by side, and a run that is started again takes the
finished ones from KFP's cache. `inspect` writes the page and hands on the token: no run is stopped by a suspicion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.inspect.component import inspect, inspect_fold


def inspected(folds: int, placed: Callable[..., dsl.PipelineTask]) -> Callable[..., Any]:
    """Return a function of the dataset, `ready`, the network and the seed that gives the token `train` waits for.

    Args:
        folds: How many; 0 adds no task: the token is `ready` itself.
        placed: As `pipeline.placement.placer` returns it.
    """

    def token(*, dataset: Any, ready: Any, seed: Any, **network: Any) -> Any:
        if not folds:
            return ready
        with dsl.ParallelFor(list(range(folds)), name="folds", parallelism=folds) as fold:
            predicted = inspect_fold(
                dataset=dataset, ready=ready, fold=fold, folds=folds, epochs=0, seed=seed, **network
            )
            placed(predicted, "inspect")
        found = inspect(
            dataset=dataset,
            predictions=dsl.Collected(predicted.outputs["predictions"]),
            ready=ready,
            folds=folds,
            seed=seed,
            network=network["network"],
            model=network["model"],
        )
        placed(found, "inspect")
        return found.outputs["ready"]

    return token
