"""`python -m pipeline models` and `rollback`: what the registry holds, and promoting an earlier model again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deep_mnist.registry.keyless import IDENTITY_TOKEN, Keyless
from deep_mnist.registry.metrics import as_open_metrics, read_model_metrics, record
from deep_mnist.registry.names import model_names, only_name
from deep_mnist.registry.pointer import Promotion, RegistryError
from deep_mnist.registry.registry import Registry, Version
from deep_mnist.registry.signing import KEY, TRUST_CONFIG_HELP, TRUST_OPTIONS, Trust
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import StorageError
from pipeline.origin import origin_of, origin_page

STORE = click.option("--store", default="./registry", show_default=True, help="The registry: a folder, gs:// or s3://.")
NAME = click.option("--model-name", default="", help="Name in the registry; not needed when it holds just one.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
TRUST = (
    *(click.option(flag, multiple=True, metavar=what, help=text) for flag, (what, text) in TRUST_OPTIONS.items()),
    click.option("--trust-config", default="", metavar="FILE", help=TRUST_CONFIG_HELP),
)


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what users can fix into one line and exit status 1."""
    try:
        yield
    except (RegistryError, StorageError, OSError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
def models() -> None:
    """What the model registry holds."""


@models.command("list")
@_options(STORE, NAME, JSON)
def list_models(store: str, model_name: str, as_json: bool) -> None:
    """List the versions of every model, or of one."""
    with _plain_errors():
        found = {name: Registry(store, name).versions() for name in _names(store, model_name)}
    if as_json:
        click.echo(json.dumps({name: [_version_row(each) for each in versions] for name, versions in found.items()}))
        return
    if not found:
        click.echo(f"No model in {store} yet.")
    for name, versions in found.items():
        Console(highlight=False).print(_table(name, versions), "")


@models.command("show")
@_options(STORE, NAME, JSON)
@click.option("--version", type=click.IntRange(1), help="Default: the champion.")
def show_model(store: str, model_name: str, as_json: bool, version: int | None) -> None:
    """Show one version, its model card and the history of the pointer."""
    with _plain_errors():
        registry = Registry(store, only_name(store, model_name))
        log = registry.log()
        promotion = _version_of(log, version, registry.name)
        card = registry.read_text(promotion, "model_card.md")
    if as_json:
        shown = {
            "promotion": _promotion_row(promotion),
            "uri": registry.uri(promotion.version),
            "log": [_promotion_row(r) for r in log],
        }
        click.echo(json.dumps(shown))
        return
    state = "is the champion" if promotion.id == log[-1].id else "is not the champion"
    click.echo(f"{registry.name} version {promotion.version} {state}: {registry.uri(promotion.version)}\n")
    click.echo(card)
    click.echo("History, oldest first:\n")
    for each in log:
        click.echo(f"  {each.sequence:4}  {each.time}  {_event(each)}  {each.facts.accuracy:.4f}  {each.facts.reason}")


@models.command("origin")
@_options(STORE, NAME)
@click.option("--version", type=click.IntRange(1), help="Default: the champion.")
@_options(*TRUST)
@click.option("--html", type=click.Path(path_type=Path), default="origin.html", show_default=True, help="The page.")
def show_origin(store: str, model_name: str, version: int | None, html: Path, **trusted: Any) -> None:
    """Draw a page: data, network, run, code, judge, signature and predecessors of one version.

    All of it comes from the registry, each file verified; exit status 1 when the version must not be loaded.
    """
    with _plain_errors():
        registry = Registry(store, only_name(store, model_name), trust=_trust(**trusted))
        log = registry.log()
        origin = origin_of(registry, _version_of(log, version, registry.name), log)
        html.write_text(origin_page(registry.name, origin), encoding="utf-8")
    click.echo(f"{registry.name} version {origin.promotion.version}: {origin.signature} {html}")
    if origin.tone == "bad":
        raise SystemExit(1)


@models.command("metrics")
@_options(STORE)
def show_metrics(store: str) -> None:
    """Print what a monitoring system should know of every model, as OpenMetrics text."""
    with _plain_errors():
        click.echo(as_open_metrics(read_model_metrics(open_store(store))), nl=False)


@click.command()
@_options(STORE, NAME, JSON)
@click.option("--to", type=click.IntRange(1), help="Version to go back to; default: the one before the champion.")
@click.option("--reason", default="", help="For the log.")
@click.option("--sign-key", default="", metavar="FILE", help=f"Private key that signs the copy; default: ${KEY}.")
@click.option(
    "--identity-token", default="", metavar="FILE", help=f"OIDC token that signs it, or: ambient; ${IDENTITY_TOKEN}."
)
@_options(*TRUST)
@click.option("--require-signature", is_flag=True, help="Copy no version without a signature.")
@click.option("--vouch-for-unsigned", is_flag=True, help="Sign the copy of a version that nobody signed.")
def rollback(
    store: str,
    model_name: str,
    as_json: bool,
    to: int | None,
    reason: str,
    vouch_for_unsigned: bool,
    **signing: Any,
) -> None:
    """Promote an earlier version's model again.

    Its files become a new version, since servers load the highest number; the log says whose copy it is. Nothing is
    deleted. The move is a compare-and-swap: when something else was promoted in between, nothing happens. The earlier
    version's signature is verified before its copy is signed.
    """
    with _plain_errors():
        registry = Registry(store, only_name(store, model_name), trust=_trust(**signing))
        before = registry.champion()
        promotion = registry.rollback(to, reason=reason, vouch_for_unsigned=vouch_for_unsigned)
        record(registry)
    if as_json:
        click.echo(json.dumps({"promotion": _promotion_row(promotion), "uri": registry.uri(promotion.version)}))
        return
    was = before.version if before else 0
    click.echo(
        f"ROLLED BACK name={registry.name} restores={promotion.restores} version={promotion.version} was={was} "
        f"accuracy={promotion.facts.accuracy:.4f} uri={registry.uri(promotion.version)}"
    )


def _trust(
    trusted_key: tuple[str, ...],
    certificate_identity: tuple[str, ...],
    certificate_oidc_issuer: tuple[str, ...],
    trust_config: str,
    sign_key: str = "",
    identity_token: str = "",
    require_signature: bool = False,
) -> Trust:
    """Return what the options of TRUST say, and those of who signs."""
    keyless = Keyless.of(identity_token, certificate_identity, certificate_oidc_issuer, trust_config)
    return Trust.from_environment(sign_key, trusted_key, require_signature, keyless)


def _names(store: str, model_name: str) -> list[str]:
    if model_name:
        return [model_name]
    return model_names(open_store(store))


def _version_of(log: list[Promotion], version: int | None, name: str) -> Promotion:
    if not log:
        raise RegistryError(f"Expected a promoted version of {name}. Received: nothing was ever promoted.")
    by_version = {promotion.version: promotion for promotion in log}
    if version is not None and version not in by_version:
        raise RegistryError(f"Expected one of the versions {sorted(by_version)} of {name}. Received: {version}.")
    return log[-1] if version is None else by_version[version]


def _promotion_row(promotion: Promotion) -> dict[str, Any]:
    return asdict(promotion)


def _version_row(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "state": version.state,
        "promotion": _promotion_row(version.promotion) if version.promotion else None,
    }


def _event(promotion: Promotion) -> str:
    if promotion.action == "rollback":
        return f"rollback to {promotion.restores} as version {promotion.version}"
    return f"promote version {promotion.version}"


def _table(name: str, versions: list[Version]) -> Table:
    table = Table(title=name, title_justify="left", box=None, pad_edge=False)
    for heading in ("version", "state", "since (UTC)", "accuracy", "model", "run"):
        table.add_column(heading, no_wrap=True)
    for version in reversed(versions):
        promotion = version.promotion
        state = f"[bold green]{version.state}[/]" if version.state == "champion" else version.state
        if promotion is None:
            table.add_row(str(version.number), state)
            continue
        shown = f"{version.number} (= {promotion.restores})" if promotion.restores else str(version.number)
        facts = promotion.facts
        cells = (promotion.time[:16].replace("T", " "), f"{facts.accuracy:.4f}", facts.model_digest[:12], facts.run)
        table.add_row(shown, state, *map(escape, cells))
    return table
