"""The Grafana dashboard asks for metrics that the server has."""

from __future__ import annotations

import json
import re

import numpy as np
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.runs import ROOT
from tests.support.serving import NAME, RunningServer


def test_the_dashboards_queries_name_metrics_and_labels_of_the_server(
    served: RunningServer, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """Every name and every label of every query, once predictions, an error response and a drift window are there."""
    served.classes(digits[0])
    served.post({})
    text = served.get("metrics").text
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, {"job"}).update(sample.labels)
    dashboard = json.loads((ROOT / "docs" / "serving-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]

    assert len(queries) > 12
    for query in queries:
        names = set(re.findall(r"deep_mnist_serving_\w+", query))
        assert names and names <= labels.keys(), query
        grouped = {each.strip() for found in re.findall(r"by \(([^)]+)\)", query) for each in found.split(",")}
        assert grouped <= set.union(*(labels[name] for name in names)), query


def test_build_and_champion_are_told(served: RunningServer) -> None:
    """Which release serves which version of which digest, by which engine."""
    families = text_string_to_metric_families(served.get("metrics").text)
    told = {family.name: family.samples[0].labels for family in families if family.type == "info"}
    model = served.champion.model
    assert model is not None
    champion = told["deep_mnist_serving_champion"]

    assert told["deep_mnist_serving_build"].keys() == {"release", "python"}
    assert (champion["name"], champion["version"]) == (NAME, "1")
    assert (champion["digest"], champion["platform"]) == (model.promotion.files_sha256, "tensorflow_savedmodel")
