"""What a monitoring system should know of the registry's models, as OpenMetrics text in `<registry>/metrics.prom`.

Each model has one line in each family. `publish`, `compare` and `rollback` bring their model's lines up to date by
compare-and-swap, so concurrent runs of several models lose nothing. A run that fails writes nothing: its lines grow
old, which is what the alert in docs/models.md goes by.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from deep_mnist.registry.pointer import Promotion
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.store import (
    ABSENT,
    Generation,
    NotFoundError,
    PreconditionFailedError,
    Store,
    StoreUnreachableError,
)

METRICS_FILE = "metrics.prom"
OUTCOMES = ("promoted", "not_promoted", "unchanged")
ATTEMPTS = 100
_PREFIX = "deep_mnist_"
_LINE = re.compile(r'^deep_mnist_(\w+)\{model="([^"\\]+)"(?:,outcome="(\w+)")?\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class ModelMetrics:
    """The lines of one model; None leaves a line out.

    Attributes:
        champion_accuracy_ratio: Share of its test split that the champion has correct, 0..1, when it was promoted.
        champion_version: The version that the pointer names.
        champion_promoted_timestamp_seconds: Unix time of that promotion or rollback.
        slot_timestamp_seconds: Unix time of the latest slot of a schedule in which `compare` ran.
        outcome_timestamp_seconds: Unix time of the latest outcome.
        current_timestamp_seconds: Unix time at which a run last ended with a champion that is up to date: promoted, or
            "unchanged".
        outcome: One of OUTCOMES, of the latest run that had one.
    """

    champion_accuracy_ratio: float | None = None
    champion_version: float | None = None
    champion_promoted_timestamp_seconds: float | None = None
    slot_timestamp_seconds: float | None = None
    outcome_timestamp_seconds: float | None = None
    current_timestamp_seconds: float | None = None
    outcome: str = ""


_HELP = {
    "champion_accuracy_ratio": "Share of its test split that the champion has correct, when it was promoted.",
    "champion_version": "Version that the registry's pointer names.",
    "champion_promoted_timestamp_seconds": "When the champion was promoted.",
    "slot_timestamp_seconds": "The latest slot of a schedule in which data were compared.",
    "outcome_timestamp_seconds": "When a run last had an outcome.",
    "current_timestamp_seconds": "When a run last promoted a model, or found nothing new to train on.",
}
_UNITS = {"_ratio": "ratio", "_seconds": "seconds"}


def record(registry: Registry, *, outcome: str = "", slot: str = "") -> None:
    """Bring a model's lines up to date; a store that fails is reported on one line and is no error.

    Args:
        registry: Of the model.
        outcome: One of OUTCOMES, or "" while there is none yet.
        slot: When the schedule fired (RFC 3339), or "".
    """
    try:
        _update(registry, outcome, slot_seconds(slot), registry.champion())
    except OSError as error:
        print(f"warning: the metrics of {registry.name} were not written: {error}", flush=True)


def read_model_metrics(store: Store) -> dict[str, ModelMetrics]:
    """Return model name -> what `metrics.prom` says of it; nothing when there is no such file."""
    return _read(store)[0]


def as_open_metrics(models: Mapping[str, ModelMetrics]) -> str:
    """Return the models' lines as OpenMetrics text, family by family."""
    lines: list[str] = []
    for family, help_text in _HELP.items():
        values = [(name, getattr(models[name], family)) for name in sorted(models)]
        lines += [f"# TYPE {_PREFIX}{family} gauge"]
        lines += [f"# UNIT {_PREFIX}{family} {unit}" for ending, unit in _UNITS.items() if family.endswith(ending)]
        lines += [f"# HELP {_PREFIX}{family} {help_text}"]
        lines += [f'{_PREFIX}{family}{{model="{name}"}} {value!r}' for name, value in values if value is not None]
    # A gauge, not a stateset: Pushgateway and node_exporter read only what the older text format knows.
    lines += [f"# TYPE {_PREFIX}outcome gauge", f"# HELP {_PREFIX}outcome What the latest run came to."]
    lines += [line for name in sorted(models) for line in _states(name, models[name].outcome)]
    return "\n".join([*lines, "# EOF", ""])


def parse(text: str) -> dict[str, ModelMetrics]:
    """Return what `render` wrote; lines of another form are passed over.

    >>> models = {"mnist": ModelMetrics(champion_version=3.0, outcome="promoted")}
    >>> parse(as_open_metrics(models)) == models
    True
    """
    known = {each.name for each in fields(ModelMetrics)}
    found: dict[str, ModelMetrics] = {}
    for family, name, state, value in _LINE.findall(text):
        metrics = found.setdefault(name, ModelMetrics())
        if family == "outcome" and state in OUTCOMES:
            found[name] = replace(metrics, outcome=state) if value == "1" else metrics
        elif family in known - {"outcome"}:
            found[name] = _with(metrics, {family: float(value)})
    return found


def slot_seconds(slot: str) -> float | None:
    """Return the Unix time of a slot; None for "" and for what KFP writes into runs that no schedule started.

    >>> slot_seconds("2026-11-24T03:00:00Z"), slot_seconds("0001-01-01T00:00:00Z"), slot_seconds("")
    (1795489200.0, None, None)
    """
    try:
        at = datetime.fromisoformat(slot)
        return at.timestamp() if at.tzinfo and at.year > 1970 else None
    except ValueError:
        return None


def _update(registry: Registry, outcome: str, slot: float | None, champion: Promotion | None) -> None:
    store = registry.store
    for _ in range(ATTEMPTS):
        models, generation = _read(store)
        before = models.get(registry.name, ModelMetrics())
        models[registry.name] = _next(before, outcome, slot, champion)
        try:
            store.write(METRICS_FILE, as_open_metrics(models).encode(), if_generation=generation)
            return
        except PreconditionFailedError:
            continue
    raise StoreUnreachableError(f"Expected to replace {store.url}/{METRICS_FILE}. Received: {ATTEMPTS} lost races.")


def _next(before: ModelMetrics, outcome: str, slot: float | None, champion: Promotion | None) -> ModelMetrics:
    """Return the lines after this outcome. Of two slots the later stays, whichever is written last."""
    now = round(time.time(), 3)
    after = before
    if slot is not None:
        after = replace(after, slot_timestamp_seconds=max(slot, before.slot_timestamp_seconds or slot))
    if champion is not None:
        after = _with(after, _of_champion(champion))
    if outcome:
        after = replace(after, outcome=outcome, outcome_timestamp_seconds=now)
    if outcome in ("promoted", "unchanged"):
        after = replace(after, current_timestamp_seconds=now)
    return after


def _with(metrics: ModelMetrics, values: Mapping[str, Any]) -> ModelMetrics:
    return replace(metrics, **values)


def _of_champion(champion: Promotion) -> dict[str, float]:
    return {
        "champion_accuracy_ratio": float(champion.facts.accuracy),
        "champion_version": float(champion.version),
        "champion_promoted_timestamp_seconds": datetime.fromisoformat(champion.time).timestamp(),
    }


def _read(store: Store) -> tuple[dict[str, ModelMetrics], Generation]:
    try:
        data, generation = store.read(METRICS_FILE)
    except NotFoundError:
        return {}, ABSENT
    return parse(data.decode(errors="replace")), generation


def _states(name: str, outcome: str) -> Iterator[str]:
    for state in OUTCOMES if outcome else ():
        yield f'{_PREFIX}outcome{{model="{name}",outcome="{state}"}} {int(state == outcome)}'
