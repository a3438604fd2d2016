"""How every HTML report looks: one self-contained page, light or dark as its reader prefers, no outside address.

A step's page holds its content in `<main>…</main>`; the run's report puts those contents together.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from pathlib import Path

import jinja2
import markupsafe
import numpy as np
from PIL import Image

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)

STYLE = Path(__file__).with_name("page.css")

_PAGE = _ENVIRONMENT.get_template("page.html.j2")


@functools.cache  # to compile one takes longer than to render it
def template(path: Path) -> jinja2.Template:
    """Return the autoescaped jinja2 template in a file, for use with `page`; read once in a process."""
    return _ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))


def page(title: str, body: str) -> str:
    """Return a whole HTML document around `body`, which must be escaped already (as `template` does).

    >>> document = page("Report", "<p>fit</p>")
    >>> document[:15], main_of(document).strip()
    ('<!doctype html>', '<p>fit</p>')
    """
    return _PAGE.render(title=title, body=markupsafe.Markup(body))


def main_of(document: str) -> str:
    """Return what a document made by `page` holds between `<main>` and `</main>`."""
    found = re.search(r"<main>(.*)</main>", document, re.DOTALL)
    return found.group(1) if found else ""


def image_uri(image: np.ndarray) -> str:
    """Return a PNG data URI of one image.

    Args:
        image: Finite or not, any real dtype, shape (h, w), (h, w, 1), (h, w, 3), (1, h, w) or (h * h,);
            drawn from its own minimum (black) to its own maximum (white).

    >>> image_uri(np.eye(28))[:30]
    'data:image/png;base64,iVBORw0K'
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
