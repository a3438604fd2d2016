"""A run of a session with all that is judged together: its training, its loss, a copy of the session, the names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_mnist.doctor.tensorflow1.clone import Clone
from deep_mnist.doctor.tensorflow1.names import Names
from deep_mnist.doctor.tensorflow1.supervision import Supervision, supervision_of
from deep_mnist.doctor.tensorflow1.train_step import TrainStep, train_step, train_steps

if TYPE_CHECKING:
    from deep_mnist.doctor.tensorflow1.graph_mode import FedRun


@dataclass
class SessionCase:
    """What is judged of a session.

    Attributes:
        run: The user's, with the values that came in by iterators among what is fed.
        names: Of the user's variables.
        clone: A copy of the session, None where there is none.
    """

    run: FedRun
    names: Names
    clone: Clone | None = None
    _values: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def step(self) -> TrainStep | None:
        """The training that the run does; of a run that only reads, the graph's only one."""
        step = train_step(self.run.graph, self.run.fetches)
        if step is not None:
            return step
        steps = train_steps(self.run.graph)
        return steps[0] if len(steps) == 1 else None

    @cached_property
    def supervision(self) -> Supervision | None:
        return supervision_of(self.step, self.run.fed) if self.step is not None else None

    @cached_property
    def feed(self) -> Mapping[str, Any]:
        """What the run feeds, by the tensors' names."""
        return {tensor.name: value for tensor, value in self.run.fed.items()}

    def value(self, tensor: Any) -> Any:
        """Return a tensor's value in the run, before its step; None where it cannot be had."""
        if tensor.name not in self._values:
            self._values[tensor.name] = self.given(tensor, {})
        return self._values[tensor.name]

    def given(self, tensor: Any, changed: Mapping[str, Any]) -> Any:
        """Return a tensor's value when other values are fed; None where it cannot be had."""
        if self.clone is None:
            return None
        errors = (sys.modules["tensorflow"].errors.OpError, ValueError, TypeError, RuntimeError, KeyError)
        try:
            return np.asarray(self.clone.run(tensor.name, {**self.feed, **changed}))
        except errors:
            return None
