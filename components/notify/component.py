"""The component definition of notify: how a run ended, sent to a webhook."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus

from components.images import image


@dsl.component(base_image=image("notify"), install_kfp_package=False)
def notify(run_id: str, run_name: str, status: PipelineTaskFinalStatus) -> None:
    """Post how the run ended; succeed whatever comes of it.

    Args:
        run_id: This run.
        run_name: Its name, for people.
        status: How everything before ended, from Kubeflow.
    """
    from components.failure import report_failure

    with report_failure():
        from components.notify.notify import notify_webhook

        notify_webhook(run_id, run_name, status.state)
