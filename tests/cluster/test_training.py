"""Trainings that are disturbed: pods deleted, processes killed, memory exhausted, runs terminated."""

from __future__ import annotations

import pytest

from tests.cluster import webhook
from tests.cluster.real_cluster import Cluster

LONG = 400  # epochs: minutes, and each leaves a line in the log
# Of the step's own container: send a signal to the training, as the kernel or a person would.
SIGNAL = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        said = open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        continue
    if b"executor_main" in said and b"python" in said.split(b"\\0")[0] and int(pid) != os.getpid():
        os.kill(int(pid), {number})
"""
EAT = "x = [bytearray(64 << 20) for _ in range(1000)]"  # more than the limit of any step


@pytest.mark.parametrize("how", ["deleted", "killed"])
def test_a_training_that_is_lost_goes_on(cluster: Cluster, how: str) -> None:
    """Its pod deleted, or its process killed: it is repeated, and goes on from its checkpoint."""
    with cluster.started(*cluster.submission(how, "--fresh", epochs=120)) as begun:
        pod = cluster.running(begun.run_id(), "train", said="epoch 30/")
        if how == "deleted":
            cluster.kubectl("delete", "pod", pod, "--wait=false")
        else:
            cluster.in_training(pod, SIGNAL.replace("{number}", "9"))
        cluster.running(begun.run_id(), "train", said="checkpoint: going on after step")
        ended = begun.wait()

    assert ended.status == 0, ended.output
    assert ended.lines[-2].startswith("PUBLISHED version=1")


def test_a_training_without_memory_is_not_repeated(cluster: Cluster) -> None:
    """The kernel's OOMKilled is told with its fix, exit status 1."""
    with cluster.started(*cluster.submission("memory", "--fresh", epochs=LONG)) as begun:
        pod = cluster.running(begun.run_id(), "train", said="epoch 2/")
        cluster.in_training(pod, EAT)
        # Where the kernel kills the eater alone, the training is killed as the container's would be.
        cluster.in_training(pod, SIGNAL.replace("{number}", "9"))
        ended = begun.wait()

    assert ended.status == 1, ended.output
    assert "OOMKilled" in ended.output
    assert "Fix: give the step more memory" in ended.output


def test_a_terminated_run_is_canceled(cluster: Cluster) -> None:
    """The watch ends with status 3 and no advice; the webhook hears the same."""
    arguments = cluster.submission("terminated", "--fresh", "--notify", webhook.name(cluster), epochs=LONG)
    with cluster.started(*arguments) as begun:
        run_id = begun.run_id()
        cluster.running(run_id, "train", said="epoch 2/")
        cluster.terminate(run_id)
        ended = begun.wait()
    posted = webhook.received(cluster, run_id)

    assert ended.status == 3, ended.output
    assert ended.lines[-1].startswith("CANCELED run=") and "Fix:" not in ended.output
    assert (posted["status"], posted["step"]) == ("CANCELED", "")
