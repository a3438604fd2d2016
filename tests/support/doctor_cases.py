"""A small case for the doctor on disk: synthetic digits, a network, and what is known of fit."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.judge import judge_folder
from tests.support.digits import draw_digits
from tests.support.keras_models import Layer, classifier, write_keras

SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class CaseFiles:
    """What a folder holds; `change` and `with_net` give an altered copy."""

    arrays: Arrays
    model: Layer
    settings: dict[str, Any] = field(default_factory=lambda: {"loss": SPARSE, "from_logits": False, "num_classes": 10})

    def change(self, alter: Callable[[np.ndarray], np.ndarray], *names: str) -> CaseFiles:
        """Return the case with alter(array) in the place of each named array."""
        return replace(self, arrays={**self.arrays, **{name: alter(self.arrays[name]) for name in names}})

    def images(self, alter: Callable[[np.ndarray], np.ndarray]) -> CaseFiles:
        return self.change(alter, "train_images", "test_images")

    def labels(self, alter: Callable[[np.ndarray], np.ndarray]) -> CaseFiles:
        return self.change(alter, "train_labels", "test_labels")

    def with_arrays(self, **arrays: np.ndarray) -> CaseFiles:
        return replace(self, arrays={**self.arrays, **arrays})

    def with_net(self, model: Layer) -> CaseFiles:
        return replace(self, model=model)

    def with_settings(self, **settings: Any) -> CaseFiles:
        return replace(self, settings={**self.settings, **settings})

    def one_hot(self) -> CaseFiles:
        return self.labels(lambda labels: np.eye(10, dtype=np.float32)[labels]).with_settings(loss=ONE_HOT)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=array.dtype.hasobject)
        write_keras(folder / "model.keras", self.model)
        (folder / "contract.json").write_text(json.dumps(self.settings))
        return folder

    def judged(self, folder: Path) -> Diagnosis:
        """Return the doctor's diagnosis of this case, written to `folder`."""
        self.write(folder)
        return judge_folder(folder)

    def findings(self, folder: Path) -> Sequence[Finding]:
        """Return judged(folder).findings; cases of the same content are judged once in a process."""
        content = self._content()
        if content not in _FINDINGS:
            _FINDINGS[content] = self.judged(folder).findings
        return _FINDINGS[content]

    def _content(self) -> bytes:
        """Return a digest of all that `write` writes."""
        told = hashlib.blake2b(json.dumps([self.model, self.settings]).encode())
        for name, array in sorted(self.arrays.items()):
            told.update(repr((name, array.dtype, array.shape, array.flags.fnc)).encode())
            told.update(pickle.dumps(array) if array.dtype.hasobject else array.tobytes())
        return told.digest()


_FINDINGS: dict[bytes, Sequence[Finding]] = {}


@cache
def _drawn(train: int, test: int, seed: int) -> tuple[np.ndarray, ...]:
    return (*draw_digits(train, 2 * seed), *draw_digits(test, 2 * seed + 1))


def digits(train: int = 400, test: int = 160, seed: int = 0) -> CaseFiles:
    """Return a fit case: float32 digits (n, 28, 28, 1) in 0..1 for a small convolutional network."""
    images, labels, test_images, test_labels = _drawn(train, test, seed)
    arrays = {"train_images": images, "train_labels": labels, "test_images": test_images, "test_labels": test_labels}
    case = CaseFiles({name: array.copy() for name, array in arrays.items()}, classifier())
    return case.images(lambda raw: (raw[..., None] / np.float32(255)).astype(np.float32))


def fixed(case: CaseFiles, finding: Finding) -> CaseFiles:
    """Return the case after the finding's fix was executed on its arrays."""
    space = {**case.arrays, "np": np}
    exec(finding.fix, space)
    return replace(case, arrays={name: np.asarray(space[name]) for name in case.arrays})


def graver(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    """Return (field, severity, split) of each finding that is more than a note."""
    return graver_of(diagnosis.findings)


def graver_of(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """Return (field, severity, split) of each that is more than a note."""
    return [(each.field, each.severity, each.split) for each in findings if each.severity != "note"]
