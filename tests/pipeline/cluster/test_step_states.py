"""The states of a run's steps: of a loop's together, as many as the definition says."""

from __future__ import annotations

import pytest

from components.argo_workflow import repeated_pods
from pipeline.cluster.definition import compile_definition, compile_sweep
from pipeline.cluster.step_states import StepTable, details_in, step_states, steps_of
from pipeline.placement import ClusterSettings
from tests.support.argo import Workflow

pytestmark = pytest.mark.usefixtures("pushed_images")
LOST = [("Error", "pod deleted"), ("Failed", "main: Error (exit code 143): epoch 9\nError: exit status 143")]
TRIALS = [{"network": "fast", "seed": seed} for seed in range(3)]


def shown(workflow: Workflow) -> dict[str, str]:
    """The states in a sweep of three trials."""
    return step_states(details_in(workflow.manifest()), steps_of(compile_sweep().pipeline, {"trials": TRIALS}))


def test_trials_that_have_not_begun_count():
    """Argo has a node for what has begun only: a step is no success before its last trial's, nor one of fewer."""
    assert shown(Workflow(download="Succeeded").trials(preprocess=["Succeeded"])) == {
        "download": "SUCCEEDED", "preprocess": "PENDING 1 of 3 trials have succeeded",
    }  # fmt: skip
    assert shown(Workflow().trials(train=["Succeeded", "Running"]))["train"] == "RUNNING 1 of 3 trials have succeeded"
    assert shown(Workflow().trials(train=["Succeeded"] * 3))["train"] == "SUCCEEDED"
    assert shown(Workflow().trials(train=["Failed"]))["train"] == "FAILED 0 of 3 trials have succeeded"


def test_a_step_runs_as_often_as_its_loop_has_items():
    """The items are a parameter of the run or stand in the definition; a step outside of a loop runs once."""
    settings = ClusterSettings(inspect_labels=True, notify="webhook")
    sweep = steps_of(compile_sweep().pipeline, {"trials": TRIALS})
    inspected = steps_of(compile_definition(settings=settings).pipeline, {})

    assert {name for name, times in sweep.items() if times == 3} == {"preprocess", "validate", "require-valid", "train"}
    assert {name for name, times in sweep.items() if times == 1} == {"download", "select", "evaluate", "publish"}
    assert {name for name, times in inspected.items() if times == 5} == {"inspect-fold"}
    assert {"notify", "train", "inspect"} <= inspected.keys()


def test_a_sweep_whose_parameters_are_not_told_counts_what_has_begun():
    """As of a run that another version of Kubeflow shows."""
    steps = steps_of(compile_sweep().pipeline, {})
    details = details_in(Workflow().trials(train=["Succeeded", "Running"]).manifest())

    assert step_states(details, steps)["train"] == "RUNNING 1 of 2 trials have succeeded"


def test_of_each_repetition_is_told_once_what_became_of_the_pod_before(capsys):
    """Of a step's own pods and each trial's."""
    workflow = Workflow(prepare="Succeeded").trials(train=["Succeeded", [*LOST, ("Running", "")]])
    with StepTable() as table:
        for _ in range(2):
            table.say_repeated(repeated_pods(workflow.manifest()))

    assert capsys.readouterr().out.splitlines() == [
        "train of trial 2 attempt 2: pod deleted", "train of trial 2 attempt 3: main: Error (exit code 143)",
    ]  # fmt: skip
