"""The rules of a loss of one's own; `own_loss.py` looks for them."""

from __future__ import annotations

from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope


def _rule(code: str, name: str, summary: str, why: str, severity: str = "error", follows: str = "") -> Rule:
    return Rule(
        code=code,
        name=name,
        field="contract.loss",
        severity=severity,
        scope=Scope.CASE,
        needs=(Need.LIVE_MODEL,),
        summary=summary,
        why=why,
        follows=(Follows(rules=(follows,), on=On.MODEL),) if follows else (),
    )


RAISES = _rule(
    "C030",
    "own-loss-cannot-be-traced",
    "The loss raises when fit calls it: a graph has no numbers for numpy and no yes or no for `if`, or a name is gone.",
    "fit stops at its first step.",
)
BROADCASTS = _rule(
    "C031",
    "loss-broadcasts-targets",
    "Targets (n,) and predictions (n, 1) are compared each with each: "
    "the loss is the same whichever target belongs to which row.",
    "The network learns the targets' mean, for every row alike.",
)
NO_GRADIENT = _rule(
    "C032",
    "loss-without-gradient",
    "No gradient comes from the loss to the predictions: they are "
    "rounded, compared, cast to integers, or left the tape as numpy.",
    "No weight ever changes.",
)
NOT_FINITE = _rule(
    "C033",
    "loss-not-finite",
    "The loss of the network's first predictions is NaN or infinite.",
    "The first step makes every weight NaN.",
    follows="C038",
)
NOT_FINITE_WHEN_SURE = _rule(
    "C034",
    "loss-not-finite-when-sure",
    "The loss takes the logarithm of 0, or divides by it, where a probability becomes exactly 0 or 1.",
    "A sure network, after some epochs, makes the loss NaN, and with it all weights.",
    "warning",
)
REVERSED = _rule(
    "C035",
    "loss-falls-for-wrong-predictions",
    "The loss is lower for wrong predictions than for right ones: a sign is turned.",
    "Training moves away from what is right.",
)
SWAPPED = _rule(
    "C036",
    "loss-arguments-swapped",
    "A loss is given the predictions as y_true and the targets as y_pred.",
    "The gradient is that of another loss: large where predictions are right already, or none.",
)
TAKES_LOGITS = _rule(
    "C037",
    "own-loss-takes-logits",
    "The last layer makes probabilities, and a loss of one's own takes its outputs for logits: it applies sigmoid or "
    "softmax once more.",
    "Even sure and right probabilities are weak logits: the loss stays high, gradients small, probabilities wrong.",
)
TAKES_PROBABILITIES = _rule(
    "C038",
    "own-loss-takes-probabilities",
    "The last layer has no activation, and a loss of one's own takes its outputs for probabilities: it takes their "
    "logarithm, or clips them to 0..1.",
    "Outputs outside of 0..1 make the loss NaN, or have no gradient and are never put right.",
)
OF_LAST_ROUND = _rule(
    "C042",
    "losses-of-the-last-round",
    "The losses of several outputs were made in a loop, and all read its variable, which has its last value.",
    "Every output learns the same: a function looks its variable up when it is called, after the loop.",
)
RULES = (RAISES, BROADCASTS, NO_GRADIENT, NOT_FINITE, NOT_FINITE_WHEN_SURE, REVERSED, SWAPPED)
