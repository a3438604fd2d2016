"""One definition of a run's arguments, for the definition, `run`, `plan`, `submit` and `schedule`."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.command_options import run_options
from pipeline.local.local_arguments import local_arguments
from pipeline.run_arguments import FLOORS, OWN_FLOORS, RunArguments, UsageError, complete, model_name_for
from pipeline.training import build_pipeline


def signature_of_training() -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(build_pipeline().pipeline_func).parameters)


def test_the_signature_of_training_is_run_arguments():
    """The definition has the same names, in the same order, with the same defaults."""
    signature = {name: each.default for name, each in signature_of_training().items()}

    assert list(signature) == [each.name for each in fields(RunArguments)]
    assert signature == RunArguments().to_dict()


def test_what_is_compiled_has_these_defaults():
    """What a cluster takes for a parameter that nobody gave is what RunArguments says, to the last digit."""
    inputs = build_pipeline(cluster=True).pipeline_spec.root.input_definitions.parameters
    compiled = {name: inputs[name].default_value for name in inputs}

    assert compiled["validation_fraction"].number_value == RunArguments.validation_fraction == 1 / 12
    assert compiled["min_accuracy"].number_value == RunArguments.min_accuracy
    assert compiled["gpu_count"].string_value == RunArguments.gpu_count
    assert set(compiled) == {each.name for each in fields(RunArguments)}


def test_both_doors_build_the_same_arguments(tmp_path, monkeypatch):
    """`run` and `plan` with the same options differ only in where the registry and the checkpoints lie."""
    monkeypatch.chdir(tmp_path)
    options = ("--network", "deep_mnist", "--seed", "3", "--accept", 'splits.order="sorted on purpose"')
    shown = CliRunner().invoke(pipeline, ["plan", *options, "--json"])
    planned = json.loads(shown.output)["parameters"]
    chosen = click.command()(run_options(lambda **given: given)).main(list(options), standalone_mode=False)
    here = local_arguments(runs=tmp_path / "runs", gpu="0", store=str(tmp_path / "registry"), **chosen).to_dict()

    assert {name for name in here if here[name] != planned[name]} == {"registry", "checkpoints"}
    assert planned["accept"] == [{"field": "splits.order", "because": "sorted on purpose"}]


def test_an_unknown_form_starts_nothing():
    """A form that is none is refused by `run` and by `plan`, with those that are."""
    for command in (["run"], ["plan"]):
        refused = CliRunner().invoke(pipeline, [*command, "--forms", "onnx, coreml"])

        assert refused.exit_code == 2 and "Expected forms of onnx, litert, litert-int8. Received: 'coreml'" in " ".join(
            refused.output.split()
        )


@pytest.mark.parametrize(("dataset", "floors"), [*FLOORS.items(), ("/data/own", OWN_FLOORS)])
def test_floors_follow_the_dataset_unless_given(dataset, floors):
    """The floors for promotion are the dataset's, and an option wins."""
    derived = complete(dataset=dataset)
    chosen = complete(dataset=dataset, min_accuracy=0.0, min_class_accuracy=1.0)

    assert (derived.min_accuracy, derived.min_class_accuracy) == floors
    assert (chosen.min_accuracy, chosen.min_class_accuracy) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files.train_images=never mind", "files.train_images"),
        ("splits.order", "because"),
        ('splits.order="  "', "because"),
        ("images.beauty=of no use", "images.beauty"),
    ],
)
def test_an_acceptance_that_cannot_be_used_is_refused(text, message):
    """An unreadable file, a missing reason and an unknown field cannot be accepted, and the message says so."""
    with pytest.raises(UsageError, match=message):
        complete(dataset="mnist", accept=[text])


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("mnist", "mnist"),
        ("/data/My Digits", "my-digits"),
        ("https://example.com/a/digits.npz#sha256=00", "digits"),
        ("gs://bucket/digits/", "digits"),
        ("/", "own"),
        ("/data/2026_scans", "own-2026-scans"),
    ],
)
def test_the_registry_name_follows_the_dataset(dataset, name):
    """Each dataset's models get a name that a folder and a bucket can hold."""
    assert model_name_for(dataset) == name
