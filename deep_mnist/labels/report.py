"""What a search leaves behind: labels.json, labels.csv, labels.html; and one picture of the first suspects."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deep_mnist.labels.page.render import pixels_of_image, suspects_page
from deep_mnist.labels.suspects import Suspects

TILE, CAPTION, GAP, COLUMNS = 112, 34, 8, 5  # pixels; images a row of the picture


def write_reports(found: Suspects, images: np.ndarray, folder: Path, *, source: str) -> None:
    """Write labels.json, labels.csv and labels.html to a folder.

    Args:
        found: What was found in a split.
        images: Of that split.
        folder: Is made where it is missing.
        source: Name of the data, for the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps({"source": source, **found.to_dict()}, indent=1) + "\n")
    write_csv(found, folder / "labels.csv")
    (folder / "labels.html").write_text(suspects_page(found, images, source=source), encoding="utf-8")


def write_csv(found: Suspects, path: Path) -> None:
    """Write a row for every example of the split, the least probable labels first."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = iter(found.rows())
        first = next(rows)
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def summary_markdown(found: Suspects, page: Path, count: int = 20) -> str:
    """Return the numbers of a search and its first examples as Markdown.

    Args:
        found: What was found.
        page: Where the page to decide on lies.
        count: Examples that are named.
    """
    low, high = found.ranking.interval
    named = [each for each in found.examples if each.kind in ("label", "contradicted", "duplicate")][:count]
    rows = [
        f"| {each.index} | {found.class_names[each.given]} | {found.class_names[each.suggested]} | "
        f"{each.probability_given:.4f} | {each.kind} |"
        for each in named
    ]
    return "\n".join(
        [
            "# Labels",
            "",
            f"{len(found.of_kind('label'))} of {len(found.given)} labels of {found.split} are likely wrong by "
            f"out-of-fold predictions of `{found.by}`; estimated {found.ranking.wrong:.0f} ({low:.0f} to {high:.0f}). "
            f"To decide: `{page}`; `--labels labels.yaml` applies what was decided.",
            "",
            "| number | given | predicted | probability of the given label | why |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def draw_first(found: Suspects, images: np.ndarray, path: Path, count: int = 20) -> list[int]:
    """Draw the least probable labels of a split that are contradicted, as one PNG, and return their indices.

    Args:
        found: What was found.
        images: Of the split.
        path: Of the PNG.
        count: Examples, flagged or not.
    """
    indices = found.ranking.contradicted[:count]
    rows = -(-len(indices) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * (TILE + GAP) + GAP, rows * (TILE + CAPTION + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for place, index in enumerate(indices):
        left = GAP + place % COLUMNS * (TILE + GAP)
        top = GAP + place // COLUMNS * (TILE + CAPTION + GAP)
        tile = Image.fromarray(pixels_of_image(images[index])).convert("RGB")
        canvas.paste(tile.resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))
        names = (found.class_names[found.given[index]], found.class_names[found.ranking.suggested[index]])
        draw.text((left, top + TILE + 1), f"{place + 1}.  no. {index}", "black", font)
        draw.text((left, top + TILE + 16), f"given {names[0]}, seen {names[1]}", "black", font)
    canvas.save(path, optimize=True)
    return [int(index) for index in indices]
