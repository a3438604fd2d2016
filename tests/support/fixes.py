"""Apply a finding's fix as a reader would: statements to the arrays and the model, layers in the place of others."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

LAYERS = ("Dense", "BatchNormalization", "Embedding")  # that a fix may give in the place of what is there


class FixedCase:
    """Arrays, a compiled Keras model and the arguments of fit, changed by one fix after another."""

    def __init__(self, arrays: dict[str, np.ndarray], model: Any) -> None:
        self.arrays, self.model, self.fit = dict(arrays), model, dict[str, Any]()

    def apply(self, fix: str) -> bool:
        """Apply a fix and return True; False where it is a sentence and no Python."""
        import keras

        try:
            statements = ast.parse(fix).body
        except SyntaxError:
            return False
        for statement in statements:
            space = {**self.arrays, "model": self.model, "np": np, "keras": keras}
            if isinstance(statement, ast.Expr) and _called(statement) in LAYERS:
                self.model = _with_layer(self.model, statement.value)
                continue
            if isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("model.fit(..., "):
                self.fit |= {each.arg: ast.literal_eval(each.value) for each in statement.value.keywords}
                continue
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "kernel_initializer":
                self.model = _rebuilt(self.model, _drop_initializer)
                continue
            exec(compile(ast.Module([statement], []), "<fix>", "exec"), space)
            self.arrays = {name: space[name] for name in self.arrays} | {
                name: value for name, value in space.items() if isinstance(value, np.ndarray | int)
            }
        return True


def _called(statement: ast.Expr) -> str:
    call = statement.value
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""


def _with_layer(model: Any, call: Any) -> Any:
    """Return the model with the layer of a call in the place of its kind: the last Dense, every normalization."""
    kind = call.func.id
    stated = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    if kind == "Dense":
        stated = {"activation": "linear", **stated, "units": ast.literal_eval(call.args[0])}
    elif kind == "Embedding":
        stated["input_dim"] = ast.literal_eval(call.args[0])

    def change(layers: list[dict[str, Any]]) -> None:
        chosen = [each for each in layers if each["class_name"] == kind]
        for each in chosen[-1:] if kind == "Dense" else chosen:
            each["config"].update(stated)
            each.pop("build_config", None)
        if kind == "Dense" and chosen:  # the activation is the last layer's own now
            del layers[layers.index(chosen[-1]) + 1 :]

    return _rebuilt(model, change)


def _drop_initializer(layers: list[dict[str, Any]]) -> None:
    for each in layers:
        each["config"].pop("kernel_initializer", None)


def _rebuilt(model: Any, change: Any) -> Any:
    """Return a Sequential model built again from its changed configuration, compiled as before."""
    config, compiled = model.get_config(), model.get_compile_config()
    change(config["layers"])
    again = type(model).from_config(config)
    if compiled:
        again.compile_from_config(compiled)
    return again
