"""The rules of a TensorFlow 1 program around its loss: what it runs, draws, restores, and measures."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

NEVER_RUN = Rule(
    code="G030", name="training-never-run", field="fit.epochs", severity="error",
    summary="The graph has a training operation, and the script never runs it.",
    why="The weights stay as they were initialized.",
    scope=Scope.GRAPH,
)  # fmt: skip
RESET_IN_LOOP = Rule(
    code="G031", name="weights-initialized-in-the-loop", field="fit.epochs", severity="error",
    summary="The variables are initialized again at every step of the loop that trains.",
    why="Every step starts from new random weights: nothing is learned.",
    scope=Scope.GRAPH,
)  # fmt: skip
GROWS = Rule(
    code="G032", name="graph-grows-in-the-loop", field="fit.epochs", severity="note",
    summary="The loop that runs the session adds operations to the graph.",
    why="Every step is slower than the last, until memory ends.",
    scope=Scope.GRAPH,
)  # fmt: skip
NEVER_FILLED = Rule(
    code="G033", name="queue-never-filled", field="fit.steps", severity="error",
    summary="A run takes from a queue whose threads have not been started.",
    why="The program waits for ever.",
    scope=Scope.GRAPH,
)  # fmt: skip
DRAWN_APART = Rule(
    code="G034", name="images-and-labels-drawn-apart", field="labels.alignment", severity="error",
    summary="Images and labels are taken from different elements of the pipeline.",
    why="Every image gets another one's label: accuracy stays at chance.",
    scope=Scope.GRAPH,
)  # fmt: skip
RESTORED_LOST = Rule(
    code="G035", name="restored-weights-initialized", field="model.initializers", severity="error",
    summary="Variables that a checkpoint filled are initialized again after it.",
    why="The restored weights are lost.",
    scope=Scope.GRAPH,
)  # fmt: skip
NEVER_DECAYS = Rule(
    code="G036", name="rate-that-never-decays", field="model.optimizer", severity="warning",
    summary="The rate is to decay with a step that nothing counts up.",
    why="The rate stays as it began.",
    scope=Scope.GRAPH,
)  # fmt: skip
AVERAGES_NEVER_UPDATED = Rule(
    code="G037", name="averages-never-updated", field="model.normalization", severity="warning",
    summary="The graph holds updates of moving averages that the training does not run.",
    why="Evaluation normalizes with the averages of the start: accuracy at chance though the loss falls.",
    scope=Scope.GRAPH,
)  # fmt: skip
KEEPS_LITTLE = Rule(
    code="G038", name="dropout-keeps-little", field="model.dropout", severity="warning",
    summary="Dropout leaves out most of a layer: the share to keep and the share to drop were mixed up.",
    why="Hardly anything passes the layer: the network learns slowly, or not at all.",
    scope=Scope.GRAPH,
)  # fmt: skip
DROPPED_OUTPUT = Rule(
    code="G039", name="dropout-on-the-output", field="model.dropout", severity="warning",
    summary="Dropout is applied to the network's output.",
    why="The scores of right classes are set to 0 at random.",
    scope=Scope.GRAPH,
)  # fmt: skip
ACCURACY_OVER_EXAMPLES = Rule(
    code="G040", name="accuracy-over-examples", field="fit.validation", severity="warning",
    summary="argmax is taken over the examples of a batch, not over the classes.",
    why="The number says which example scores highest in each class, and no accuracy.",
    scope=Scope.GRAPH,
)  # fmt: skip
ACCURACY_OF_ONE = Rule(
    code="G041", name="accuracy-of-one-unit", field="fit.validation", severity="warning",
    summary="argmax is taken over a single unit, which is always 0.",
    why="The accuracy is 1, whatever is predicted.",
    scope=Scope.GRAPH,
)  # fmt: skip
ACCURACY_ROUNDED = Rule(
    code="G042", name="accuracy-rounded-to-an-integer", field="fit.validation", severity="warning",
    summary="The mean is taken of whole numbers, and is one itself.",
    why="The accuracy is 0 until every prediction is right.",
    scope=Scope.GRAPH,
)  # fmt: skip
ACCURACY_OF_FLOATS = Rule(
    code="G043", name="accuracy-by-equal-floats", field="fit.validation", severity="warning",
    summary="Predictions that are no classes are compared with labels for equality.",
    why="The accuracy is 0, however good the predictions are.",
    scope=Scope.GRAPH,
)  # fmt: skip
