"""How every HTML report looks: one self-contained page, no script, no outside address.

A step's page holds its content in `<main>…</main>`; the run's report puts those contents together.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import markupsafe
import numpy as np
from PIL import Image

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)

_PAGE = _ENVIRONMENT.get_template("page.html.j2")

_CHART = _ENVIRONMENT.get_template("chart.svg.j2")

_COLORS = ("#2457c5", "#c2410c", "#1a7f4b", "#7c3aed", "#0e7490", "#be185d", "#a16207", "#475569", "#4d7c0f", "#b91c1c")


def template(path: Path) -> jinja2.Template:
    """Return the autoescaped jinja2 template in a file, for use with `page`."""
    return _ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))


def page(title: str, body: str) -> str:
    """Return a whole HTML document around `body`, which must be escaped already (as `template` does)."""
    return _PAGE.render(title=title, body=markupsafe.Markup(body))


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
