"""Layers made or called in another form than they take: tensors among the settings, a number for a shape, no units."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from deep_mnist.doctor.checks.crashes.building.rules import LAYER_OTHERWISE
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, is_kind_of, is_layer
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

Told = tuple[str, str, str]  # expected, received, fix
SHAPE = re.compile(r"Cannot convert '(\d+)' to a shape")
RATE = re.compile(r"argument `rate`\. Expected a float value between 0 and 1\. Received: rate=(\d+)$")
UNITS = re.compile(r"invalid value for `units`, expected a positive integer\. Received: units=(.*)$")
MISSING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required positional arguments?: (.*)")
TUPLE = re.compile(r"The `(\w+)` argument must be a tuple of (\d) integers\. Received \w+=(\(.*\))")
SMALLEST = re.compile(r"Input size must be at least (\d+)x(\d+).*input_shape=(\(.*\))")
CHANNELS = re.compile(r"input must have 3 channels; Received `?input_shape=(\(.*?\))")
THOUSAND = re.compile(r"with `include_top`?=?True`?, `classes` should be 1000\.?\s+Received `?classes=(\d+)")
SLICED = ("from_tensor_slices", "from_tensors")
VALUE = re.compile(r"missing a required argument: 'value'|called on a list of inputs, namely \[query, value\]")
UNCALLED = re.compile(r"All `outputs` values must be KerasTensors")
NO_ADD = re.compile(r"'(?:Functional|Model)' object has no attribute 'add'")
MODULE = re.compile(r"'module' object is not callable")
USUAL = {
    "units": "64",
    "kernel_size": "3",
    "output_dim": "64",
    "activation": '"relu"',
    "pool_size": "2",
    "target_shape": "(…)",
    "rate": "0.5",
    "filters": "32",
    "n": "…",
    "dims": "(…)",
    "layer": "…",
    "input_dim": "…",
    "cell": "…",
    "num_heads": "4",
    "key_dim": "32",
    "cropping": "…",
    "axes": "1",
    "function": "…",
    "initial_learning_rate": "0.001",
    "decay_steps": "1000",
    "decay_rate": "0.96",
    "filepath": '"best.keras"',
}
UPDATES = "counted in updates: batches of an epoch times epochs"


def explain_form(crash: Crash) -> Finding | None:
    """Name what a layer is given and does not take in this form, and the user's line in the right one."""
    step = crash.user
    if step is None:
        return None
    if step.call is None:
        added = _added(crash, step)
        return crash.found(LAYER_OTHERWISE, *added) if added is not None else None
    ways: tuple[Callable[[Crash, TraceStep, ast.Call], Told | None], ...] = (
        _tensors_as_settings, _tensors_apart, _no_value, _uncalled, _number_as_shape, _rate_in_percent, _no_units,
        _missing, _tuple, _small, _channels, _thousand, _apart, _module,
    )  # fmt: skip
    found = next((told for way in ways if (told := way(crash, step, step.call)) is not None), None)
    if found is None:
        return None
    return crash.found(LAYER_OTHERWISE, *found)


def _is_symbol(node: ast.expr, step: TraceStep) -> bool:
    return type(held_by(node, step.frame)).__name__ == "KerasTensor"


def _is_class_of_layer(node: ast.expr, step: TraceStep) -> bool:
    kind = held_by(node, step.frame)
    names = [each.__name__ for each in getattr(kind, "__mro__", ()) if each.__module__.startswith("keras")]
    return "Layer" in names and "Model" not in names


def _tensors_as_settings(_: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`Dense(3, x)`, `Concatenate(a, b)`: tensors belong into a second pair of brackets."""
    parts = [each for top in call.args for each in (top.elts if isinstance(top, ast.List | ast.Tuple) else [top])]
    tensors = [each for each in parts if _is_symbol(each, step)]
    if not tensors or not _is_class_of_layer(call.func, step):
        return None
    settings = [each for each in call.args if each not in tensors and not isinstance(each, ast.List | ast.Tuple)]
    given = tensors[0] if len(tensors) == 1 else ast.List(tensors, ast.Load())
    again = ast.Call(ast.Call(call.func, settings, call.keywords), [given], [])
    return (
        f"{ast.unparse(again)}: settings in the first brackets, tensors in the second",
        ast.unparse(call),
        line_changed(step, [(call, ast.unparse(again))]),
    )


def _tensors_apart(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`Add()(a, b)`: a merging layer and Attention take one list."""
    layer = next((each.held.get("self") for each in crash.steps if is_layer(each.held.get("self"))), None)
    made = called(call.func) if isinstance(call.func, ast.Call) else type(layer).__name__
    is_merge = made in MERGING or any(is_kind_of(layer, each) for each in ("Merge", "Attention", "AdditiveAttention"))
    tensors = [each for each in call.args if _is_symbol(each, step)]
    if not is_merge or len(tensors) < 2 or len(tensors) < len(call.args):
        return None
    again = ast.Call(call.func, [ast.List(call.args, ast.Load())], call.keywords)
    return (
        "one list of tensors",
        f"{len(tensors)} of them side by side",
        line_changed(step, [(call, ast.unparse(again))]),
    )


MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Attention",
           "AdditiveAttention")  # fmt: skip


def _no_value(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`MultiHeadAttention(2, 4)(x)`: attention of a sequence to itself takes it twice."""
    if not VALUE.search(crash.text) or len(call.args) != 1 or not _is_symbol(call.args[0], step):
        return None
    both: list[ast.expr] = [call.args[0], call.args[0]]
    again = ast.Call(call.func, [ast.List(both, ast.Load())] if "a list of" in crash.text else both, call.keywords)
    return "a query and a value", f"{ast.unparse(call.args[0])} alone", line_changed(step, [(call, ast.unparse(again))])


def _uncalled(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`Model(x, Dense(1))`: a layer stands where what it makes is meant."""
    inputs, outputs = argument_of(call, 0, "inputs"), argument_of(call, 1, "outputs")
    if UNCALLED.search(crash.text) is None or inputs is None or outputs is None or not _is_symbol(inputs, step):
        return None
    is_made = isinstance(outputs, ast.Call) and _is_class_of_layer(outputs.func, step)
    if not is_made and not is_layer(held_by(outputs, step.frame)):
        return None
    made = f"{ast.unparse(outputs)}({ast.unparse(inputs)})"
    fix = f"{line_changed(step, [(outputs, made)])}: or of the tensor before it"
    return "the tensor that a layer makes of another", f"the layer {ast.unparse(outputs)} itself", fix


def _number_as_shape(crash: Crash, step: TraceStep, _: ast.Call) -> Told | None:
    match = SHAPE.search(crash.text)
    if match is None:
        return None
    calls = step.on_line(ast.Call)
    stated = [each.value for one in calls for each in one.keywords if each.arg in ("shape", "input_shape")]
    stated += [each for one in calls if called(one) == "Input" for each in one.args[:1]]
    if len(stated) != 1 or isinstance(stated[0], ast.Tuple):
        return None
    fix = line_changed(step, [(stated[0], f"({ast.unparse(stated[0])},)")])
    return "a shape in brackets, (n,)", f"the number {match[1]}", fix


def _rate_in_percent(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    match = RATE.search(crash.text)
    stated = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "rate")]
    if match is None or len(stated) != 1 or not 1 < int(match[1]) < 100:
        return None
    fix = line_changed(step, [(stated[0], f"{int(match[1]) / 100:g}")])
    return "a share between 0 and 1", f"rate={match[1]}, in percent", fix


def _no_units(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    match = UNITS.search(crash.text)
    stated = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "units")]
    if match is None or len(stated) != 1:
        return None
    text, value = ast.unparse(stated[0]), held_by(stated[0], step.frame)
    if isinstance(stated[0], ast.Constant) and isinstance(stated[0].value, str) and stated[0].value.strip().isdigit():
        return "a whole number of units", f"the text {text}", line_changed(step, [(stated[0], stated[0].value.strip())])
    if isinstance(value, str):
        return "a whole number of units", f"{text} = {value!r}", line_changed(step, [(stated[0], f"int({text})")])
    told = f"{text} = {value}" if isinstance(stated[0], ast.Name | ast.Attribute) else text
    return (
        "a whole number of units above 0",
        told,
        f"Find where {text} becomes {match[1]}: a layer needs one unit or more.",
    )


def _missing(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    match = MISSING.search(crash.text)
    kind = held_by(call.func, step.frame)
    if match is None or not isinstance(kind, type) or not kind.__module__.startswith("keras."):
        return None
    names = re.findall(r"'(\w+)'", match[2])
    keywords = [*call.keywords, *(ast.keyword(each, ast.Name(USUAL.get(each, "…"), ast.Load())) for each in names)]
    again = ast.unparse(ast.Call(call.func, call.args, keywords))
    fix = line_changed(step, [(call, again)]) + (f": {UPDATES}" if "decay_steps" in names else "")
    return f"{match[1]} with {' and '.join(names)}", ast.unparse(call), fix


def _tuple(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """A size of three axes for a layer of two, and the like."""
    match = TUPLE.search(crash.text)
    given = [*call.args, *(each.value for each in call.keywords)]
    literals = [each for each in given if isinstance(each, ast.Tuple)]
    if match is None:
        return None
    wrong = [each for each in literals if ast.unparse(each).replace(" ", "") == match[3].replace(" ", "")]
    if len(wrong) != 1 or len(wrong[0].elts) < int(match[2]):
        return None
    kept = ast.unparse(ast.Tuple(wrong[0].elts[: int(match[2])], ast.Load()))
    return f"{match[2]} numbers as {match[1]}", match[3], line_changed(step, [(wrong[0], kept)])


def _small(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """Images smaller than a network of keras.applications takes."""
    match = SMALLEST.search(crash.text)
    stated = next((each.value for each in call.keywords if each.arg == "input_shape"), None)
    if match is None or stated is None:
        return None
    size = f"{match[1]}, {match[2]}"
    resized = f"images as keras.ops.image.resize(x, ({size})), of 3 channels"
    fix = f"{line_changed(step, [(stated, f'({size}, 3)')])}; {resized}"
    return f"images of at least {match[1]} x {match[2]}", f"input_shape={match[3]}", fix


def _channels(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """Images of one channel for weights that were trained on three."""
    match = CHANNELS.search(crash.text)
    stated = next((each.value for each in call.keywords if each.arg == "input_shape"), None)
    sizes = ast.literal_eval(match[1]) if match is not None else ()
    if stated is None or len(sizes) != 3:
        return None
    fix = line_changed(step, [(stated, str((*sizes[:2], 3)))])
    return "images of 3 channels", f"input_shape={sizes}", f"{fix}; images as np.repeat(x, 3, axis=-1)"


def _thousand(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """Classes of one's own on top of a network with the weights of ImageNet's thousand."""
    match = THOUSAND.search(crash.text)
    if match is None:
        return None
    kept = [each for each in call.keywords if each.arg not in ("classes", "include_top", "pooling")]
    added = [ast.keyword("include_top", ast.Constant(False)), ast.keyword("pooling", ast.Constant("avg"))]
    fix = line_changed(step, [(call, ast.unparse(ast.Call(call.func, call.args, [*kept, *added])))])
    last = f'Dense({match[1]}, activation="softmax")'
    return "1000 classes with this last layer", f"classes={match[1]}", f"{fix}; behind it a layer of one's own, {last}"


def _apart(_: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`from_tensor_slices(x, y)`: what belongs together is one tuple; the second argument is a name."""
    calls = [each for each in step.on_line(ast.Call) if called(each) in SLICED and len(each.args) > 1]
    if len(calls) != 1 or (calls[0] is not call and call not in ast.walk(calls[0])):
        return None
    given = calls[0]
    again = ast.unparse(ast.Call(given.func, [ast.Tuple(given.args, ast.Load())], given.keywords))
    told = " and ".join(map(ast.unparse, given.args))
    return f"one tuple of {told}", f"{told} side by side", line_changed(step, [(given, again)])


def _module(crash: Crash, step: TraceStep, call: ast.Call) -> Told | None:
    """`vgg16(…)`: the module of a class is called."""
    module = held_by(call.func, step.frame)
    if MODULE.search(crash.text) is None or not hasattr(module, "__dict__"):
        return None
    wanted = called(call).replace("_", "").lower()
    own = [each for each, value in vars(module).items() if callable(value)]
    names = [each for each in own if each.replace("_", "").lower() == wanted]
    if len(names) != 1 or names[0] == called(call):
        return None
    name = f"{ast.unparse(call.func)}.{names[0]}"
    fix = line_changed(step, [(call.func, name)])
    return f"the class or function {name}", f"the module {ast.unparse(call.func)}", fix


def _added(crash: Crash, step: TraceStep) -> Told | None:
    """`model.add(…)` of a network that is no Sequential, as those of keras.applications."""
    nodes = [each for each in step.on_line(ast.Attribute) if each.attr == "add"]
    if not NO_ADD.search(crash.text) or len(nodes) != 1:
        return None
    name = ast.unparse(nodes[0].value)
    fix = f"{name} = keras.Sequential([{name}])  # before {ProgramText(step.frame, step.file).at(nodes[0])}"
    return f"keras.Sequential([{name}]), to which layers are added", f"add() of {name}, a functional network", fix
