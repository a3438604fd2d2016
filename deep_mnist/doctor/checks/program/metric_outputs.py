"""The outputs of a network as its metrics see them: labels, and predictions of their form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.predictions import Predictions, predictions_of


@dataclass(frozen=True)
class Output:
    """One output: its contract, and predictions of it where their form is known."""

    contract: Contract
    predictions: Predictions | None
    labels: np.ndarray
    shape: tuple[int, ...]

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels and outputs, of the right shapes at least."""
        if self.predictions is not None:
            return self.predictions.labels, self.predictions.right
        return self.labels[:1], np.zeros((1, *self.shape), np.float32)


def outputs_of(case: Case, model: Any) -> list[Output]:
    """Return the model's outputs in order; [] where one of them has no labels or no known shape."""
    names = list(getattr(model, "output_names", None) or ())
    contracts = {each.output_name: each for each in case.contract.outputs}
    if len(names) > 1 or contracts:
        held = [(contracts.get(name), case.train.targets.get(name)) for name in names]
    else:
        held = [(case.contract, case.train.labels)]
    found = [_output(contract, labels) for contract, labels in held]
    return [each for each in found if each is not None] if all(found) else []


def _output(contract: Contract | None, labels: np.ndarray | None) -> Output | None:
    if contract is None or labels is None or not labels.ndim or not len(labels):
        return None
    shape = contract.output_shape
    if shape is None and contract.output_units and contract.output_rank in (None, 2):
        shape = (contract.output_units,)
    if shape is None or not shape or any(each is None for each in shape[-1:]):
        return None
    sizes = labels.shape[1:] if len(labels.shape) - 1 >= len(shape) - 1 else ()
    known = tuple(int(each or (sizes[index] if index < len(sizes) else 1)) for index, each in enumerate(shape))
    return Output(contract, predictions_of(contract, labels, known), labels, known)
