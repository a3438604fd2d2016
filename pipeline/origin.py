"""Where a version comes from, on one page drawn from the registry alone: `python -m pipeline models origin`.

Data, network, run, code, judge, signature and predecessors; what an earlier release did not write is left out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deep_mnist.html import page, template
from deep_mnist.registry.pointer import Promotion, RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signature import SIGNATURE_FILE
from deep_mnist.storage.store import NotFoundError

CARD, EVALUATION = "model_card.json", "evaluation.json"
STEPS = ("download", "preprocess", "validate", "train", "evaluate", "publish")
_BODY = template(Path(__file__).with_name("origin.html.j2"))
Row = tuple[str, str, bool]  # what it is, its value, whether that is a digest


@dataclass(frozen=True)
class VersionOrigin:
    """What the registry knows of one version.

    Attributes:
        promotion: The state of the pointer in which it became the champion.
        log: All states up to that, oldest first.
        card: model_card.json of the version.
        evaluation: Its evaluation.json.
        signature: What can be said of its signature and digests.
        tone: Of that: "good", "warn" or "bad".
    """

    promotion: Promotion
    log: Sequence[Promotion]
    card: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    signature: str
    tone: str


def origin_of(registry: Registry, promotion: Promotion, log: Sequence[Promotion]) -> VersionOrigin:
    """Read a version from the registry, every file against its digest, and its signature by the registry's trust.

    A version that is not what was promoted or signed is told of as such, by what lies there now.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        signature, tone = _verified(registry, promotion, folder)
        if tone != "bad":
            card, evaluation = (_object(folder / name) for name in (CARD, EVALUATION))
        else:
            card, evaluation = {}, {}
    if tone != "bad" and (others := _contradicted(promotion, evaluation)):
        signature, tone = f"The pointer and the version's own {EVALUATION} differ: {others}.", "bad"
    before = [each for each in log if each.sequence <= promotion.sequence]
    return VersionOrigin(promotion, before, card, evaluation, signature, tone)


def origin_page(name: str, origin: VersionOrigin) -> str:
    """Return the page as one HTML document."""
    facts, card = origin.promotion.facts, origin.card
    source = str(_at(card, "data", "source") or "")
    flow = [
        ("data", source.rstrip("/").rpartition("/")[2] or "unknown", facts.data_digest),
        ("network", str(_at(card, "network", "own_model") or _at(card, "network", "name") or "unknown"), ""),
        ("model", f"accuracy {facts.accuracy:.4f}", facts.model_digest),
        ("champion", f"version {origin.promotion.version}", origin.promotion.files_sha256),
    ]
    sections = [(title, rows) for title, rows in _sections(origin) if rows]
    body = _BODY.render(name=name, origin=origin, flow=flow, sections=sections, log=list(reversed(origin.log)))
    return page(f"Where {name} version {origin.promotion.version} comes from", body)


def _verified(registry: Registry, promotion: Promotion, folder: Path) -> tuple[str, str]:
    """Download a version, and return what can be said of it, with the tone."""
    try:
        registry.files.download(promotion, folder)
    except (RegistryError, NotFoundError) as error:
        return f"Not to be loaded: {error}", "bad"
    if not registry.files.is_signed(promotion.version):
        return "Every file has its digest. Not signed: who can write to the registry can write digests too.", "warn"
    if not registry.trust.verifies:
        return f"Every file has its digest. {SIGNATURE_FILE} is there; --trusted-key FILE verifies it.", "warn"
    return f"Every file has its digest, and {SIGNATURE_FILE} is by a trusted key or identity.", "good"


def _contradicted(promotion: Promotion, evaluation: Mapping[str, Any]) -> str:
    """Return what the pointer, which nobody signs, says otherwise than the evaluation beside the model."""
    facts = asdict(promotion.facts)
    compared = ("model_digest", "data_digest", "test_digest", "accuracy")
    return ", ".join(name for name in compared if name in evaluation and evaluation[name] != facts[name])


def _object(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # a version of an earlier release may lack it
        return {}
    return found if isinstance(found, dict) else {}


def _sections(origin: VersionOrigin) -> Iterator[tuple[str, list[Row]]]:
    card, facts = origin.card, origin.promotion.facts
    yield (
        "Data",
        [
            *_rows(card, "data", ("source", "validation_fraction", "split_seed", "labels_changed")),
            ("dataset", facts.data_digest, True),
            *(
                (f"source: {key}", str(value), True)
                for key, value in (_at(card, "data", "source_digests") or {}).items()
            ),
        ],
    )
    recipe = _at(card, "training", "recipe") or {}
    listed = ", ".join(f"{key} {value}" for key, value in recipe.items() if not isinstance(value, dict))
    yield (
        "Network",
        [
            *_rows(card, "network", ("name", "own_model", "parameters")),
            *_rows(card, "training", ("seed",)),
            *([("recipe", listed, False)] if listed else []),
            ("configuration and weights", facts.model_digest, True),
        ],
    )
    versions = _at(card, "training", "versions") or {}
    yield (
        "Run",
        [
            ("run", facts.run or "by hand", False),
            *_rows(card, "training", ("times", "started"), "training started (UTC)"),
            *[("on", ", ".join(each), False) for each in [_at(card, "training", "device", "names")] if each],
            *([("with", ", ".join(f"{key} {value}" for key, value in versions.items()), False)] if versions else []),
        ],
    )
    yield (
        "Code",
        [
            (step, f"{made.get('image', '')} code {made.get('code', '')}", True)
            for step in STEPS
            if (made := _at(card, "made_by", step))
        ],
    )
    yield "Judge", list(_judge(origin))


def _judge(origin: VersionOrigin) -> Iterator[Row]:
    facts, evaluation = origin.promotion.facts, origin.evaluation
    yield "accuracy", f"{facts.accuracy:.4f} of {facts.examples} examples", False
    yield f"judged split: {evaluation.get('split', 'unknown')}", facts.test_digest, True
    floors = _at(evaluation, "decision", "floors") or {}
    if floors:
        yield "floors", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in floors.items()), False
    if before := evaluation.get("champion"):
        yield "beside the champion", f"version {before.get('version')}, {before.get('accuracy', 0):.4f}", False
    yield "decision", facts.reason, False


def _rows(card: Mapping[str, Any], section: str, names: Sequence[str], label: str = "") -> list[Row]:
    """Return a section's entries that say something; with a label, the one entry that the names lead to."""
    if label:
        value = _at(card, section, *names)
        return [(label, str(value), False)] if value else []
    found = [(name.replace("_", " "), _at(card, section, name)) for name in names]
    return [(name, f"{value:.4g}" if isinstance(value, float) else str(value), False) for name, value in found
            if value not in (None, "")]  # fmt: skip


def _at(document: Any, *names: str) -> Any:
    """Return what names lead to, None where one is missing."""
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document
