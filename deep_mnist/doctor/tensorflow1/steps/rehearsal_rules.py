"""The rules of a rehearsal of a TensorFlow 1 session."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

START_NOT_FINITE = Rule(
    code="G050", name="session-loss-not-finite", field="rehearsal.loss", severity="error",
    summary="The loss of the first step is NaN or infinite.",
    why="The first step turns every weight that it reaches into NaN.",
    scope=Scope.RUN,
)  # fmt: skip
DIVERGES = Rule(
    code="G051", name="session-training-diverges", field="rehearsal.loss", severity="error",
    summary="The loss grows without end, or becomes NaN, within a few steps on one batch.",
    why="Every later step is lost, and so are the weights.",
    scope=Scope.RUN,
)  # fmt: skip
RATE_TOO_HIGH = Rule(
    code="G052", name="session-rate-too-high", field="rehearsal.updates", severity="error",
    summary="A lower rate learns one batch, and this one does not.",
    why="Steps this large jump over every minimum.",
    scope=Scope.RUN,
)  # fmt: skip
RATE_TOO_LOW = Rule(
    code="G053", name="session-rate-too-low", field="rehearsal.updates", severity="warning",
    summary="A step hardly moves the loss of one batch; a higher rate learns it.",
    why="The training would end before it began.",
    scope=Scope.RUN,
)  # fmt: skip
NO_GRADIENT = Rule(
    code="G054", name="weights-without-gradient", field="rehearsal.gradients", severity="error",
    summary="Weights that the training is to update do not move at all.",
    why="These layers stay as they were initialized.",
    scope=Scope.RUN,
)  # fmt: skip
ALIKE = Rule(
    code="G055", name="units-all-alike", field="model.initializers", severity="error",
    summary="All units of a layer start alike and stay alike.",
    why="The layer has one unit in effect.",
    scope=Scope.RUN,
)  # fmt: skip
DEAD = Rule(
    code="G056", name="rectified-units-dead", field="rehearsal.outputs", severity="error",
    summary="A rectifying layer gives 0 for every unit and every example, and nothing passes it.",
    why="No gradient reaches the layers before it.",
    scope=Scope.RUN,
)  # fmt: skip
NOT_FALLING = Rule(
    code="G057", name="loss-does-not-fall", field="rehearsal.memorizes", severity="warning",
    summary="Many steps on one batch do not lower its loss, at any rate that was tried.",
    why="What cannot learn one batch cannot learn the set.",
    scope=Scope.RUN,
)  # fmt: skip
DECAYS_AT_ONCE = Rule(
    code="G059", name="rate-decays-at-once", field="model.optimizer", severity="warning",
    summary="The rate falls to next to nothing within the first steps.",
    why="Nothing is learned once the rate is gone.",
    scope=Scope.RUN,
)  # fmt: skip
UNSCALED = Rule(
    code="G058", name="unscaled-inputs-diverge", field="images.range", severity="error",
    summary="The training diverges on the inputs as they are, and learns on the same inputs scaled.",
    why="The steps of the largest column throw all weights away.",
    scope=Scope.RUN,
)  # fmt: skip
