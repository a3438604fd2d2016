"""What a monitoring system reads of the registry: valid OpenMetrics, true, and nothing lost when runs meet."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from deep_mnist.registry.metrics import METRICS_FILE, ModelMetrics, as_open_metrics, parse, read_model_metrics, record
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.open import open_store
from pipeline.models import models, rollback
from tests.support.versions import facts, make_folder


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return (family, model[, state]) -> value, as Prometheus' own parsers of both text formats read it."""

    def key(labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(labels[name] for name in ("model", "outcome") if name in labels)

    found, older = (
        {(each.name, *key(each.labels)): each.value for family in parse_text(text) for each in family.samples}
        for parse_text in (openmetrics_parser.text_string_to_metric_families, parser.text_string_to_metric_families)
    )
    assert found == older
    return found


def promote(registry: Registry, scratch: Path, content: str) -> None:
    registry.promote(make_folder(scratch / content, content), facts(content), expected=registry.champion())


def test_the_text_is_openmetrics_and_comes_back() -> None:
    """Any set of models, lines present or not, is valid text, which reads back as what was written."""
    written = {
        "mnist": ModelMetrics(0.9953, 3.0, 1.5e9, 1.6e9, 1.6e9, 1.6e9, "unchanged"),
        "fashion-mnist": ModelMetrics(1 / 3, 12.0, 1.7e9, outcome="promoted"),
        "My.own_model-2": ModelMetrics(),
    }
    found = samples(as_open_metrics(written))

    assert 0.9953 == found["deep_mnist_champion_accuracy_ratio", "mnist"]
    assert 1 == found["deep_mnist_outcome", "mnist", "unchanged"]
    assert 0 == found["deep_mnist_outcome", "mnist", "promoted"]
    assert {name: each for name, each in written.items() if each != ModelMetrics()} == parse(as_open_metrics(written))
    assert {} == samples(as_open_metrics({}))


def test_a_promotion_and_a_slot_are_recorded(address: str, tmp_path: Path) -> None:
    """After a promotion and an unchanged slot the file holds both, in every kind of store."""
    registry, started = Registry(address, "mnist"), time.time() - 1
    record(registry, slot="2026-11-24T03:00:00Z")
    promote(registry, tmp_path, "a")
    record(registry, outcome="promoted")
    promoted = read_model_metrics(registry.store)["mnist"]
    record(registry, outcome="unchanged", slot="2026-11-25T03:00:00Z")
    record(registry, slot="2026-11-24T03:00:00Z")  # a late attempt of the earlier slot
    found = samples(registry.store.read(METRICS_FILE)[0].decode())

    assert "promoted" == promoted.outcome and started <= promoted.current_timestamp_seconds
    assert 1 == found["deep_mnist_champion_version", "mnist"]
    assert registry.champion().facts.accuracy == found["deep_mnist_champion_accuracy_ratio", "mnist"]
    assert 1 == found["deep_mnist_outcome", "mnist", "unchanged"]
    assert 1795575600 == found["deep_mnist_slot_timestamp_seconds", "mnist"]


def test_a_model_that_was_not_promoted_is_not_current(tmp_path: Path) -> None:
    """ "Not promoted" is an outcome, and leaves the time at which the champion was last current."""
    registry = Registry(str(tmp_path), "mnist")
    record(registry, outcome="unchanged")
    before = read_model_metrics(registry.store)["mnist"]
    record(registry, outcome="not_promoted")
    after = read_model_metrics(registry.store)["mnist"]

    assert "not_promoted" == after.outcome
    assert before.current_timestamp_seconds == after.current_timestamp_seconds


def test_models_that_meet_lose_nothing(address: str) -> None:
    """Eight models recorded at the same time all have their lines."""
    names = [f"model-{number}" for number in range(8)]
    threads = [
        threading.Thread(target=record, args=(Registry(address, name),), kwargs={"outcome": "unchanged"})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert names == sorted(read_model_metrics(open_store(address)))


def test_a_store_that_fails_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run does not fail for its metrics."""
    (tmp_path / METRICS_FILE).mkdir()
    record(Registry(str(tmp_path), "mnist"), outcome="promoted")

    assert "warning: the metrics of mnist were not written: Expected" in capsys.readouterr().out


def test_the_command_prints_them_and_a_rollback_updates_them(tmp_path: Path) -> None:
    """`models metrics` prints the file's text; after a rollback it names the new version."""
    registry, call = Registry(str(tmp_path / "store"), "mnist"), CliRunner().invoke
    for content in "ab":
        promote(registry, tmp_path, content)
    call(rollback, ["--store", str(tmp_path / "store"), "--reason", "b is worse"], catch_exceptions=False)
    printed = call(models, ["metrics", "--store", str(tmp_path / "store")])

    assert 3 == samples(printed.output)["deep_mnist_champion_version", "mnist"]
