"""A sweep: which trials, what is planned and sent, and one run here whose best is judged once."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.definition import compile_sweep
from pipeline.run_arguments import RunArguments, UsageError
from pipeline.sweep import build_sweep
from pipeline.trials import trials_of
from tests.support import lineage
from tests.support.digits import write_raw_folder
from tests.support.drivers import Drivers
from tests.support.kfp_server import KfpServer
from tests.support.runs import Ended, run_pipeline

STORE = ("--store", "s3://models/mnist")
TRIALS = ("--seeds", "0..4", "--networks", "fast,deep_mnist")
REPEATED = {"preprocess", "validate", "require-valid", "train"}


def call(*arguments: str) -> object:
    return CliRunner().invoke(pipeline, list(arguments))


@pytest.mark.parametrize(("seeds", "expected"), [("0..4", [0, 1, 2, 3, 4]), ("7", [7]), ("1,3, 5..6,3", [1, 3, 5, 6])])
def test_seeds_are_numbers_and_ranges(seeds: str, expected: list[int]) -> None:
    """Ranges hold both ends, and no seed comes twice."""
    assert expected == [trial["seed"] for trial in trials_of(seeds, "fast")]


def test_each_network_gets_each_seed() -> None:
    """Networks times seeds, no network twice; a network of one's own takes the place of all."""
    pairs = [(trial["network"], trial["seed"]) for trial in trials_of("0..1", "fast, deep_mnist,fast")]

    assert [("fast", 0), ("fast", 1), ("deep_mnist", 0), ("deep_mnist", 1)] == pairs
    assert 2 == len(trials_of("0..1", "fast,deep_mnist", model="s3://bucket/mine.keras"))


@pytest.mark.parametrize(
    ("seeds", "networks"),
    [("", "fast"), ("4..0", "fast"), ("-1", "fast"), ("a", "fast"), ("0..200", "fast"), ("0..9999999999", "fast"),
     ("0", "nothing_of_this_name"), ("0", "")],
)  # fmt: skip
def test_trials_that_cannot_be_are_refused(seeds: str, networks: str) -> None:
    """An empty, reversed, endless or unreadable range and an unknown network are bad usage."""
    with pytest.raises(UsageError, match=r"Expected .*Received"):
        trials_of(seeds, networks)


def test_the_parameters_are_those_of_a_run() -> None:
    """The sweep takes what a run takes, with trials in the network's place, and the same defaults."""
    signature = inspect.signature(build_sweep().pipeline_func).parameters
    sweep = {name: each.default for name, each in signature.items() if name != "trials"}

    assert sweep == {name: value for name, value in RunArguments().to_dict().items() if name != "network"}


@pytest.mark.usefixtures("pushed_images")
def test_the_plan_shows_the_trials() -> None:
    """Data and both gates are passed in each trial, training with its accelerator; the rest runs once."""
    planned = json.loads(call("plan", "--sweep", *TRIALS, *STORE, "--gpu", "1", "--json").output)
    steps = {step["step"]: step for step in planned["steps"]}

    gates = {"rehearse", "require-rehearsed"}
    assert REPEATED | gates == {name for name, step in steps.items() if step["condition"] == "in each of 10 trials"}
    assert {"download", "select", "evaluate", "publish"} == {name for name in steps if not steps[name]["condition"]}
    assert "1 x nvidia.com/gpu" == steps["train"]["accelerator"]
    assert {"network": "deep_mnist", "seed": 4} == planned["parameters"]["trials"][-1]


def test_the_loop_is_bounded_and_the_accelerator_reaches_it() -> None:
    """The definition bounds how many trials run at once, and the loop is given the parameters of the accelerator."""
    tasks = compile_sweep(gpu=1, parallelism=3).pipeline["root"]["dag"]["tasks"]
    (loop,) = (task for task in tasks.values() if "parameterIterator" in task)

    assert 3 == loop["iteratorPolicy"]["parallelismLimit"]
    assert {"pipelinechannel--gpu_count", "pipelinechannel--gpu_type"} <= set(loop["inputs"]["parameters"])
    assert set(tasks["select"]["dependentTasks"]) == {next(name for name in tasks if tasks[name] is loop)}


@pytest.mark.usefixtures("pushed_images")
def test_a_sweep_is_sent_as_one_run(server: KfpServer) -> None:
    """With a host, one run is created whose parameters hold every trial."""
    sent = call("sweep", *TRIALS, *STORE, "--host", server.url, "--parallelism", "3")
    (run,) = server.runs.values()
    parameters = run["runtime_config"]["parameters"]

    assert 0 == sent.exit_code, sent.output
    assert sent.output.startswith("STARTED run=")
    assert 10 == len(parameters["trials"])
    assert "network" not in parameters
    assert "s3://models/mnist" == parameters["registry"]


def run_sweep(folder: Path, *options: str, **variables: str) -> Ended:
    return run_pipeline(folder, *options, verb=("sweep", "--here"), **variables)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_a_sweep_here_promotes_its_best(tmp_path: Path) -> None:
    """Trials of two networks that store their data differently: the best by validation accuracy is judged, once,
    and published; MLflow has a nested run of each, the best one's marked."""
    write_raw_folder(tmp_path / "digits", 1500, 300)
    options = ("--seeds", "1", "--networks", "fast,example2", "--dataset", "digits", "--epochs", "2")
    options = (*options, "--min-accuracy", "0.05", "--min-class-accuracy", "0", "--json")
    options = (*options, "--mlflow", f"file://{tmp_path}/mlruns")
    ended = run_sweep(tmp_path, *options, **lineage.transport(tmp_path), MLFLOW_ALLOW_FILE_STORE="true")
    outcome = json.loads(ended.lines[-1])
    folder = (tmp_path / outcome["report"]).parent
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    starts = [event["task"] for event in events if event["event"] == "start"]
    best = max(outcome["trials"], key=lambda trial: trial["validation_accuracy"])

    assert ("PUBLISHED", 0) == (outcome["status"], ended.status), ended.errors
    assert 2 == len(outcome["trials"])
    assert best["validation_accuracy"] == outcome["trials"][0]["validation_accuracy"]
    assert outcome["best"] == f"{outcome['trials'][0]['network']} seed {outcome['trials'][0]['seed']}"
    assert {name: 2 if name in REPEATED else 1 for name in starts} == {name: starts.count(name) for name in starts}
    published = json.loads((tmp_path / "registry/digits/1/training.json").read_text())
    told = {each["job"]["name"]: each for each in lineage.events(tmp_path) if each["eventType"] == "COMPLETE"}
    assert list(lineage.versions(told["deep-mnist.publish"]["inputs"])) == [
        ("tests", "digits/dataset", published["dataset_digest"]),
        ("tests", "digits/trained", published["weights_sha256"]),
    ]
    chosen, judged = told["deep-mnist.select"]["outputs"], told["deep-mnist.publish"]["inputs"]
    assert list(lineage.versions(chosen)) == list(lineage.versions(judged))
    assert (published["network"], published["seed"]) == (outcome["trials"][0]["network"], outcome["trials"][0]["seed"])
    assert "<h2>Trials</h2>" in (folder / "report.html").read_text()
    assert_nested(tmp_path / "mlruns", outcome)


def assert_nested(store: Path, outcome: dict) -> None:
    """MLflow holds the sweep, with the judged model's metrics, and below it each trial with those of its epochs."""
    from mlflow import MlflowClient

    with pytest.MonkeyPatch.context() as allowed:
        allowed.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(f"file://{store}")
        runs = client.search_runs([client.get_experiment_by_name("deep-mnist").experiment_id])
        (sweep,) = (each for each in runs if "mlflow.parentRunId" not in each.data.tags)
        trials = {each.info.run_name: each for each in runs if each is not sweep}
        epochs = [len(client.get_metric_history(each.info.run_id, "val_accuracy")) for each in trials.values()]
    assert {each.data.tags["mlflow.parentRunId"] for each in trials.values()} == {sweep.info.run_id}
    assert {name: each.data.metrics["validation_accuracy"] for name, each in trials.items()} == {
        f"{each['network']} seed {each['seed']}": each["validation_accuracy"] for each in outcome["trials"]
    }
    assert [name for name, each in trials.items() if each.data.tags["deep_mnist.selected"] == "true"] == [
        outcome["best"]
    ]
    assert epochs == [2, 2]
    assert sweep.data.metrics["val_accuracy"] == outcome["trials"][0]["validation_accuracy"]
    assert sweep.data.metrics["test_accuracy"] == outcome["accuracy"]
    assert {each.info.status for each in runs} == {"FINISHED"}


@pytest.mark.usefixtures("fresh_processes")
def test_a_sweep_of_unfit_data_fails_with_the_findings(tmp_path: Path) -> None:
    """Data that no network can use end the sweep before any training, with what was found."""
    folder = write_raw_folder(tmp_path / "digits", 600, 100)
    labels = np.load(folder / "train_labels.npy")
    labels[::7] = 77
    np.save(folder / "train_labels.npy", labels)
    ended = run_sweep(tmp_path, "--seeds", "0..1", "--dataset", "digits")

    assert 1 == ended.status
    assert re.match(r"FAILED step=validate findings=[1-9]", ended.last), ended.lines
    assert "train " not in "".join(line for line in ended.lines if " done " in line)


@pytest.mark.parametrize(
    "trials", [trials_of("0..1", "fast"), trials_of("0..2", "fast,deep_mnist")], ids=["one", "two"]
)
def test_a_repeated_sweep_hands_no_artifact_on_twice(trials: list) -> None:
    """Trials of one network prepare the same data: Kubeflow's metadata store takes each artifact once from a list."""
    definition, drivers = compile_sweep().pipeline, Drivers()
    for _ in range(2):
        drivers.run(definition, {"trials": trials})

    assert "download" in drivers.from_cache
    assert {"preprocess", "train", "select"}.isdisjoint(drivers.from_cache)
