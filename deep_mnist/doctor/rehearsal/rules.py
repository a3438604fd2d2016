"""The rules of a run: what a rehearsal shows before the training is paid for, and the watchdog while it goes on.

Rehearsal and watchdog see the run themselves and yield these rules' findings; no check of a case does.
"""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

# --- of the rehearsal itself ---------------------------------------------------------------------

NOT_REHEARSED = Rule(
    code="R001", name="network-not-rehearsed", field="rehearsal.cost", severity="note", scope=Scope.RUN,
    summary="The network could not be run here, so nothing that only a run shows was looked at.",
    why="What only a run can show was not looked at.",
)  # fmt: skip
COST = Rule(
    code="R002", name="cost-of-the-training", field="rehearsal.cost", severity="note", scope=Scope.RUN,
    summary="How long the training would take on this machine, and how much memory it holds.",
    why="Measured in the rehearsal; compilation is not counted.",
)  # fmt: skip
UNDECIDED = Rule(
    code="R003", name="rehearsal-too-short", field="rehearsal.memorizes", severity="note", scope=Scope.RUN,
    summary="The loss did not fall in the rehearsal, and its time ended before the cause was found.",
    why="Either the network is slow to start, or it does not learn.",
)  # fmt: skip

# --- numbers that are not finite -----------------------------------------------------------------

BROKEN_WEIGHT = Rule(
    code="R010", name="weights-not-finite", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="A weight is NaN or infinite before the first step.",
    why="Every output and every gradient becomes NaN.",
)  # fmt: skip
BROKEN_START = Rule(
    code="R011", name="first-loss-not-finite", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="The loss, an output or a gradient is NaN or infinite before the first step, though the weights are not.",
    why="The first step turns every weight it reaches into NaN.",
)  # fmt: skip
LOST = Rule(
    code="R012", name="loss-becomes-not-finite", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="The loss or a weight becomes NaN or infinite while the network is trained.",
    why="Every later step would be lost, and so the model.",
)  # fmt: skip

# --- gradients -----------------------------------------------------------------------------------

NOTHING_TO_TRAIN = Rule(
    code="R020", name="every-weight-frozen", field="rehearsal.gradients", severity="error", scope=Scope.RUN,
    summary="No weight of the network is trainable.",
    why="The loss never changes.",
)  # fmt: skip
UNCONNECTED = Rule(
    code="R021", name="weights-without-a-loss", field="rehearsal.gradients", severity="warning", scope=Scope.RUN,
    summary="The loss does not depend on some trainable weights, so no gradient reaches them.",
    why="These weights stay as they were initialized.",
)  # fmt: skip
ZERO_GRADIENT = Rule(
    code="R022", name="gradient-exactly-zero", field="rehearsal.gradients", severity="warning", scope=Scope.RUN,
    summary="The gradient of some trainable weights is exactly zero for every example, before the run and after it.",
    why="A weight without a gradient never moves: all units of a layer that starts at zero stay alike.",
)  # fmt: skip
VANISHING = Rule(
    code="R023", name="gradient-vanishes", field="rehearsal.gradients", severity="warning", scope=Scope.RUN,
    summary="Hardly any gradient reaches the first weights: it vanishes on the way back through the layers.",
    why="The first layers do not learn.",
)  # fmt: skip
EXPLODING = Rule(
    code="R024", name="gradient-explodes", field="rehearsal.gradients", severity="warning", scope=Scope.RUN,
    summary="The gradient grows by orders of magnitude on its way back through the layers.",
    why="Where the gradient explodes the loss is rough: steps that suit the last layers wreck the first ones.",
)  # fmt: skip
DIVERGING = Rule(
    code="R025", name="training-diverges", field="rehearsal.gradients", severity="error", scope=Scope.RUN,
    summary="The loss of a training has grown to a thousand times that of a network that knows nothing.",
    why="It explodes: every step throws the weights further away.",
)  # fmt: skip

# --- outputs -------------------------------------------------------------------------------------

DEAD_UNITS = Rule(
    code="R030", name="units-dead", field="rehearsal.outputs", severity="warning", scope=Scope.RUN,
    summary="Nearly all units of a rectifying layer are zero for every example.",
    why="A unit that is always zero has no gradient and stays dead; nothing passes this layer.",
)  # fmt: skip
SAME_OUTPUT = Rule(
    code="R031", name="outputs-the-same-for-all", field="rehearsal.outputs", severity="error", scope=Scope.RUN,
    summary="After the run every example gets the same prediction.",
    why="The network learns the frequency of the labels only.",
)  # fmt: skip
STUCK = Rule(
    code="R032", name="loss-stuck-at-label-frequencies", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="After hundreds of steps the loss is that of a network that knows the frequency of the labels only.",
    why="What the network learns from these labels is their frequency only.",
)  # fmt: skip
AT_CHANCE = Rule(
    code="R033", name="accuracy-at-chance", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="After hundreds of steps no more predictions are correct than by chance, though the loss moves.",
    why="The loss moves, but not towards the labels.",
)  # fmt: skip

# --- the loss at the start -----------------------------------------------------------------------

SUMMED_LOSS = Rule(
    code="R040", name="loss-summed-over-the-batch", field="rehearsal.initial_loss", severity="warning",
    scope=Scope.RUN, summary="The loss is the sum over the batch, not the mean.",
    why="The rate grows with the batch size: what is right for 32 examples diverges at 256, and losses of runs with "
    "other batches cannot be compared.",
)  # fmt: skip
HIGH_START = Rule(
    code="R041", name="loss-high-at-the-start", field="rehearsal.initial_loss", severity="warning", scope=Scope.RUN,
    summary="The first loss is far above that of a constant prediction, and the run does not bring it down.",
    why="The first epochs only undo a start that is confidently wrong.",
)  # fmt: skip

# --- whether it learns ---------------------------------------------------------------------------

RATE_TOO_HIGH = Rule(
    code="R050", name="rate-too-high", field="rehearsal.updates", severity="error", scope=Scope.RUN,
    summary="A lower learning rate learns one batch, and this one does not.",
    why="Steps this large jump over every minimum.",
)  # fmt: skip
RATE_TOO_LOW = Rule(
    code="R051", name="rate-too-low", field="rehearsal.updates", severity="error", scope=Scope.RUN,
    summary="A step hardly moves the weights; a higher learning rate learns one batch, and this one does not.",
    why="The training would end before it began.",
)  # fmt: skip
NOT_MEMORIZED = Rule(
    code="R052", name="few-examples-not-memorized", field="rehearsal.memorizes", severity="error", scope=Scope.RUN,
    summary="The network cannot tell a few examples apart, however long it is shown them, at any learning rate tried.",
    why="What cannot learn a few examples cannot learn the set.",
)  # fmt: skip

# --- why it does not learn -----------------------------------------------------------------------

PLATEAU = Rule(
    code="R060", name="plateau-at-a-constant-prediction", field="rehearsal.memorizes", severity="error",
    scope=Scope.RUN, summary="Under a squared or absolute error the loss stays at that of a constant prediction, and "
    "a few examples alone cannot be told apart either.",
    why="What the network learns is at most the mean of the targets.",
)  # fmt: skip
OUT_OF_REACH = Rule(
    code="R061", name="targets-beyond-the-training", field="rehearsal.updates", severity="error", scope=Scope.RUN,
    summary="The targets are thousands, and at the pace of the run the outputs come nowhere near them in the training.",
    why="The training ends long before the mean of the targets is reached.",
)  # fmt: skip
RATE_TOO_SLOW = Rule(
    code="R063", name="rate-ten-times-too-low", field="rehearsal.updates", severity="error", scope=Scope.RUN,
    summary="The whole training, run in the rehearsal, does not learn, and with ten times the rate it does.",
    why="The training ends before it began.",
)  # fmt: skip
UNITS_ALIKE = Rule(
    code="R064", name="units-start-alike", field="rehearsal.gradients", severity="warning", scope=Scope.RUN,
    summary="All units of a layer start with the same weights, and still have them after the run.",
    why="Equal units get equal gradients: the layer stays one unit, however wide it is.",
)  # fmt: skip
TURNED_SIGN = Rule(
    code="R065", name="loss-with-the-sign-turned", field="rehearsal.loss", severity="error", scope=Scope.RUN,
    summary="A loss of your own is highest where the predictions are right, and falls below 0 without end.",
    why="The training moves away from the targets.",
)  # fmt: skip
PENALTY = Rule(
    code="R066", name="penalty-overwhelms-the-loss", field="rehearsal.memorizes", severity="error", scope=Scope.RUN,
    summary="Regularizers pull the weights to 0 and the loss stays at a constant prediction's; without them it falls.",
    why="The weights are pulled to 0 faster than the targets move them.",
)  # fmt: skip
SOFTMAX_AXIS = Rule(
    code="R067", name="softmax-over-the-wrong-axis", field="rehearsal.outputs", severity="error", scope=Scope.RUN,
    summary="The outputs are probabilities over the examples or positions, not over the classes.",
    why="The loss takes the last axis for the classes: an example's prediction depends on its neighbours in the batch.",
)  # fmt: skip
DROPPED = Rule(
    code="R068", name="dropout-keeps-too-little", field="rehearsal.memorizes", severity="warning", scope=Scope.RUN,
    summary="A Dropout layer drops nearly all units and holds the loss up: without it the same steps get far lower.",
    why="rate is the share that is dropped, not the share that is kept.",
)  # fmt: skip
