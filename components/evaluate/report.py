"""The evaluation as a page (HTML) and as a summary (Markdown)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from deep_mnist.chart import chart
from deep_mnist.html import page, template

_HERE = Path(__file__).resolve().parent
_HTML = template(_HERE / "report.html.j2")
_MARKDOWN = template(_HERE / "summary.md.j2")
LONGEST_COLUMN = 5  # characters of a class name that still fit over a column of the confusion matrix


def html(evaluation: Mapping[str, Any]) -> str:
    """Return the self-contained page."""
    limit = _roc_limit(evaluation)
    curves = {
        name: _drawn(each, limit) for name, each in zip(evaluation["class_names"], evaluation["roc"], strict=True)
    }
    bins = [(each["confidence"], each["accuracy"]) for each in evaluation["calibration"]["bins"]]
    low = min([x for x, _ in bins] + [y for _, y in bins])
    body = _HTML.render(
        e=evaluation,
        tiles=_tiles(evaluation),
        names=evaluation["class_names"],
        upright=max(map(len, evaluation["class_names"])) > LONGEST_COLUMN,
        old=(evaluation["champion"] or {}).get("per_class"),
        shades=_shades(evaluation["confusion_matrix"]),
        roc_chart=Markup(chart("True positive rate", curves, x_title="false positive rate", dots=False)),
        roc_limit=limit,
        calibration_chart=Markup(
            chart("Share correct", {"model": bins, "ideal": [(low, low), (1.0, 1.0)]}, x_title="confidence")
        ),
        wrong=round(evaluation["examples"] * (1 - evaluation["accuracy"])),
        temperature=temperature_sentence(evaluation["temperature"]),
    )
    return page(f"Evaluation of {evaluation['model_name']}", body)


def markdown(evaluation: Mapping[str, Any]) -> str:
    """Return the summary."""
    return _MARKDOWN.render(
        e=evaluation, tiles=_tiles(evaluation), temperature=temperature_sentence(evaluation["temperature"])
    )


def _tiles(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    low, high = evaluation["accuracy_interval"]
    tiles = [
        (f"{evaluation['accuracy']:.4f}", f"accuracy on {evaluation['examples']} {evaluation['split']} images"),
        (f"{low:.4f} to {high:.4f}", "95 % interval of the accuracy"),
        (f"{evaluation['loss']:.4f}", "cross-entropy, nats"),
        (f"{evaluation['calibration']['ece']:.4f}", "expected calibration error"),
    ]
    champion = evaluation["champion"]
    if champion and champion["accuracy"] is not None:
        tiles.append((f"{champion['accuracy']:.4f}", f"champion, version {champion['version']}, same images"))
    return tiles


def temperature_sentence(temperature: Mapping[str, Any]) -> str:
    """Return what a temperature did to the calibration error, or why there is none."""
    if temperature["abstained"]:
        return f"no temperature: {temperature['abstained']}"
    return f"{temperature['ece_without']:.4f} without the temperature {temperature['temperature']:.3f}"


def _roc_limit(evaluation: Mapping[str, Any]) -> float:
    """Return how far to draw the curves: good models live in the first hundredths."""
    worst = min(each["auc"] for each in evaluation["roc"])
    return 0.02 if worst > 0.999 else 0.1 if worst > 0.98 else 1.0


def _drawn(curve: Mapping[str, Any], limit: float) -> list[tuple[float, float]]:
    """Return the part of a curve that shows something: up to the limit, and of good models only the top."""
    floor = 0.8 if limit < 1 else 0.0
    points = zip(curve["fpr"], curve["tpr"], strict=True)
    shown = [(x, y) for x, y in points if x <= limit and y >= floor]
    return [*shown, (limit, float(np.interp(limit, curve["fpr"], curve["tpr"])))]


def _shades(matrix: list[list[int]]) -> list[list[str]]:
    most = max((count for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j), default=1) or 1

    def shade(true: int, said: int, count: int) -> str:
        if true == said:
            return "rgba(26,127,75,.14)"
        return f"rgba(179,38,30,{0.6 * count / most:.2f})" if count else "transparent"

    return [[shade(i, j, count) for j, count in enumerate(row)] for i, row in enumerate(matrix)]
