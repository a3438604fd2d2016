"""The pipeline of `training.py` as a schedule runs it: nothing is trained that was judged before.

    … ─▶ require_valid ─▶ compare ─▶ ( train ─▶ evaluate ─▶ publish ─▶ remember )

`compare` ends the run as "unchanged" when the registry has judged a model of these data with this recipe, promoted or
not; `remember` notes that it has now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kfp import dsl

from components.compare.component import compare, remember
from components.images import image
from pipeline.placement import ClusterSettings, placer
from pipeline.training import build_pipeline


def build_retraining(
    *,
    images: Callable[[str], str] = image,
    cluster: bool = False,
    reuse: bool = False,
    rehearsal: bool = False,
    inspection: int = 0,
    settings: ClusterSettings | None = None,
) -> Any:
    """Return the pipeline for a schedule, a kfp GraphComponent; the arguments are those of `build_pipeline`."""
    placed = placer(images, cluster=cluster, reuse=reuse, settings=settings)

    @contextmanager
    def when_changed(registry: Any, model_name: Any, **known: Any) -> Iterator[Callable[[dsl.PipelineTask], None]]:
        compared = compare(
            registry=registry,
            model_name=model_name,
            code=images("train"),
            slot=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER if cluster else "",
            run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            **known,
        )
        compared.set_caching_options(False)
        placed(compared, "compare")

        def note(published: dsl.PipelineTask) -> None:
            noted = remember(
                attempt=compared.outputs["attempt"],
                promotion=published.outputs["promotion"],
                registry=registry,
                model_name=model_name,
            )
            noted.set_caching_options(False)
            placed(noted, "compare")

        with dsl.If(compared.outputs["Output"] == True, name="changed"):  # noqa: E712 - becomes a condition in the IR
            yield note

    return build_pipeline(
        images=images,
        cluster=cluster,
        reuse=reuse,
        around=when_changed,
        rehearsal=rehearsal,
        inspection=inspection,
        settings=settings,
    )
