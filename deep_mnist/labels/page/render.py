"""The page on which a person decides: the most suspicious first, one at a time, by keyboard or pointer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import markupsafe
import numpy as np

from deep_mnist.html import image_uri, page, template
from deep_mnist.labels.decisions import Decision, digest_of
from deep_mnist.labels.suspects import Suspect, Suspects

MOST_SHOWN = 500  # examples on one page, some 4 MB of digits
MOST_SIDE = 128  # pixels a side that an image is reduced to for the page
KINDS = {
    "label": "label likely wrong",
    "duplicate": "nearly the same image as one of another label",
    "contradicted": "another class is predicted",
    "ambiguous": "two classes are equally probable",
    "outlier": "like no other example",
}
_HERE = Path(__file__).parent


def suspects_page(
    found: Suspects,
    images: np.ndarray,
    *,
    source: str,
    decisions: Iterable[Decision] = (),
    endpoint: str = "",
    by: str = "",
) -> str:
    """Return the HTML page of a search, self-contained.

    Args:
        found: What was found in a split.
        images: Of that split.
        source: Name of the data.
        decisions: Made before.
        endpoint: Address that takes each decision as JSON; "" keeps them in the page, which offers labels.yaml.
        by: Who decides, until that person says otherwise.
    """
    shown = found.examples[:MOST_SHOWN]
    made = {(each.image, each.given): each for each in decisions}
    cards = [_card(each, found, images, made) for each in shown]
    wanted = {index for each in shown for index in (each.index, *each.neighbours)}
    data = {
        "cards": cards,
        "images": {str(index): image_uri(pixels_of_image(images[index])) for index in sorted(wanted)},
        "names": list(found.class_names),
        "split": found.split,
        "source": source,
        "endpoint": endpoint,
        "by": by,
    }
    body = template(_HERE / "page.html.j2").render(
        found=found,
        summary=found.to_dict(),
        source=source,
        shown=len(shown),
        data=data,
        script=markupsafe.Markup((_HERE / "page.js").read_text(encoding="utf-8")),
        style=markupsafe.Markup((_HERE / "page.css").read_text(encoding="utf-8")),
    )
    return page(f"Labels of {source}", body)


def _card(
    each: Suspect, found: Suspects, images: np.ndarray, made: Mapping[tuple[str, int], Decision]
) -> dict[str, Any]:
    image = digest_of(images[each.index])
    decision = made.get((image, each.given))
    return {
        "image": image,
        "index": each.index,
        "kind": KINDS[each.kind],
        "given": each.given,
        "suggested": each.suggested,
        "of_given": round(each.probability_given, 4),
        "of_suggested": round(each.probability_suggested, 4),
        "neighbours": [{"index": index, "label": int(found.given[index])} for index in each.neighbours],
        "decision": {"decision": decision.decision, "label": decision.label, "by": decision.by, "at": decision.at}
        if decision
        else None,
    }


def pixels_of_image(image: np.ndarray) -> np.ndarray:
    """Return one example as uint8 (rows, columns[, 3]) in 0..255, reduced; a row of numbers as one line of pixels."""
    values = np.asarray(image)
    if values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] not in (1, 3):
        values = values.transpose(1, 2, 0)
    if values.ndim == 3:
        values = values[..., 0] if values.shape[2] in (1, 2) else values[..., :3]
    if values.ndim == 1:
        side = round(len(values) ** 0.5)
        values = values.reshape(side, side) if side * side == len(values) else values[None]
    step = max(1, -(-max(values.shape[:2]) // MOST_SIDE))
    values = values[::step, ::step]
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
