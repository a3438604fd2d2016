"""The pipeline's parameters as `plan`, `submit` and `schedule` take them: one set of options for all three."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from deep_mnist.contract.load import resolve_contract
from pipeline.cluster.definition import Definition, typed
from pipeline.local.process import UsageError
from pipeline.local.run import ADDRESS, BUILT_IN_DATASETS, FLOORS, OWN_FLOORS, digest_of_model, model_name_for
from pipeline.resources import GPU_TYPE

F = TypeVar("F", bound=Callable[..., Any])
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def parameter_options(command: F) -> F:
    """Add the options that say what a run shall do."""
    options = [
        click.option("--dataset", default="mnist", show_default=True, help="mnist, fashion-mnist, gs:// or https://"),
        click.option("--network", default="fast", show_default=True, help="A built-in network."),
        click.option("--model", default="", help="Your own network: gs:// of a .keras file; takes --network's place."),
        click.option("--epochs", type=click.IntRange(0), default=0, help="0: as many as the network's recipe says."),
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True),
        click.option("--store", default="", envvar="DEEP_MNIST_STORE", help="The model registry: gs://bucket/folder."),
        click.option("--model-name", default="", help="Name in the registry; default: the dataset's."),
        click.option("--gpu", type=click.IntRange(0), default=0, show_default=True, help="GPUs for training."),
        click.option("--gpu-type", default=GPU_TYPE, show_default=True, help="The resource's name on the nodes."),
        click.option("--node-selector", multiple=True, metavar="KEY=VALUE", help="Label of the nodes for training."),
        click.option(
            "--toleration", multiple=True, metavar="KEY[=VALUE][:EFFECT]", help="Taint that training tolerates."
        ),
        click.option("-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="Any other pipeline parameter."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def install_options(command: F) -> F:
    """Add the options whose defaults are the install's own."""
    command = click.option("--pipeline-root", default="", help="gs:// folder for artifacts; default: the install's.")(
        command
    )
    return click.option(
        "--service-account",
        default="",
        envvar="DEEP_MNIST_SERVICE_ACCOUNT",
        help="Who the steps run as, e.g. deep-mnist-runner of manifests/base; default: the install's.",
    )(command)


def parameters_for(
    definition: Definition,
    *,
    parameter: Sequence[str] = (),
    needs_store: bool = True,
    pin_model: bool = False,
    **asked: Any,
) -> dict[str, Any]:
    """Return every parameter that is given or derived; the rest keep the definition's defaults.

    A plan may go without a store, a run may not. `pin_model` reads the user's network and fixes its SHA-256, so that
    another file at the same address is neither taken for it nor answered from the cache.

    Raises:
        click.BadParameter: A value cannot be used on a cluster, or a name is unknown.
    """
    dataset = _address(asked["dataset"], "dataset", BUILT_IN_DATASETS)
    store = _registry(asked["store"]) if asked["store"] or needs_store else ""
    accuracy, class_accuracy = FLOORS.get(dataset, OWN_FLOORS)
    derived = {
        "dataset": dataset,
        # What lies at the user's own address may have changed: a new token keeps an old download from being reused.
        "dataset_digest": "pinned" if dataset in BUILT_IN_DATASETS else secrets.token_hex(8),
        "network": asked["network"] if asked["model"] else _known(asked["network"]),
        "model": _address(asked["model"], "model", ("",)),
        "model_digest": _pinned(asked["model"]) if pin_model else "",
        "epochs": asked["epochs"],
        "seed": asked["seed"],
        "registry": store,
        "checkpoints": f"{store}/checkpoints" if store else "",
        "model_name": asked["model_name"] or model_name_for(dataset),
        "min_accuracy": accuracy,
        "min_class_accuracy": class_accuracy,
        **_accelerator(asked),
    }
    return {**derived, **typed(definition, dict(_pair(each, "parameter") for each in parameter))}


def with_defaults(definition: Definition, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters, those that are not given at their defaults."""
    return {name: parameters.get(name, entry.get("defaultValue")) for name, entry in definition.inputs.items()}


def _accelerator(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that place training. A count is text: of a number the driver makes no request."""
    count = asked["gpu"]
    tolerations = [toleration(each) for each in asked["toleration"]]
    if count and not tolerations:
        tolerations = [toleration(f"{asked['gpu_type']}:NoSchedule")]  # how GPU nodes are usually tainted
    return {
        "gpu_count": str(count),
        "gpu_type": asked["gpu_type"],
        "node_selector": dict(_pair(each, "node-selector") for each in asked["node_selector"]),
        "tolerations": tolerations,
        "require_gpu": bool(count),
    }


def toleration(text: str) -> dict[str, str]:
    """Return KEY[=VALUE][:EFFECT], as `kubectl taint` writes it, as a toleration."""
    named, _, effect = text.partition(":")
    key, equals, value = named.partition("=")
    if not key or (effect and effect not in EFFECTS):
        raise click.BadParameter(
            f"Expected KEY[=VALUE][:EFFECT], EFFECT one of {', '.join(EFFECTS)}. Received: {text!r}."
        )
    entry = {"key": key, "operator": "Equal" if equals else "Exists"}
    return {**entry, **({"value": value} if equals else {}), **({"effect": effect} if effect else {})}


def _pinned(model: str) -> str:
    try:
        return digest_of_model(model)
    except UsageError as error:
        raise click.BadParameter(str(error), param_hint="--model") from error


def _known(network: str) -> str:
    try:
        resolve_contract(network, "")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--network") from error
    return network


def _registry(store: str) -> str:
    if not store.startswith("gs://") or not store.removeprefix("gs://").strip("/"):
        raise click.BadParameter(
            f"Expected a registry that every pod reaches: --store gs://bucket/folder, or DEEP_MNIST_STORE. "
            f"Received: {store!r}."
        )
    return store.rstrip("/")


def _address(given: str, name: str, known: Sequence[str]) -> str:
    if given in known or ADDRESS.match(given):
        return given
    names = ", ".join(each for each in known if each)
    raise click.BadParameter(
        f"Expected {name} to be {names + ', ' if names else ''}gs:// or https://. Received: {given!r}. "
        "A pod does not see this machine's files: upload them first."
    )


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"Expected --{option} NAME=VALUE. Received: {text!r}.")
    return name, value
