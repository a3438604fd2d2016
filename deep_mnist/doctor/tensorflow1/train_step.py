"""What a training operation of a graph updates, at which rate, and which loss it lowers: read from the gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deep_mnist.doctor.tensorflow1.graph_walk import (
    GRADIENT_SEED,
    MOST_OPERATIONS,
    TRAINING,
    VARIABLES,
    ancestors,
    behind,
    optimizer_name,
    rate_tensor,
    updates_in,
)


@dataclass(frozen=True)
class TrainStep:
    """A training operation.

    Attributes:
        graph: It is in.
        applies: The operations that update one variable each.
        loss: Tensor that the gradients are those of; None where the graph does not tell.
        of_several: They are the gradients of several losses, as those of adversaries are: one may rise.
    """

    graph: Any
    applies: tuple[Any, ...]
    loss: Any
    of_several: bool = False

    @cached_property
    def variables(self) -> tuple[Any, ...]:
        """Operations of the variables that it updates."""
        return tuple(dict.fromkeys(variable for each in self.applies if (variable := variable_of(each)) is not None))

    @property
    def optimizer(self) -> str:
        return optimizer_name(self.applies[0])

    @property
    def rate(self) -> Any:
        """Tensor of the rate, None where that is not known."""
        return rate_tensor(self.applies[0])

    @property
    def constant_rate(self) -> float | None:
        return behind(self.rate) if self.rate is not None else None

    @cached_property
    def of_loss(self) -> frozenset[Any]:
        """Operations that the loss comes from, itself among them."""
        return frozenset(ancestors([self.loss.op], control=False)) if self.loss is not None else frozenset()


def train_step(graph: Any, operations: Iterable[Any]) -> TrainStep | None:
    """Return the training among what a run does, None when it trains nothing."""
    applies = tuple(updates_in(ancestors(operations)))
    if not applies:
        return None
    seeds = _seeds_of(applies)
    return TrainStep(graph, applies, _loss_of(graph, seeds), of_several=len(seeds) > 1)


def train_steps(graph: Any) -> list[TrainStep]:
    """Return the graph's training operations that something of the user's names: those that nothing else waits for."""
    waited: set[Any] = set()
    found = []
    for each in reversed(graph.get_operations()[:MOST_OPERATIONS]):
        if each in waited or not (each.type == "NoOp" or each.type.startswith(("Assign", "Identity"))):
            continue
        if any(one.type.startswith(TRAINING) for one in each.control_inputs):
            reached = ancestors([each])
            waited |= set(reached)
            found.append(train_step(graph, [each]))
    return [each for each in found if each is not None]


def variable_of(apply: Any) -> Any:
    """Return the operation of the variable that a training operation updates."""
    operation = apply.inputs[0].op
    while operation.type not in VARIABLES and operation.inputs:
        operation = operation.inputs[0].op
    return operation if operation.type in VARIABLES else None


def _seeds_of(applies: tuple[Any, ...]) -> list[Any]:
    """Return what the gradients that these operations apply begin with."""
    gradients = [each.inputs[-1].op for each in applies if each.inputs and "Sparse" not in each.type]
    gradients += [tensor.op for each in applies if "Sparse" in each.type for tensor in each.inputs]
    return [each for each in ancestors([*gradients, *applies], control=False) if GRADIENT_SEED.search(each.name)]


def _loss_of(graph: Any, seeds: list[Any]) -> Any:
    """Return the tensor whose gradient begins with one of these; the first gradient bears its name."""
    for seed in seeds:
        if seed.type == "Fill" and seed.inputs[0].op.type == "Shape":
            return seed.inputs[0].op.inputs[0]
        found = _named_by(graph, seed)
        if found is not None:
            return found
    return None


def _named_by(graph: Any, seed: Any) -> Any:
    """Return the tensor of which the first gradient, `…/NAME_grad/…`, bears the name."""
    prefix = seed.name.rpartition("/")[0] + "/"
    names: dict[str, None] = {}
    for each in (one for output in seed.outputs for one in output.consumers()):
        inner = each.name.removeprefix(prefix)
        if each.name.startswith(prefix) and "_grad/" in inner:
            names[inner.partition("_grad/")[0]] = None
    forward = [graph.get_operation_by_name(name) for name in names if _exists(graph, name)]
    if len(forward) == 1:
        return forward[0].outputs[0]
    common = [set(one for output in each.outputs for one in output.consumers()) for each in forward]
    shared = [each for each in set.intersection(*common) if each.type == "AddN"] if common else []
    return shared[0].outputs[0] if shared else None


def _exists(graph: Any, name: str) -> bool:
    try:
        graph.get_operation_by_name(name)
    except (KeyError, ValueError):
        return False
    return True
