"""The component definition of notify: how a run ended, sent to a webhook."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus

from components.images import image


@dsl.component(base_image=image("notify"), install_kfp_package=False)
def notify(
    run_id: str, run_name: str, dataset: str, registry: str, model_name: str, status: PipelineTaskFinalStatus
) -> None:
    """Post how the run ended, and tell OpenLineage; succeed whatever comes of it.

    Args:
        run_id: This run.
        run_name: Its name, for people.
        dataset: The run's parameter: what it read.
        registry: What it published to.
        model_name: Under which name.
        status: How everything before ended, from Kubeflow.
    """
    from components.failure import report_failure

    with report_failure():
        from components.notify.notify import notify_lineage, notify_webhook

        notify_webhook(run_id, run_name, status.state)
        notify_lineage(run_id, status.state, {"dataset": dataset, "registry": registry, "model_name": model_name})
