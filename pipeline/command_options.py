"""The options that `run`, `plan`, `submit` and `schedule` share: what a run shall do, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from deep_mnist.contract.load import CONTRACTS
from deep_mnist.data.known import KNOWN
from deep_mnist.forms.form import FORMS
from pipeline.run_arguments import LARGEST_SEED, RunArguments

F = TypeVar("F", bound=Callable[..., Any])
NETWORKS = ", ".join(sorted(path.stem for path in CONTRACTS.glob("*.yaml")))
SHARE = click.FloatRange(0, 1)


def add_options(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds options to a command, in this order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


run_options = add_options(
    click.option(
        "--dataset",
        default=RunArguments.dataset,
        show_default=True,
        help=f"{', '.join(KNOWN)}, an address (object store or https://), or on this machine a folder.",
    ),
    click.option("--network", default=RunArguments.network, show_default=True, help=f"Built in: {NETWORKS}."),
    click.option(
        "--model", default="", help="Your own network, a .keras file's path or address; takes --network's place."
    ),
    click.option(
        "--preparation",
        type=click.Choice(["auto", "contract", "none"]),
        default=RunArguments.preparation,
        show_default=True,
        help="auto: raw uint8 images and integer labels become what the network asks for, all else passes unchanged; "
        "contract: must be raw; none: nothing is changed.",
    ),
    click.option(
        "--validation-fraction",
        type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
        default=RunArguments.validation_fraction,
        show_default="1/12",
        help="Share of the training examples held out.",
    ),
    click.option(
        "--accept",
        multiple=True,
        metavar='RULE|FIELD="reason"',
        help="Take responsibility for what a rule, or all rules of a field, find; reports show the reason. Repeatable.",
    ),
    click.option("--ignore", default="", metavar="RULE,…", help="Rules of the doctor that are not judged."),
    click.option(
        "--rules", default="", help="A Python file with rules of your own, its path or address; validate runs it."
    ),
    click.option(
        "--labels", default="", help="A labels.yaml, its path or address: labels that people changed, examples dropped."
    ),
    click.option(
        "--shard-bytes",
        type=click.IntRange(0),
        default=0,
        help="Write training examples of more bytes as shards of at most so many, which are streamed; 0: never.",
    ),
    click.option("--shards", default="", help="Address of the store for the shards; default: the dataset's folder."),
    click.option("--epochs", type=click.IntRange(0), default=0, help="0: as many as the network's recipe says."),
    click.option(
        "--nodes",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Train on so many: processes here, pods of a TrainJob on a cluster; the same batches and results.",
    ),
    click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True),
    click.option("--model-name", default="", help="Name in the registry; default: the dataset's."),
    click.option("--min-accuracy", type=SHARE, help="Floor for promotion; default by dataset."),
    click.option("--min-class-accuracy", type=SHARE, help="Floor for each class; default by dataset."),
    click.option(
        "--confidence",
        type=click.FloatRange(0.5, 1, max_open=True),
        default=RunArguments.confidence,
        show_default=True,
        help="How sure a loss against the champion must be to count.",
    ),
    click.option("--require-promotion", is_flag=True, help="A model that is not promoted fails the run."),
    click.option(
        "--model-registry", default="", help="URL of Kubeflow's Model Registry, which shall learn of promoted versions."
    ),
    click.option(
        "--forms", default="", metavar="FORM,…", help=f"Publish the model in other forms too: {', '.join(FORMS)}."
    ),
)
RUN_OPTIONS = (
    "dataset", "network", "model", "preparation", "validation_fraction", "accept", "ignore", "rules",
    "labels", "shard_bytes", "shards", "epochs", "nodes", "seed", "model_name",
    "min_accuracy", "min_class_accuracy", "confidence", "require_promotion", "model_registry", "forms",
)  # fmt: skip
SWEEP_OPTIONS = (
    click.option("--seeds", default="0..2", show_default=True, help="Seeds of the trials, such as 0..4 or 1,3,5..7."),
    click.option(
        "--networks",
        default=RunArguments.network,
        show_default=True,
        help="Networks of the trials, with commas between.",
    ),
    click.option(
        "--parallelism",
        type=click.IntRange(1, 100),
        default=2,
        show_default=True,
        help="Trials at the same time; on this machine two at most.",
    ),
)
