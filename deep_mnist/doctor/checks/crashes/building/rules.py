"""The rules of errors that end a program while it puts a network together."""

from __future__ import annotations

from deep_mnist.doctor.checks.crashes.rules import crash_rule

LAYER_OTHERWISE = crash_rule(
    "E029",
    "layer-made-otherwise",
    "model.layers",
    "A layer is made or called in another form than it takes, or without what it needs.",
)
NOT_CONNECTED = crash_rule(
    "E035", "output-not-connected", "model.layers", "A model is made of an output that its inputs do not lead to."
)
NAME_AGAIN = crash_rule(
    "E036",
    "layer-name",
    "model.layers",
    "Two layers of a model have one name, or a layer is asked for that has another.",
)
SYMBOL_AS_ARRAY = crash_rule(
    "E037",
    "symbol-as-array",
    "model.layers",
    "A tensor of keras.Input, which holds no numbers, is used as an array that holds some.",
)
SIZE_UNKNOWN = crash_rule(
    "E043",
    "size-unknown-in-graph",
    "model.layers",
    "A layer or loss of one's own asks for a size of the batch that a graph does not know yet.",
)
CLASS_OTHERWISE = crash_rule(
    "E042",
    "class-otherwise",
    "model.layers",
    "A layer or model of one's own lacks what Keras calls, or has it in another form.",
)
