"""The Grafana dashboard asks for metrics that the server has, and each panel can be read."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.runs import ROOT
from tests.support.serving import NAME, RunningServer

SCRAPED = {"job", "instance"}  # labels that Prometheus puts on whatever it scrapes
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "serving-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
GROUPED = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")


def names_in(found: list[str]) -> set[str]:
    """Return the label names of lists of them."""
    return {each.strip() for text in found for each in text.split(",") if each.strip()}


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
            labels.setdefault(sample.name, set(SCRAPED)).update(sample.labels)

    assert len(TARGETS) > 12
    for query in (target["expr"] for target in TARGETS):
        names = set(re.findall(r"deep_mnist_serving_\w+", query))
        assert names and names <= labels.keys(), query
        known = set.union(*(labels[name] for name in names))
        selected = set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', query))
        assert names_in(GROUPED.findall(query)) | selected <= known, query


def test_every_query_follows_the_variables() -> None:
    """Each metric of each query is of the chosen jobs and servers, over an interval that fits the scrapes."""
    for query in (target["expr"] for target in TARGETS):
        metrics = re.findall(r"deep_mnist_serving_\w+(\{[^}]*\}|)(?:\[([^]]*)\]|)", query)
        for selector, interval in metrics:
            assert 'job=~"$job", instance=~"$instance"' in selector, query
            assert interval in {"", "$__rate_interval", "$__range", "5m"}, query


def test_every_series_says_what_it_is() -> None:
    """A chart has a unit; a legend has every label that its query keeps, and two of a panel differ."""
    for panel in PANELS:
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert panel["title"] and panel["description"] and len(set(legends)) == len(legends)
        if panel["type"] == "table":
            continue
        assert panel["fieldConfig"]["defaults"]["unit"] in {"reqps", "s", "percentunit", "none"}, panel["title"]
        for target in panel["targets"]:
            kept = names_in(re.findall(r"by \(([^)]*)\)", target["expr"])) - {"le"}
            assert target["legendFormat"] and kept <= names_in(re.findall(r"{{([^}]+)}}", target["legendFormat"]))


def test_no_tile_is_green_without_data() -> None:
    """A tile without data has the colour of the first step: servers that are gone must not look sound."""
    tiles = [panel["fieldConfig"]["defaults"]["thresholds"]["steps"] for panel in PANELS if panel["type"] == "stat"]

    assert tiles and all(steps[0] == {"color": "#808080", "value": None} for steps in tiles[1:])
    assert tiles[0][0] == {"color": "red", "value": None}


def test_the_panels_lie_beside_one_another() -> None:
    """24 columns, and no cell is of two panels."""
    cells = []
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        assert columns.stop <= 24
        cells += itertools.product(columns, rows)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]

    assert len(set(cells)) == len(cells) and len(set(ids)) == len(ids)


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
