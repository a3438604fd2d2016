"""Models that are not built, weights of another model, functions on symbolic tensors, options that Keras lacks."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, is_layer, shape_of
from deep_mnist.doctor.checks.crashes.layers import parsed_shape
from deep_mnist.doctor.checks.crashes.rules import (
    LIBRARIES_MIXED,
    NAME_UNKNOWN,
    NOT_A_LAYER,
    NOT_BUILT,
    NOT_CALLED,
    WEIGHTS,
)
from deep_mnist.doctor.checks.crashes.source_code import argument, at_line, receiver, shape_text, told
from deep_mnist.doctor.finding import Finding

UNBUILT = re.compile(
    r"but the layer isn't built|Weights for model .* have not yet been created|has not yet been built|"
    r"(?:has never been called|has no defined (?:input|output)s? yet|is not built|no defined outputs)|"
    r"isn't built\. You can build it|Build the model first"
)
END = re.compile(r"([\w.\[\]]+\.(?:out|in)put)\b(?!s)")
NOT_LAYERS = re.compile(
    r"Only instances of `?keras\.Layer`? can be added|added layer must be an instance of class Layer"
)
UNCALLED = re.compile(r"Only input tensors may be passed as positional arguments.*?<(\w+) name=([\w/]+)", re.S)
IDENTIFIER = re.compile(
    r"Could not interpret (\w+)(?: function)? identifier: ([^\n]+)|Unknown (\w+)(?: function)?: '?([\w.]+)"
)
SET = re.compile(r"weight shape (\([^)]*\)) is not compatible with provided weight shape (\([^)]*\))")
SET_COUNT = re.compile(r"with a weight list of length (\d+), but the layer was expecting (\d+) weights")
VARIABLE = re.compile(
    r"variable\.shape=(\([^)]*\)), Received: value\.shape=(\([^)]*\)).*?<Variable path=([\w/.]+)", re.S
)
LAYER_COUNT = re.compile(r"Layer count mismatch.*?Model expected (\d+) layers, found (\d+) saved layers", re.S)
WEIGHT_COUNT = re.compile(r"[Ll]ayer '?([\w/.]+)'? expected (\d+) variables?, but received (\d+)", re.S)
SUFFIX = re.compile(
    r"filename must end in `?([\w.]+)`?|must end in `([\w.]+)`|provided must end in `?([\w.]+)`?|"
    r"add either a `(\.keras)` extension"
)
ROOMS = {"loss": "losses", "optimizer": "optimizers", "metric": "metrics", "activation": "activations",
         "initializer": "initializers", "regularizer": "regularizers"}  # fmt: skip


def explain_unbuilt(crash: Crash) -> Finding | None:
    """Name a model that was never told its input's shape."""
    if UNBUILT.search(crash.text) is None:
        return None
    model = crash.find("self") if is_layer(crash.find("self")) else crash.model
    name = receiver(crash)
    known = _known_shape(crash)
    first = f"keras.Input({shape_text(known[1:])})" if known else "keras.Input(x.shape[1:])"
    if name == "model" and crash.user is not None and (found := re.match(r"([\w.]+)\.\w+", crash.user.text)):
        name = found.group(1)
    kind = type(model).__name__ if is_layer(model) else "model"
    part = END.search(crash.user.text) if crash.user is not None else None
    if part is not None and _has_ends(model):
        fix = f"{part[1]}s[0]  # in the place of {part[1]}"
    elif kind == "Sequential":
        shape = shape_text((None, *known[1:])) if known else "(None, *x.shape[1:])"
        fix = f"{name}.build({shape})  # before it; or {first} as its first layer"
    else:
        fix = f"{name}(x[:1])  # before it: a call with data makes the weights"
    return NOT_BUILT.found(
        expected=f"{told(model) if is_layer(model) else 'a model'} with the shape of its input",
        received=f"one that was never given it, at {crash.place}",
        fix=fix,
    )


def _has_ends(model: Any) -> bool:
    """Whether a Sequential that was not called knows its input and output all the same."""
    return bool(getattr(model, "inputs", None)) and bool(getattr(model, "outputs", None))


def _known_shape(crash: Crash) -> tuple[int | None, ...] | None:
    """Return the shape of an array whose name says that it is the input, None where there is none."""
    if crash.user is None:
        return None
    names = {**crash.user.frame.f_globals, **crash.user.held}
    for name in ("x_train", "X_train", "x", "X", "train_images", "trainX", "train_x"):
        shape = shape_of(names.get(name))
        if shape is not None and len(shape) > 1:
            return (None, *shape[1:])
    return None


def explain_mixed(crash: Crash) -> Finding | None:
    """Name what is added to a model and is no layer of its Keras."""
    if NOT_LAYERS.search(crash.text) is None:
        return None
    added = crash.find("layer", "add", "__init__")
    model = crash.find("self", "add", "__init__")
    homes = [type(each).__module__.partition(".")[0] for each in (added, model)]
    if any(each.__name__ == "Layer" for each in type(added).__mro__) and homes[0] != homes[1]:
        one = "from keras import layers, models, Sequential, Model  # all of one Keras, none from tf_keras"
        return LIBRARIES_MIXED.found(
            expected=f"layers of {homes[1]}",
            received=f"{type(added).__name__} of {type(added).__module__.rpartition('.')[0] or homes[0]}",
            fix=one if homes[1] == "keras" else f"import everything from {homes[1]}",
        )
    told_added = None if added is None else _no_layer(crash, added)
    return (
        None if told_added is None else NOT_A_LAYER.found(expected="a layer", received=told_added[0], fix=told_added[1])
    )


def _no_layer(crash: Crash, added: Any) -> tuple[str, str]:
    """Return what was added in the place of a layer, and the line that adds one."""
    add, text = f"{receiver(crash)}.add", argument(crash, 0, "layer")
    if isinstance(added, type):
        return f"the class {added.__name__}, without ()", f"{add}({added.__name__}(…))  # with its arguments"
    if isinstance(added, list | tuple):
        return f"a {type(added).__name__} of {len(added)}", f"for layer in {text}: {add}(layer)"
    if type(added).__name__ == "KerasTensor":
        node = ast.parse(text, mode="eval").body
        layer = ast.unparse(node.func) if isinstance(node, ast.Call) else "layer"
        return "the output of one", f"{add}({layer})  # the layer, not called"
    if callable(added):
        name = getattr(added, "__name__", type(added).__name__)
        return f"the function {name}", f"{add}(keras.layers.Lambda({text}))"
    return f"a {type(added).__name__}", "Add layers only: keras.layers.…"


def explain_not_called(crash: Crash) -> Finding | None:
    """Name a layer that is given in the place of its output."""
    match, user = UNCALLED.search(crash.text), crash.user
    if match is None or user is None or user.call is None or not user.call.args:
        return None
    given = user.call.args[0]
    made = [
        each
        for each in ast.walk(user.tree)
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == ast.unparse(given)
    ]
    value = ast.unparse(made[-1].value) if made else ast.unparse(given)
    tensors = [name for name, held in user.held.items() if type(held).__name__ == "KerasTensor"]
    called = f"{value}({tensors[-1] if tensors else 'x'})"
    return NOT_CALLED.found(
        expected=f"the output of {match.group(1)} '{match.group(2)}', a tensor",
        received=f"the layer itself{at_line(given)}",
        fix=f"{ast.unparse(made[-1].targets[0])} = {called}" if made else called,
    )


def explain_option(crash: Crash) -> Finding | None:
    """Name a loss, optimizer, metric, activation or initializer that Keras does not know, and the nearest one."""
    match = IDENTIFIER.search(crash.text)
    if match is None:
        return None
    kind, given = (match.group(1) or match.group(3)).lower(), (match.group(2) or match.group(4)).strip(" '\"")
    room = getattr(sys.modules.get("keras"), ROOMS.get(kind, ""), None)
    if room is None:
        return None
    if "object at" in given or given.startswith("<"):
        return _class_alone(crash, kind, given) or _object_of_another(kind, given)
    known = [
        each
        for each in dir(room)
        if not each.startswith("_") and each not in ("deserialize", "get", "serialize", "schedules")
    ]
    known += ["accuracy", "acc"] if kind == "metric" else []
    exact = nearest(given, known)
    exact = exact.lower() if exact is not None and kind == "optimizer" else exact
    if exact is None:
        return NAME_UNKNOWN.found(
            expected=f"{'an' if kind[0] in 'aeio' else 'a'} {kind} of Keras by its name",
            received=given,
            fix=f"See keras.{ROOMS[kind]} for the names.",
        )
    return NAME_UNKNOWN.found(
        expected=f"{'an' if kind[0] in 'aeio' else 'a'} {kind} that Keras has",
        received=f"'{given}'",
        fix=f'"{exact}"  # in the place of "{given}"',
    )


def nearest(given: str, known: list[str]) -> str | None:
    """Return the name that is meant: of one beginning, or spelled nearly alike; in small letters where there is one."""
    word = given.lower().replace(" ", "_")
    begun = [each for each in known if len(word) > 1 and each.lower().startswith(word + "_")]
    near = difflib.get_close_matches(word, [each.lower() for each in known], n=1, cutoff=0.6)
    found = [each for each in known if near and each.lower() == near[0]] or sorted(begun, key=len)
    return next((each for each in found if each.islower()), found[0] if found else None)


def _class_alone(crash: Crash, kind: str, given: str) -> Finding | None:
    """Name a class of the model's own Keras that stands where an object of it is meant."""
    match = re.match(r"<class '(tf_keras|keras)[\w.]*\.(\w+)'", given)
    if match is None or type(crash.model).__module__.partition(".")[0] != match[1]:
        return None
    text = argument(crash, 0, kind)
    text = match[2] if text == kind else text
    return NAME_UNKNOWN.found(
        expected=f"an object of the {kind}'s class",
        received=f"the class {match[2]}, without ()",
        fix=f"{text}()  # in the place of {text}",
    )


def _object_of_another(kind: str, given: str) -> Finding | None:
    match = re.search(r"<(?:class ')?(tf_keras|tensorflow|keras)[\w.]*\.(\w+)", given)
    if match is None:
        return None
    name = match.group(2)
    return LIBRARIES_MIXED.found(
        expected=f"{kind} of the model's own Keras",
        received=f"{name} of {match.group(1)}",
        fix=f"keras.{ROOMS[kind]}.{name}(…)  # imported from where the layers are",
    )


def explain_weights(crash: Crash) -> Finding | None:
    """Name the layer whose weights do not fit, both shapes, and what to change."""
    if (match := SUFFIX.search(crash.text)) is not None and "file" in crash.text:
        suffix = next(each for each in match.groups() if each).rstrip(".")
        return WEIGHTS.found(
            expected=f"a path that ends in {suffix}",
            received=f"{_path(crash)}",
            fix=f'"{_stem(_path(crash))}{suffix if suffix.startswith(".") else "." + suffix}"',
        )
    if (match := VARIABLE.search(crash.text)) is not None:
        own, saved, path = match.groups()
        layer = path.split("/")[-2] if "/" in path else path
        return WEIGHTS.found(
            expected=f"weights of {own} for {layer}",
            received=f"{saved}, at {crash.place}",
            fix=_mend_weights(layer, parsed_shape(own), parsed_shape(saved)),
        )
    if (match := SET.search(crash.text)) is not None:
        own, saved = match.groups()
        return WEIGHTS.found(
            expected=f"weights of {own}",
            received=saved,
            fix=_mend_weights("the layer", parsed_shape(own), parsed_shape(saved)),
        )
    if (match := SET_COUNT.search(crash.text)) is not None:
        return _miscounted(f"{match.group(2)} arrays of weights", match.group(1))
    if (match := LAYER_COUNT.search(crash.text)) is not None:
        return _miscounted(f"{match.group(1)} layers with weights in the file", match.group(2))
    if (match := WEIGHT_COUNT.search(crash.text)) is not None:
        return _miscounted(f"{match.group(2)} variables for {match.group(1)}", match.group(3))
    return None


def _miscounted(expected: str, received: str) -> Finding:
    fix = "Build the same layers, in the same order, as the model that the weights come from, before they are loaded."
    return WEIGHTS.found(expected=expected, received=received, fix=fix)


def _mend_weights(layer: str, own: Any, saved: Any) -> str:
    if len(own) == len(saved) >= 1 and own[:-1] == saved[:-1]:
        return (
            f"{saved[-1]} units or filters in {layer}, as the weights have; or skip_mismatch=True for a new last layer"
        )
    if len(own) == len(saved) and own[-1] == saved[-1]:
        wide = saved[-2] if len(saved) > 1 else saved[0]
        return f"An input of {layer} that is {wide} wide, as when the weights were saved."
    return "Build the same layers as the model that the weights come from."


def _path(crash: Crash) -> str:
    for name in ("filepath", "path", "file_path"):
        value = crash.find(name)
        if value is not None:
            return str(value)
    found = re.search(r"Received: (?:filepath=)?'?([^\s']+)", crash.text)
    return found.group(1) if found else "another"


def _stem(path: str) -> str:
    return re.sub(r"(\.weights)?\.(h5|hdf5|keras|ckpt|tf)$", "", path)
