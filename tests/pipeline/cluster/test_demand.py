"""plan: what a run asks a cluster for at the same time."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline

pytestmark = pytest.mark.usefixtures("pushed_images")
PLAN = ("plan", "--store", "gs://models/mnist")


def demand(*options: str) -> dict:
    shown = CliRunner().invoke(pipeline, [*PLAN, *options, "--json"])
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.output)["demand"]


def test_steps_one_after_the_other_ask_for_the_largest():
    """A run's steps follow one another, so at any time there is one pod: training's is the largest."""
    one = demand()
    steps = json.loads(CliRunner().invoke(pipeline, [*PLAN, "--json"]).output)["steps"]

    assert (one["pods"], one["cores"]) == (1, one["largest_cores"])
    assert one["accelerators"] == {}
    assert len(steps) == 5


@pytest.mark.parametrize(("parallelism", "trials", "pods"), [(2, "0..4", 2), (4, "0..4", 4), (4, "0..1", 2)])
def test_trials_ask_at_the_same_time(parallelism, trials, pods):
    """A sweep asks for as many trainings, with their accelerators, as its bound and its trials admit."""
    one = demand("--gpu", "2")
    many = demand("--sweep", "--seeds", trials, "--parallelism", str(parallelism), "--gpu", "2")

    assert many["pods"] == pods
    assert many["cores"] == pytest.approx(pods * one["cores"])
    assert many["memory"] == pytest.approx(pods * one["memory"])
    assert many["accelerators"] == {"nvidia.com/gpu": 2 * pods}
    assert many["largest_cores"] == one["largest_cores"]


def test_the_kind_node_holds_a_training():
    """4 cores and 8 GB, as docs/cluster.md names them, hold a training beside Kubeflow and kind's own pods."""
    one = demand()

    assert one["largest_cores"] + 1.0 + 0.95 < 3.8  # kind's own ask for 0.95, and not all of a node may be asked for
    assert one["largest_memory"] / 1024 + 3.6 + 0.3 < 7.2


def test_the_table_says_it():
    """The sentence names cores, memory and accelerators."""
    shown = CliRunner().invoke(pipeline, [*PLAN, "--gpu", "1"]).output

    assert "requested at the same time: 1.55 cores, 1.06 GiB, 1 x nvidia.com/gpu, in 1 pod" in shown
