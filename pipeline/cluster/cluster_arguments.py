"""The pipeline's parameters as `plan`, `submit` and `schedule` take them: one set of options for all three."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import click

from deep_mnist.data.known import KNOWN
from deep_mnist.storage.address import is_address, is_store_address, store_schemes
from pipeline.cluster.definition import Definition, compile_sweep, typed
from pipeline.command_options import RUN_OPTIONS, add_options, run_options
from pipeline.digests import digest_of_file
from pipeline.placement import ClusterSettings
from pipeline.resources import GPU_TYPE, RESOURCES
from pipeline.run_arguments import RunArguments, UsageError, complete
from pipeline.trials import trials_of

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


cluster_run_options = add_options(
    run_options,
    click.option("--store", default="", envvar="DEEP_MNIST_STORE", help="The model registry: bucket and folder."),
    click.option("--gpu", type=click.IntRange(0), default=0, show_default=True, help="GPUs for training."),
    click.option("--gpu-type", default=GPU_TYPE, show_default=True, help="The resource's name on the nodes."),
    click.option("--node-selector", multiple=True, metavar="KEY=VALUE", help="Label of the nodes for training."),
    click.option("--toleration", multiple=True, metavar="KEY[=VALUE][:EFFECT]", help="Taint that training tolerates."),
    click.option("-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="Any pipeline parameter by its name."),
)


def _quantity(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti|M|G|T)", value):
        raise click.BadParameter(f"Expected a size such as 5Gi. Received: {value!r}.")
    return value


definition_options = add_options(
    click.option(
        "--rehearse/--no-rehearse",
        default=None,
        help="Run the network for some seconds on a CPU before it is trained; default: where --gpu is not 0.",
    ),
    click.option(
        "--inspect-labels",
        is_flag=True,
        help="Before the training, name single labels that are likely wrong, by folds.",
    ),
    click.option(
        "--notify",
        default="",
        envvar="DEEP_MNIST_NOTIFY",
        metavar="SECRET",
        help="Tell the webhook in this Secret how the run ended; an absent Secret tells nobody.",
    ),
    click.option(
        "--signing",
        default="",
        envvar="DEEP_MNIST_SIGNING",
        metavar="SECRET",
        help="Sign versions with the Secret's `key`, and load only what its `trusted` public keys vouch for.",
    ),
    click.option(
        "--keyless",
        default="",
        envvar="DEEP_MNIST_KEYLESS",
        metavar="CONFIGMAP",
        help="Sign versions by the service account's identity, and load only what the ConfigMap's identities signed.",
    ),
    click.option(
        "--workspace",
        default="",
        callback=_quantity,
        metavar="SIZE",
        help="Keep training's checkpoints on a volume claim of the run, such as 5Gi, and not in the store.",
    ),
    click.option(
        "--pull-secret",
        multiple=True,
        envvar="DEEP_MNIST_PULL_SECRETS",
        metavar="SECRET",
        help="With which nodes pull the steps' images. Repeatable; the variable separates by spaces.",
    ),
)
install_options = add_options(
    click.option("--pipeline-root", default="", help="Address of the folder for artifacts; default: the install's."),
    click.option(
        "--service-account",
        default="",
        envvar="DEEP_MNIST_SERVICE_ACCOUNT",
        help="Who the steps run as, e.g. deep-mnist-runner of manifests/base; default: the install's.",
    ),
)


def cluster_settings(options: Mapping[str, Any]) -> ClusterSettings:
    """Return what `definition_options` say."""
    return ClusterSettings(
        notify=options["notify"],
        rehearse=options["rehearse"],
        inspect_labels=options["inspect_labels"],
        pull_secrets=tuple(options["pull_secret"]),
        workspace=options["workspace"],
        signing=options["signing"],
        keyless=options["keyless"],
    )


def pipeline_parameters(
    definition: Definition,
    *,
    parameter: Sequence[str] = (),
    needs_store: bool = True,
    pin_model: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Return every parameter of the definition, from the options and, last, from NAME=VALUE texts.

    Args:
        definition: Says the parameters' types.
        parameter: NAME=VALUE texts, which win.
        needs_store: A plan may go without a store, a run may not.
        pin_model: Read the user's network and fix its SHA-256, so that another file at the same address is neither
            taken for it nor answered from the cache.
        options: Those of `cluster_run_options`; others are left alone.

    Raises:
        click.BadParameter: A value cannot be used on a cluster, or a name is unknown.
    """
    try:
        arguments = cluster_arguments(options, needs_store=needs_store, pin_model=pin_model)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
    known = {name: value for name, value in arguments.to_dict().items() if name in definition.inputs}
    return {**known, **typed(definition, dict(_pair(each, "parameter") for each in parameter))}


def sweep_for_cluster(
    *, seeds: str, networks: str, parallelism: int, reuse: bool = True, **options: Any
) -> tuple[Definition, dict[str, Any]]:
    """Return the sweep's definition and its parameters; `options` as for `pipeline_parameters`.

    Raises:
        click.BadParameter: A value cannot be used on a cluster, or there is no trial.
    """
    settings = cluster_settings(options)
    if settings.workspace:
        raise click.BadParameter(
            "Expected no --workspace for a sweep: its trials run on several nodes, and a claim is mounted on one. "
            f"Received: {settings.workspace}. Fix: leave it out; the store keeps the checkpoints."
        )
    definition = compile_sweep(gpu=options["gpu"], reuse=reuse, parallelism=parallelism, settings=settings)
    try:
        trials = trials_of(seeds, networks, model=options["model"])
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
    options["network"] = trials[0]["network"]
    return definition, {"trials": trials, **pipeline_parameters(definition, **options)}


def cluster_arguments(options: Mapping[str, Any], *, needs_store: bool, pin_model: bool) -> RunArguments:
    """Return the arguments of a run on a cluster, whose pods see no file of this machine.

    Raises:
        click.BadParameter: An address cannot be used there.
        UsageError: The network is unknown, cannot be read, or an acceptance cannot be used.
    """
    dataset = _address(options["dataset"], "dataset", tuple(KNOWN), web=True)
    model = _address(options["model"], "model", ("",), web=False)  # no step fetches a network from the web
    rules = _address(options["rules"], "rules", ("",), web=False)
    labels = _address(options["labels"], "labels", ("",), web=False)
    store = _registry(options["store"]) if options["store"] or needs_store else ""
    return complete(
        **{
            **{name: options[name] for name in RUN_OPTIONS},
            "dataset": dataset,
            "model": model,
            "rules": rules,
            "labels": labels,
        },
        # What lies at the user's own address may have changed: a new token keeps an old download from being reused.
        dataset_digest="pinned" if dataset in KNOWN else secrets.token_hex(8),
        model_digest=digest_of_file(model, "MODEL") if pin_model else "",
        rules_digest=digest_of_file(rules, "RULES") if pin_model else "",
        labels_digest=digest_of_file(labels, "LABELS") if pin_model else "",
        registry=store,
        checkpoints=f"{store}/checkpoints" if store else "",
        **_accelerator(options),
    )


def _accelerator(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that place training. A count is text: of a number the driver makes no request."""
    count = options["gpu"]
    tolerations = [toleration(each) for each in options["toleration"]]
    if count and not tolerations:
        tolerations = [toleration(f"{options['gpu_type']}:NoSchedule")]  # how GPU nodes are usually tainted
    return {
        **_of_each_node(options),
        "gpu_count": "0" if options["nodes"] > 1 else str(count),  # the step itself only waits for its nodes
        "gpu_type": options["gpu_type"],
        "node_selector": dict(_pair(each, "node-selector") for each in options["node_selector"]),
        "tolerations": tolerations,
        "require_gpu": bool(count),
    }


def _of_each_node(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each of several nodes is given: as much as the step, were it alone."""
    if options["nodes"] == 1:
        return {}
    if options.get("workspace"):
        raise click.BadParameter(
            "Expected no --workspace with --nodes: a claim is mounted on one node. "
            f"Received: {options['workspace']}. Fix: leave it out; the store keeps the checkpoints."
        )
    of_train = RESOURCES["train"]
    resources = {"cpu": f"{of_train.cpu_limit:g}", "memory": f"{of_train.memory}Mi"}
    if options["gpu"]:
        resources[options["gpu_type"]] = str(options["gpu"])
    return {"node_resources": resources}


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


def _registry(store: str) -> str:
    if not is_store_address(store) or not store.partition("://")[2].strip("/"):
        raise click.BadParameter(
            "Expected a registry that every pod reaches: --store gs://bucket/folder, or DEEP_MNIST_STORE. "
            f"Received: {store!r}."
        )
    return store.rstrip("/")


def _address(value: str, name: str, known: Sequence[str], *, web: bool) -> str:
    if value in known or is_store_address(value) or (web and is_address(value)):
        return value
    fit = ", ".join([*(each for each in known if each), store_schemes() + (" or https://" if web else "")])
    raise click.BadParameter(
        f"Expected {name} to be {fit}. Received: {value!r}. A pod does not see this machine's files: upload them first."
    )


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"Expected --{option} NAME=VALUE. Received: {text!r}.")
    return name, value
