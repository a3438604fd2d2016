"""How every HTML report looks: one self-contained page, no script, no outside address.

A step's page holds its content in `<main>…</main>`; the run's report puts those contents together.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence

import jinja2
import numpy as np
from PIL import Image

_ENVIRONMENT = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)

_PAGE = _ENVIRONMENT.from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --good: #1a7f4b; --bad: #b3261e;
        --warn: #9a6700; --accent: #2457c5; --paper: #fff; --tint: #f5f7fa }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; color: var(--ink); background: var(--paper);
       font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem;
     border-bottom: 1px solid var(--line); padding-bottom: .3rem } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem }
table { border-collapse: collapse; margin: .5rem 0 } th, td { padding: .3rem .7rem; text-align: left;
     border-bottom: 1px solid var(--line); vertical-align: top } td.number, th.number { text-align: right;
     font-variant-numeric: tabular-nums }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--tint);
     border-radius: 4px } code { padding: .1rem .3rem } pre { padding: .7rem; overflow-x: auto }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) } .soft { color: var(--soft) }
.banner { padding: .8rem 1rem; border-radius: 8px; background: var(--tint); border-left: 5px solid var(--soft);
     font-size: 1.05rem } .banner.good { border-color: var(--good) } .banner.bad { border-color: var(--bad) }
.banner.warn { border-color: var(--warn) }
.grid { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0; text-align: center; font-size: .8rem }
figure img { image-rendering: pixelated; border: 1px solid var(--line); width: 84px; height: 84px; object-fit: contain }
svg { max-width: 100%; height: auto }
</style>
</head>
<body>
<main>
{{ body }}
</main>
</body>
</html>
""")

_CHART = _ENVIRONMENT.from_string("""\
<svg viewBox="0 0 {{ width }} {{ height }}" width="{{ width }}" height="{{ height }}" role="img"
     aria-label="{{ title }}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="11">
<text x="{{ left }}" y="16" font-size="13" fill="#1c2430">{{ title }}</text>
{% for y, text in rows %}
<line x1="{{ left }}" x2="{{ right }}" y1="{{ y }}" y2="{{ y }}" stroke="#dfe4ea"/>
<text x="{{ left - 6 }}" y="{{ y + 4 }}" text-anchor="end" fill="#5b6675">{{ text }}</text>
{% endfor %}
{% for x, text in columns %}
<text x="{{ x }}" y="{{ bottom + 16 }}" text-anchor="middle" fill="#5b6675">{{ text }}</text>
{% endfor %}
<text x="{{ (left + right) / 2 }}" y="{{ bottom + 32 }}" text-anchor="middle" fill="#5b6675">{{ x_title }}</text>
{% for line in lines %}
<polyline fill="none" stroke="{{ line.color }}" stroke-width="2" points="{{ line.points }}"/>
{% for x, y in line.dots %}<circle cx="{{ x }}" cy="{{ y }}" r="2.5" fill="{{ line.color }}"/>{% endfor %}
<rect x="{{ line.key_x }}" y="{{ height - 14 }}" width="10" height="10" fill="{{ line.color }}"/>
<text x="{{ line.key_x + 14 }}" y="{{ height - 5 }}" fill="#1c2430">{{ line.name }}</text>
{% endfor %}
</svg>
""")

_COLORS = ("#2457c5", "#c2410c", "#1a7f4b", "#7c3aed", "#0e7490", "#be185d", "#a16207", "#475569", "#4d7c0f", "#b91c1c")


def template(source: str) -> jinja2.Template:
    """Compile an autoescaped jinja2 template for use with `page`."""
    return _ENVIRONMENT.from_string(source)


def page(title: str, body: str) -> str:
    """Return a whole HTML document around `body`, which must be escaped already (as `template` does)."""
    return _PAGE.render(title=title, body=jinja2.utils.markupsafe.Markup(body))


def main_of(document: str) -> str:
    """Return what a document made by `page` holds between `<main>` and `</main>`."""
    found = re.search(r"<main>(.*)</main>", document, re.DOTALL)
    return found.group(1) if found else ""


def picture(image: np.ndarray) -> str:
    """Return a PNG data URI of one image.

    Args:
        image: Finite or not, any real dtype, shape (h, w), (h, w, 1), (h, w, 3), (1, h, w) or (h * h,);
            drawn from its own minimum (black) to its own maximum (white).
    """
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    pixels = _as_rows_and_columns(pixels)
    low, high = float(pixels.min(initial=0.0)), float(pixels.max(initial=0.0))
    scaled = (pixels - low) * (255.0 / (high - low)) if high > low else np.zeros_like(pixels)
    stream = io.BytesIO()
    Image.fromarray(scaled.astype(np.uint8)).save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _as_rows_and_columns(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3 and pixels.shape[-1] == 3:
        return pixels
    if pixels.ndim == 3 and 1 in (pixels.shape[0], pixels.shape[-1]):
        return pixels[0] if pixels.shape[0] == 1 else pixels[..., 0]
    if pixels.ndim == 2:
        return pixels
    side = max(1, int(np.sqrt(pixels.size)))
    return pixels.reshape(-1)[: side * side].reshape(side, -1)


def chart(
    title: str, series: Mapping[str, Sequence[tuple[float, float]]], *, x_title: str = "", dots: bool = True
) -> str:
    """Return an SVG line chart of named series of (x, y) points; points that are not finite are left out."""
    width, height, left, right, top, bottom = 460, 270, 58, 444, 30, 205
    points = {name: [(x, y) for x, y in line if np.isfinite(x) and np.isfinite(y)] for name, line in series.items()}
    xs = [x for line in points.values() for x, _ in line] or [0.0, 1.0]
    ys = [y for line in points.values() for _, y in line] or [0.0, 1.0]
    x_low, x_high, y_low, y_high = min(xs), max(xs), min(ys), max(ys)
    x_span, y_span = (x_high - x_low) or 1.0, (y_high - y_low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(left + (x - x_low) / x_span * (right - left), 1),
            round(bottom - (y - y_low) / y_span * (bottom - top), 1),
        )

    lines = []
    for index, (name, line) in enumerate(points.items()):
        placed = [place(x, y) for x, y in line]
        lines.append(
            {
                "name": name,
                "color": _COLORS[index % len(_COLORS)],
                "points": " ".join(f"{x},{y}" for x, y in placed),
                "dots": placed if dots else [],
                "key_x": left + index * ((right - left) // max(1, len(points))),
            }
        )
    rows = [(place(x_low, y_low + y_span * k / 4)[1], f"{y_low + y_span * k / 4:.4g}") for k in range(5)]
    columns = [(place(x_low + x_span * k / 4, y_low)[0], f"{x_low + x_span * k / 4:.3g}") for k in range(5)]
    return _CHART.render(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        title=title,
        rows=rows,
        columns=columns,
        lines=lines,
        x_title=x_title,
    )
