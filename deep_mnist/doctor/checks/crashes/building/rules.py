"""The rules of errors that end a program while it puts a network together."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope


def _rule(code: str, name: str, summary: str) -> Rule:
    return Rule(
        code=code,
        name=name,
        field="model.layers",
        severity="error",
        scope=Scope.CRASH,
        summary=summary,
        why="The program stops with this error.",
    )


LAYER_OTHERWISE = _rule(
    "E029", "layer-made-otherwise", "A layer is made or called in another form than it takes, or without what it needs."
)
NOT_CONNECTED = _rule("E035", "output-not-connected", "A model is made of an output that its inputs do not lead to.")
NAME_AGAIN = _rule(
    "E036", "layer-name", "Two layers of a model have one name, or a layer is asked for that has another."
)
SYMBOL_AS_ARRAY = _rule(
    "E037", "symbol-as-array", "A tensor of keras.Input, which holds no numbers, is used as an array that holds some."
)
CLASS_OTHERWISE = _rule(
    "E042", "class-otherwise", "A layer or model of one's own lacks what Keras calls, or has it in another form."
)
