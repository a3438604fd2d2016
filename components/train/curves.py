"""The page of learning curves and throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2.utils import markupsafe

from deep_mnist.html import chart, page, template

_BODY = template("""\
<h1>Training of {{ facts.network }}</h1>
<p class="soft">seed {{ facts.seed }} · {{ facts.parameters }} parameters · {{ history | length }} epochs ·
{{ "%.1f" | format(facts.times.training_seconds) }} s of training · {{ facts.device.kind }}</p>
<div>{% for drawing in charts %}{{ drawing }}{% endfor %}</div>
<table><tr>{% for name in columns %}<th class="number">{{ name.replace("_", " ") }}</th>{% endfor %}</tr>
{% for record in history %}
<tr>{% for name in columns %}<td class="number">{{ "%.6g" | format(record[name]) }}</td>{% endfor %}</tr>
{% endfor %}
</table>
""")

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
