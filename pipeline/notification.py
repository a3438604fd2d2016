"""The exit handler of a run: one task that tells a webhook, and OpenLineage, how everything before it ended.

Kubeflow runs it when the tasks inside have ended, whatever became of them, and the run ends as they did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kfp import dsl

from components.notify.component import notify

# Key of the Secret -> environment variable. Secret and keys may be missing: then nothing is posted.
KEYS = {
    "url": "DEEP_MNIST_WEBHOOK",
    "ui": "DEEP_MNIST_KUBEFLOW_UI",
    "api": "DEEP_MNIST_KUBEFLOW_API",
    "openlineage-url": "OPENLINEAGE_URL",
    "openlineage-api-key": "OPENLINEAGE_API_KEY",
    "openlineage-namespace": "OPENLINEAGE_NAMESPACE",
    "openlineage-transport": "OPENLINEAGE__TRANSPORT",
}


def notified(secret: str, placed: Callable[..., dsl.PipelineTask]) -> Callable[..., Any]:
    """Return a context for the tasks whose end is reported, given the run's name and what it reads and writes; for no
    secret it does nothing.

    Args:
        secret: Name of the Secret with the webhook's address, or "".
        placed: As `pipeline.placement.placer` returns it.
    """

    @contextmanager
    def guarded(run_name: Any, **names: Any) -> Iterator[None]:
        if not secret:
            yield
            return
        task = notify(run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, run_name=run_name, **names)
        task.set_caching_options(False)  # each end is news
        placed(task, "notify")
        from kfp import kubernetes

        kubernetes.use_secret_as_env(task, secret, KEYS, optional=True)
        with dsl.ExitHandler(task, name="steps"):
            yield

    return guarded
