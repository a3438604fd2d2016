"""The rules of a request's examples: those that get an error response, and those that predictions are warned of by."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope


def _rule(code: str, name: str, field: str, severity: str, summary: str, why: str) -> Rule:
    return Rule(code=code, name=name, field=field, severity=severity, scope=Scope.REQUEST, summary=summary, why=why)


CANNOT_TAKE = "The network cannot take such an input: the request gets an error response and no prediction."
MEANS_NOTHING = "The network takes it without complaint, and its prediction means nothing."

NOT_A_LIST = _rule(
    "Q001", "request-without-list", "images.rank", "error", "The examples are no list.", CANNOT_TAKE
)  # fmt: skip
TOO_MANY = _rule(
    "Q002", "request-too-long", "images.count", "error", "A request holds more examples than the server takes at once.",
    "The request gets an error response with status 413 and no prediction.",
)  # fmt: skip
NONE = _rule("Q003", "request-empty", "images.count", "error", "A request holds no example.", CANNOT_TAKE)
NO_NUMBERS = _rule(
    "Q004", "request-not-numbers", "images.dtype", "error",
    "Strings, true and false, or objects stand among the numbers.", CANNOT_TAKE,
)  # fmt: skip
RAGGED = _rule(
    "Q005", "request-ragged", "images.shape", "error", "The examples are nested lists of unequal lengths.", CANNOT_TAKE
)
OTHER_SHAPE = _rule(
    "Q006", "request-of-other-shape", "images.shape", "error",
    "The examples have the network's rank and another shape.", CANNOT_TAKE,
)  # fmt: skip
OTHER_RANK = _rule(
    "Q007", "request-of-other-rank", "images.rank", "error", "The examples have more or fewer axes than the input.",
    CANNOT_TAKE,
)  # fmt: skip
NOT_FINITE = _rule(
    "Q008", "request-not-finite", "images.finite", "error", "Numbers are infinite or NaN.", CANNOT_TAKE
)  # fmt: skip
FRACTIONS = _rule(
    "Q009", "request-fractions-for-integers", "images.dtype", "error", "The input takes integers and gets fractions.",
    CANNOT_TAKE,
)  # fmt: skip
BEYOND_DTYPE = _rule(
    "Q010", "request-beyond-dtype", "images.range", "error", "Numbers lie outside what the input's dtype can hold.",
    CANNOT_TAKE,
)  # fmt: skip
OFF_SCALE = _rule(
    "Q020", "request-on-other-scale", "images.range", "warning",
    "Examples use hardly any of the training data's range, or leave it far behind.", MEANS_NOTHING,
)  # fmt: skip
INVERTED = _rule(
    "Q021", "request-inverted", "images.polarity", "warning",
    "Images lie near the training data only once light and dark are exchanged.", MEANS_NOTHING,
)  # fmt: skip
BLANK = _rule(
    "Q022", "request-blank", "images.distribution", "warning",
    "An example is one value throughout, which training data hardly ever are.", MEANS_NOTHING,
)  # fmt: skip
FAR = _rule(
    "Q023", "request-far-from-training", "images.distribution", "warning",
    "Examples lie farther from the training data than nearly all training examples do.", MEANS_NOTHING,
)  # fmt: skip
