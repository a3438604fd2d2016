"""The server's metrics: counters, and the window of the version that is served."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from deep_mnist.serving.model.champion import ServedChampion
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.monitoring.drift import DriftWindow
from deep_mnist.serving.monitoring.release import release
from deep_mnist.serving.requests.stages import STAGES, Stages
from deep_mnist.serving.requests.statistical_validation import CHECKS, ProfileComparison

PREFIX = "deep_mnist_serving_"
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
CODES = ("200", "400", "500", "503", "504")  # there from the start: a rate misses the first event of a series
SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class ServingMetrics:
    """Counters of one server, and the drift window of its current version.

    Args:
        champion: What is served.
        at_work: Returns how many requests are at work.

    Attributes:
        window: Of the version that is served; None where that was published without a profile.
    """

    def __init__(self, champion: ServedChampion, at_work: Callable[[], int]) -> None:
        self.champion = champion
        self.registry = CollectorRegistry()
        self.window: DriftWindow | None = None
        self.requests = self._counter("requests", "Prediction requests by status.", "code")
        for code in CODES:
            self.requests.labels(code)
        self.examples = self._counter("examples", "Examples that were predicted.")
        self.predictions = self._counter("predictions", "Predictions by class.", "class")
        self.refused = self._counter("refused", "Requests refused, by what is wrong with them.", "field")
        self.warnings = self._counter("warnings", "Examples predicted with a warning of the doctor.", "check")
        for check in CHECKS:
            self.warnings.labels(check)
        self.seconds = self._histogram("request_seconds", "From a request's head to its response.", SECONDS, "code")
        text = "Stages of a prediction request: what a batch shares counts for each of its requests."
        stages = self._histogram("stage_seconds", text, SECONDS, "stage")
        self.stages = {stage: stages.labels(stage) for stage in STAGES}
        self.batch_examples = self._histogram("batch_examples", "Examples predicted together.", SIZES)
        self.batch_requests = self._histogram("batch_requests", "Requests predicted together.", SIZES)
        gauge = Gauge(f"{PREFIX}requests_at_work", "Requests at work now.", registry=self.registry)
        gauge.set_function(at_work)
        self.registry.register(_StateCollector(self))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}{name}", text, labels, buckets=buckets, registry=self.registry)

    def responded(self, code: int, seconds: float, stages: Stages) -> None:
        """Count a prediction request that has its response."""
        self.requests.labels(str(code)).inc()
        self.seconds.labels(str(code)).observe(seconds)
        for stage, taken in stages.seconds.items():
            self.stages[stage].observe(taken)

    def follow(self, model: ServedModel) -> None:
        """Begin a window for a version that is served from now on."""
        self.window = DriftWindow(model.profile) if model.profile else None

    def saw(
        self, model: ServedModel, comparison: ProfileComparison | None, probabilities: np.ndarray, requests: int
    ) -> None:
        """Count what a version predicted for a batch of requests, float (n, classes)."""
        self.batch_examples.observe(len(probabilities))
        self.batch_requests.observe(requests)
        self.examples.inc(len(probabilities))
        counts = np.bincount(probabilities.argmax(axis=1), minlength=1)
        for number in np.flatnonzero(counts):
            self.predictions.labels(model.class_name(int(number))).inc(int(counts[number]))
        if comparison is None:
            return
        for warning in comparison.warnings:
            self.warnings.labels(warning.check).inc(int(warning.rows.sum()))
        window = self.window
        if window is not None and window.profile is model.profile:
            window.add(comparison, probabilities)

    def report(self) -> dict[str, Any] | None:
        """Return the drift report, or None where the version has no profile."""
        return self.window.report() if self.window else None

    def warning_counts(self) -> dict[str, int]:
        """Return check -> examples predicted with its warning since the server started."""
        return {check: int(self._count(check)) for check in CHECKS}

    def _count(self, check: str) -> float:
        return self.registry.get_sample_value(f"{PREFIX}warnings_total", {"check": check}) or 0.0

    def open_metrics(self) -> tuple[bytes, str]:
        """Return everything as OpenMetrics text, and its content type."""
        text: bytes = generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return text, CONTENT_TYPE_LATEST


class _StateCollector(Collector):
    """The champion's state and its drift, read when they are asked for."""

    def __init__(self, metrics: ServingMetrics) -> None:
        self.metrics = metrics

    def collect(self) -> Iterator[Metric]:
        state = self.metrics.champion.state
        yield _info("build", "This server.", release=release(), python=platform.python_version())
        yield _counted("swaps", "How often the model was replaced while serving.", state.swaps)
        yield _counted("load_failures", "How often a promoted version could not be loaded.", state.failures)
        broken = state.broken.promotion.version if state.broken else 0
        yield _gauge("broken_version", "The version that the pointer names but that cannot be served; 0: none.", broken)
        unreachable = float(bool(state.unreachable))
        yield _gauge("pointer_unreachable", "1 while the registry's pointer cannot be read.", unreachable)
        yield _gauge("pointer_read_timestamp_seconds", "When the pointer was last read.", state.pointer_read)
        if state.model:
            yield _champion_info(state.model)
            facts = state.model.promotion.facts
            yield _gauge("champion_version", "The version that is served.", state.model.version)
            yield _gauge("champion_accuracy_ratio", "Its accuracy when it was promoted.", facts.accuracy)
            surveyed = float(state.model.profile is not None)
            yield _gauge("champion_surveyed", "1 when the version has a reference profile.", surveyed)
        yield from _drift(self.metrics.report())


def _champion_info(model: ServedModel) -> Metric:
    facts = {"version": str(model.version), "digest": model.promotion.files_sha256, "run": model.promotion.facts.run}
    return _info("champion", "The version that is served.", name=model.name, platform=model.form.platform, **facts)


def _drift(report: dict[str, Any] | None) -> Iterator[Metric]:
    if report is None:
        return
    yield _gauge("drift_examples", "Examples in the window of the drift report.", report["examples"])
    name, text = f"{PREFIX}drift_population_stability", "Population stability index against training; above 0.25 moved."
    indices = GaugeMetricFamily(name, text, labels=["statistic"])
    for statistic, index in report["statistics"].items():
        if index is not None:
            indices.add_metric([statistic], index)
    yield indices
    low = report["low_confidence"]
    if low:
        yield _gauge("low_confidence_expected_ratio", "Share of low confidence on the judged split.", low["expected"])
    yield _class_shares(report, "training", "class_training_ratio")
    if not report["enough"]:  # a share of a few examples says as little as an index
        return
    if low:
        yield _gauge("low_confidence_ratio", "Share of predictions of low confidence.", low["share"])
    yield _class_shares(report, "share", "class_ratio")


def _class_shares(report: dict[str, Any], key: str, name: str) -> Metric:
    shares = GaugeMetricFamily(PREFIX + name, f"Share of each class: {key}.", labels=["class"])
    for row in report["classes"]:
        shares.add_metric([row["name"]], row[key])
    return shares


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counted(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _info(name: str, text: str, /, **labels: str) -> Metric:
    return InfoMetricFamily(PREFIX + name, text, value=labels)
