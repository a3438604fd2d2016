"""One version of the registry, loaded: its signatures, its card, and what its training data were like."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import DatasetError, Preprocessing
from deep_mnist.export import GOLDEN_FILE, read_record
from deep_mnist.registry.pointer import Promotion
from deep_mnist.serving.model.attribution import Attribution
from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE, InputForm
from deep_mnist.serving.model.reference_profile import ReferenceProfile, read_profile

Arrays = dict[str, np.ndarray]
WARM_BATCHES = (1, 1, 32)  # the first call of a graph prepares it; other batch sizes then cost nothing more
TOLERANCE = 1e-3


class BrokenVersionError(RuntimeError):
    """A promoted version that cannot be served, or predicts otherwise than when it was published."""

    fix = "roll back to another version: python -m pipeline rollback"


class UnsuitableInputError(ValueError):
    """Examples of a shape that the signature admits and the network's graph cannot compute.

    Attributes:
        expected, received, fix: One phrase each.
    """

    expected, fix = "images that the network can take", "send images of the size that the model was trained on"

    def __init__(self, shape: tuple[int, ...], message: str) -> None:
        self.received = f"{shape}: {message}"
        super().__init__(f"Expected {self.expected}. Received: {self.received}. Fix: {self.fix}")


@dataclass(frozen=True)
class ServedSignature:
    """A signature of the export: what it takes, and the call."""

    form: InputForm
    call: Callable[[np.ndarray], Arrays]


@dataclass(frozen=True)
class LoadedForm:
    """What an engine makes of a version's folder.

    Attributes:
        platform: Of the engine, as the Open Inference Protocol names it.
        signatures: Name -> signature.
        metadata: The signatures as TensorFlow Serving describes them.
        attribution: Says what mattered for a prediction; None where the engine computes no gradients.
    """

    platform: str
    signatures: Mapping[str, ServedSignature]
    metadata: Mapping[str, Any]
    attribution: Attribution | None = None


# What reads a version's folder, prepared as the record says.
Engine = Callable[[Path, Preprocessing], LoadedForm]


@dataclass(frozen=True)
class ServedModel:
    """A version that is ready to predict; immutable, so a request that holds it is never disturbed by the next one.

    Attributes:
        name: Of the model.
        promotion: The state of the pointer that named it.
        record: How its training data were prepared.
        form: What the engine loaded.
        folder: That it was loaded from.
        examples: Golden requests, images of the judged split, 0 in a version without.
        classes: Name of each class.
        card: The model card, Markdown; "" in a version without one.
        profile: What its training data were like; None in a version that was published without.
    """

    name: str
    promotion: Promotion
    record: Preprocessing
    form: LoadedForm
    folder: Path
    examples: int
    classes: tuple[str, ...]
    card: str
    profile: ReferenceProfile | None

    @property
    def signatures(self) -> Mapping[str, ServedSignature]:
        return self.form.signatures

    @property
    def version(self) -> int:
        return self.promotion.version

    def class_name(self, number: int) -> str:
        """Return the name of a class."""
        return self.classes[number] if number < len(self.classes) else str(number)

    def example(self, number: int) -> tuple[np.ndarray, int]:
        """Return one of the golden requests, as `serving_default` takes it, and its label."""
        golden = np.load(self.folder / GOLDEN_FILE, allow_pickle=False)
        return golden["images"][number], int(golden["labels"][number])

    def facts(self) -> dict[str, Any]:
        """Return what a page says of the champion, as plain JSON."""
        form = self.signatures[DEFAULT_SIGNATURE].form
        return {
            "name": self.name,
            "version": self.version,
            "restores": self.promotion.restores,
            "accuracy": self.promotion.facts.accuracy,
            "examples": self.promotion.facts.examples,
            "reason": self.promotion.facts.reason,
            "run": self.promotion.facts.run,
            "promoted": self.promotion.time,
            "source": self.record.source,
            "classes": list(self.classes),
            "surveyed": self.profile is not None,
            "golden": self.examples,
            "heat": self.form.attribution is not None,
            "input": {
                "shape": list(form.shapes[0]),
                "dtype": form.dtype.name,
                "raw": not self.record.prepared,
                "kind": self.profile.kind if self.profile else None,
                "range": [self.profile.low, self.profile.high] if self.profile else None,
            },
        }


def load_served_model(folder: Path, name: str, promotion: Promotion, engine: Engine) -> ServedModel:
    """Load a downloaded version by an engine and try it with its golden requests.

    Raises:
        BrokenVersionError: It cannot be loaded, or predicts otherwise than when it was published.
        ImportError: The engine's package is not installed.
    """
    try:
        record = read_record(folder)
        form = engine(folder, record)
        _warm_up(folder, form.signatures[DEFAULT_SIGNATURE])
    except (BrokenVersionError, ImportError):
        raise
    except Exception as error:  # TensorFlow raises nearly every kind on a damaged export
        raise BrokenVersionError(
            f"Expected version {promotion.version} of {name} to load. Received: {type(error).__name__}: {error}. "
            f"Fix: {BrokenVersionError.fix}"
        ) from error
    card, evaluation = folder / "model_card.md", _read_json(folder / "evaluation.json")
    return ServedModel(
        name=name,
        promotion=promotion,
        record=record,
        form=form,
        folder=folder,
        examples=_examples(folder),
        classes=_class_names(evaluation, max(record.num_classes, 2)),
        card=card.read_text() if card.is_file() else "",
        profile=_profile(folder, promotion),
    )


def _profile(folder: Path, promotion: Promotion) -> ReferenceProfile | None:
    """Return the version's reference profile; without one the server judges structure only, and says so."""
    try:
        profile = read_profile(folder)
    except DatasetError as error:
        print(f"serving: {error}", flush=True)
        profile = None
    if profile is None:
        print(
            f"serving: version {promotion.version} has no reference profile: requests are compared with nothing",
            flush=True,
        )
    return profile


def _warm_up(folder: Path, signature: ServedSignature) -> None:
    """Predict the golden requests, so that the first request of a client finds a graph that is prepared."""
    path = folder / GOLDEN_FILE
    if not path.is_file():
        sides = [side or 1 for side in signature.form.shapes[0]]
        for batch in WARM_BATCHES:
            signature.call(np.zeros((batch, *sides), signature.form.dtype))
        return
    golden = np.load(path, allow_pickle=False)
    for batch in WARM_BATCHES:
        predicted = signature.call(golden["images"][:batch])["probabilities"]
        difference = float(np.abs(predicted - golden["probabilities"][:batch]).max(initial=0.0))
        if not difference <= TOLERANCE:
            raise BrokenVersionError(
                f"Expected golden requests to be predicted as when they were published, within {TOLERANCE:g}. "
                f"Received: a difference of {difference:.3g}. Fix: {BrokenVersionError.fix}"
            )


def _examples(folder: Path) -> int:
    path = folder / GOLDEN_FILE
    return len(np.load(path, allow_pickle=False)["labels"]) if path.is_file() else 0


def _class_names(evaluation: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return the names that an evaluation gives the classes; in one without them, the labels."""
    names = evaluation.get("class_names")
    return tuple(map(str, names if isinstance(names, list) and len(names) == count else range(count)))


def _read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object of a version, {} in a version without it."""
    value = json.loads(path.read_text()) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
