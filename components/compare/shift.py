"""What of new data has moved against those that the champion was trained on: a note, which refuses nothing.

The champion's reference profile is survey.json of its version, the one that its server holds requests against.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.profiling import moved_since
from deep_mnist.serving.model.reference_profile import PROFILE_FILE, ReferenceProfile
from deep_mnist.serving.model.spread import MOVED, STABLE
from deep_mnist.storage.store import NotFoundError


def note_shift(dataset: str, registry: str, model_name: str, page: str) -> None:
    """Print what has moved, and write it as a page, Markdown; say so where it is not known.

    Args:
        dataset: Folder that preprocess wrote.
        registry: Address of the registry.
        model_name: Name in it.
        page: Receives the page.
    """
    try:
        version, profile = _profile_of_champion(Registry(registry, model_name))
        text = shift_page(version, moved_since(open_dataset(Path(dataset)), profile))
    except (DatasetError, NotFoundError, LookupError, TypeError, ValueError) as error:
        text = f"The data were not compared with the champion's: {error}"
    print(text.partition("\n")[0], flush=True)
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    Path(page).write_text(f"{text}\n")


def _profile_of_champion(models: Registry) -> tuple[int, ReferenceProfile]:
    champion = models.champion()
    if champion is None:
        raise LookupError(f"{models.name} has none yet")
    return champion.version, ReferenceProfile.from_dict(json.loads(models.read_text(champion, PROFILE_FILE)))


def shift_page(version: int, indices: Mapping[str, float]) -> str:
    """Return one line that says what has moved, and a table of all indices, the greatest first.

    >>> print(shift_page(3, {"mean": 0.31, "classes": 0.02}).partition(chr(10))[0])
    Against the training data of version 3, the champion, have moved: mean (index 0.31; above 0.25 counts)
    """
    ranked = sorted(indices.items(), key=lambda each: -each[1])
    moved = ", ".join(f"{name} (index {index:.2g}; above {MOVED:g} counts)" for name, index in ranked if index > MOVED)
    since = f"Against the training data of version {version}, the champion,"
    said = f"{since} have moved: {moved}" if moved else f"{since} nothing has moved (no index above {MOVED:g})"
    rows = [f"| {name} | {index:.3f} | {_word(index)} |" for name, index in ranked]
    return "\n".join([said, "", "| statistic | population stability index | |", "|---|---|---|", *rows])


def _word(index: float) -> str:
    return "moved" if index > MOVED else "stable" if index < STABLE else "moving"
