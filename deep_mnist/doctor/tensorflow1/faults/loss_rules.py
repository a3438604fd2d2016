"""The rules of a TensorFlow 1 graph's loss and layers."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

LOSS_SIGN_TURNED = Rule(
    code="G010", name="loss-sign-turned", field="contract.loss", severity="error",
    summary="The loss is lower for wrong predictions than for right ones: its sign is turned, or its arguments "
    "are swapped.",
    why="Every step makes the predictions worse; the loss falls without end, or becomes NaN.",
    scope=Scope.GRAPH,
)  # fmt: skip
LOSS_OF_CONSTANT = Rule(
    code="G011", name="loss-best-for-a-constant", field="contract.loss", severity="error",
    summary="The loss is no higher for one constant prediction than for the right ones.",
    why="The network learns to answer the same to everything.",
    scope=Scope.GRAPH,
)  # fmt: skip
BROADCAST_LOSS = Rule(
    code="G012", name="loss-of-broadcast-shapes", field="contract.loss", severity="error",
    summary="Predictions and labels are of shapes that broadcast: each example is compared with every other's label.",
    why="The loss is lowest for the mean of the labels, whatever the input.",
    scope=Scope.GRAPH,
)  # fmt: skip
LOG_OF_LINEAR = Rule(
    code="G013", name="logarithm-of-unbounded-output", field="contract.loss", severity="error",
    summary="The cross-entropy is taken by hand of an output that is no probability: no softmax or sigmoid comes "
    "before.",
    why="The logarithm of a negative output is NaN, and outputs need not sum to 1: the loss falls without end.",
    scope=Scope.GRAPH,
)  # fmt: skip
SOFTMAX_OF_ONE = Rule(
    code="G014", name="softmax-of-one-unit", field="model.output_activation", severity="error",
    summary="A softmax is taken over a single unit, which is always 1.",
    why="The output and the loss are constants: nothing is learned.",
    scope=Scope.GRAPH,
)  # fmt: skip
RECTIFIED_LOGITS = Rule(
    code="G015", name="rectified-logits", field="model.output_activation", severity="warning",
    summary="The logits of a cross-entropy come out of an activation that cuts off part of their range.",
    why="A class whose logit is cut off gets no gradient: units die, and the loss stays near ln(classes).",
    scope=Scope.GRAPH,
)  # fmt: skip
SQUARED_SOFTMAX = Rule(
    code="G016", name="squared-error-of-softmax", field="contract.loss", severity="warning",
    summary="The loss of a softmax is the squared error.",
    why="A confidently wrong prediction has hardly any gradient: training is slow, or stops at the start.",
    scope=Scope.GRAPH,
)  # fmt: skip
ACTIVATION_TWICE = Rule(
    code="G017", name="activation-taken-twice", field="contract.from_logits", severity="error",
    summary="A cross-entropy that takes logits is given the result of a softmax or a sigmoid.",
    why="The loss cannot come near 0 and gradients are small: training is slow and ends early.",
    scope=Scope.GRAPH,
)  # fmt: skip
OUT_OF_REACH = Rule(
    code="G018", name="graph-targets-out-of-reach", field="model.output_activation", severity="error",
    summary="Labels lie outside the range of the output's activation.",
    why="The output ends at the edge of its range; no weights can reach these targets.",
    scope=Scope.GRAPH,
)  # fmt: skip
SOFTMAX_OVER_EXAMPLES = Rule(
    code="G019", name="softmax-over-examples", field="contract.loss", severity="error",
    summary="The softmax is taken over the examples of a batch, not over the classes.",
    why="What is predicted for an image depends on the others in its batch.",
    scope=Scope.GRAPH,
)  # fmt: skip
LOSS_WITHOUT_LABELS = Rule(
    code="G020", name="loss-without-labels", field="contract.loss", severity="warning",
    summary="The accuracy is measured with labels that the loss does not depend on.",
    why="What is learned has nothing to do with the labels.",
    scope=Scope.GRAPH,
)  # fmt: skip
SUMMED = Rule(
    code="G021", name="loss-summed-over-examples", field="contract.loss", severity="note",
    summary="The loss is the sum over the batch, not the mean.",
    why="The step grows with the batch: a rate that suits 10 examples diverges at 100.",
    scope=Scope.GRAPH,
)  # fmt: skip
LINEAR_HIDDEN = Rule(
    code="G024", name="hidden-layers-linear", field="model.hidden_activation", severity="warning",
    summary="Two layers of weights follow one another with no activation between them.",
    why="They are together no more than one linear layer.",
    scope=Scope.GRAPH,
)  # fmt: skip
NEVER_UPDATED = Rule(
    code="G025", name="weights-never-updated", field="model.trainable", severity="warning",
    summary="Weights that start at random are updated by no training operation of the graph.",
    why="They stay random: the layers behind them get noise.",
    scope=Scope.GRAPH,
)  # fmt: skip
