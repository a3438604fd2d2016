"""The page of learning curves and throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import markupsafe

from deep_mnist.chart import chart
from deep_mnist.html import page, template

_BODY = template(Path(__file__).with_name("curves.html.j2"))

_CHARTS = {
    "loss": ("loss", "val_loss"),
    "accuracy": ("accuracy", "val_accuracy"),
    "images a second": ("images_per_second",),
    "learning rate at the epoch's end": ("learning_rate",),
}


def curves_page(history: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return one self-contained HTML page."""
    charts = [
        markupsafe.Markup(chart(title, {name: _line(history, name) for name in names}, x_title="epoch"))
        for title, names in _CHARTS.items()
    ]
    body = _BODY.render(history=history, facts=facts, charts=charts, columns=list(history[0]))
    return page(f"Training of {facts['network']}", body)


def _line(history: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(record["epoch"], record[name]) for record in history]
