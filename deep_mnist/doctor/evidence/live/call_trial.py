"""What the second call of a model makes anew: layers that stand in call() and not in __init__."""

from __future__ import annotations

import ast
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from deep_mnist.doctor.evidence.live.own_code import users_frame
from deep_mnist.doctor.evidence.live.restoring import unchanged


@dataclass(frozen=True)
class MadeInCall:
    """Weights that a call makes anew.

    Attributes:
        count: How many.
        layer: Class of the first layer.
        place: "train.py:14", where it is made.
        expression: That makes it, "" when its source has another form.
        attribute: A name for it.
    """

    count: int
    layer: str
    place: str
    expression: str = ""
    attribute: str = "layer"


def made_in_call(model: Any, x: Any) -> MadeInCall | None:
    """Return what the second call of a model on a batch makes anew, None where nothing, or where it raises.

    Args:
        model: A live Keras model; it is as before afterwards.
        x: A batch, nested as the model takes it.
    """
    tf = sys.modules["tensorflow"]
    layer_class = sys.modules["keras"].layers.Layer
    made: list[tuple[Any, FrameType | None, int]] = []
    own = layer_class.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        own(self, *args, **kwargs)
        user = users_frame(sys._getframe(1))
        made.append((self, user, 0 if user is None else user.f_lineno))

    with unchanged(model):
        try:
            inputs = tf.nest.map_structure(tf.convert_to_tensor, x)
            model(inputs, training=False)
            layer_class.__init__ = init
            model(inputs, training=False)
        except Exception:  # the user's own code may raise anything; fit then says so
            pass
        finally:
            layer_class.__init__ = own
        with_weights = [each for each in made if getattr(each[0], "trainable_weights", ())]
        count = sum(len(layer.trainable_weights) for layer, _, _ in with_weights)
        return _told(*with_weights[0], count) if with_weights else None


def _told(layer: Any, user: FrameType | None, line: int, count: int) -> MadeInCall:
    name = type(layer).__name__
    if user is None:
        return MadeInCall(count, name, "call()")
    place = f"{Path(user.f_code.co_filename).name}:{line}"
    return MadeInCall(count, name, place, _expression(user, name, line), f"{name.lower()}_{line}")


def _expression(frame: FrameType, name: str, line: int) -> str:
    """Return the call that makes a layer of a class, on the frame's line."""
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals)))
    except (SyntaxError, ValueError):
        return ""
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    named = [node for node in calls if ast.unparse(node.func).rpartition(".")[2] == name]
    return ast.unparse(named[0]) if named else ""
