"""The rules of a TensorFlow 1 graph and what is fed to it; `graph_faults.py` looks for them."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

LOG_OF_SOFTMAX = Rule(
    code="G001",
    name="log-of-softmax-unprotected",
    field="contract.loss",
    severity="error",
    scope=Scope.GRAPH,
    summary="The graph computes its loss as log(softmax(...)), with nothing that keeps the logarithm from 0.",
    why="As soon as one score rounds to 0 the loss is 0 * -inf = NaN, and every weight with it.",
)
GRAPH_RATE_TOO_HIGH = Rule(
    code="G002",
    name="graph-learning-rate-too-high",
    field="model.optimizer",
    severity="warning",
    scope=Scope.GRAPH,
    summary="The constant learning rate of a training operation is above those that its optimizer is used with.",
    why="The loss jumps or becomes NaN.",
)
GRAPH_RATE_NOT_POSITIVE = Rule(
    code="G003",
    name="graph-learning-rate-not-positive",
    field="model.optimizer",
    severity="error",
    scope=Scope.GRAPH,
    summary="The constant learning rate of a training operation is 0 or negative.",
    why="Nothing is learned.",
)
DROPOUT_IN_EVALUATION = Rule(
    code="G004",
    name="dropout-in-evaluation",
    field="fit.validation",
    severity="warning",
    scope=Scope.GRAPH,
    summary="Accuracy is measured while dropout leaves units out.",
    why="The measured accuracy is that of a network with missing units: too low, and another at each call.",
)
