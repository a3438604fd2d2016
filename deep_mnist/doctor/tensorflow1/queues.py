"""Queues that a run takes from and nobody fills: TensorFlow would wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults.program_rules import NEVER_FILLED
from deep_mnist.doctor.tensorflow1.graph_walk import ancestors
from deep_mnist.doctor.tensorflow1.names import Names

if TYPE_CHECKING:
    from deep_mnist.doctor.tensorflow1.graph_mode import FedRun


def never_filled(run: FedRun) -> Any:
    """Return the operation that takes from a queue whose threads the session has not started, None without one."""
    if run.session is None:
        return None
    runners = run.graph.get_collection("queue_runners")
    if not runners:
        return None
    waiting = {each.queue.queue_ref.op for each in runners if not started(each, run.session)}
    for each in ancestors(run.fetches):
        if each.type.startswith("QueueDequeue") and each.inputs[0].op in waiting:
            return each
    return None


def filled_by_hand(run: FedRun) -> bool:
    """Whether a run takes from a queue that no thread of TensorFlow's fills: in a copy it would stay empty."""
    queues = {each.queue.queue_ref.op for each in run.graph.get_collection("queue_runners")}
    return any(
        each.type.startswith("QueueDequeue") and each.inputs[0].op not in queues for each in ancestors(run.fetches)
    )


def started(runner: Any, session: Any) -> bool:
    """Whether a runner's threads have been started, for this session or another of its graph."""
    runs = getattr(runner, "_runs_per_session", None)
    return runs is None or session in runs


def finding(dequeue: Any, names: Names) -> Finding:
    return NEVER_FILLED.found(
        expected="threads that fill the queue, started before the first run",
        received=f"a run that takes from {dequeue.inputs[0].op.name}{names.at(dequeue)}, and no threads",
        fix="threads = tf.train.start_queue_runners(sess=sess, coord=tf.train.Coordinator())",
    )
