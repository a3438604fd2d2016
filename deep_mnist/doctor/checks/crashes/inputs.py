"""Data that a model does not take: other shapes, other numbers of inputs or of examples."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, is_kind_of, is_layer, shape_of
from deep_mnist.doctor.checks.crashes.layers import Shape, parsed_shape
from deep_mnist.doctor.checks.crashes.rules import EXAMPLE_COUNT, INPUT_COUNT, INPUT_SHAPE
from deep_mnist.doctor.checks.crashes.source_code import argument, assigned, calls_named, receiver, shape_text
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding

INPUT = re.compile(
    r"Expected shape (\([^)]*\)), but input has incompatible shape (\([^)]*\))|"
    r"expected shape=(\([^)]*\)), found shape=(\([^)]*\))"
)


COUNT = re.compile(r"expects (\d+)(?: named)? input\(s\)(?: with keys (\[[^\]]*\]))?, but it received (\d+) input")


KEYS = re.compile(r"Missing data for input \"([^\"]+)\". You passed a data dictionary with keys (\[[^\]]*\])")


CARDINALITY = re.compile(r"[Cc]ardinality is ambiguous.*?x'? sizes: ([\d, ]+).*?y'? sizes: ([\d, ]+)", re.S)


def explain_input_shape(crash: Crash) -> Finding | None:
    """Name the shape that a model takes and the one that it was given."""
    match = INPUT.search(crash.text)
    if match is None:
        return None
    takes, got = (parsed_shape(each) for each in (match.group(1) or match.group(3), match.group(2) or match.group(4)))
    return INPUT_SHAPE.found(
        "train",
        expected=f"{shape_text(takes)} for {_model_words(crash)}",
        received=shape_text(got),
        fix=_mend_input(crash, takes, got),
    )


def explain_model_input(crash: Crash) -> Finding | None:
    """Name data of another shape than the model's input, of which a layer inside of it complains."""
    name = entry_name(crash)
    takes, value = _input_of(crash.model), data_of(crash)[1]
    whole = shape_of(value)
    if takes is None or whole is None or name not in ENTRIES or not OF_SHAPES.search(crash.text):
        return None
    got = (None, *whole[1:])
    if len(got) == len(takes) and all(a is None or a == b for a, b in zip(takes[1:], got[1:], strict=True)):
        return None
    return INPUT_SHAPE.found(
        "train",
        expected=f"{shape_text(takes)} for {_model_words(crash)}",
        received=shape_text(whole),
        fix=_mend_input(crash, takes, got),
    )


def explain_built_by_call(crash: Crash) -> Finding | None:
    """Name parts of a model that an earlier call built for one size, or one example: they take no other then."""
    step = crash.user
    if step is None or not (OF_SHAPES.search(crash.text) or INPUT.search(crash.text)):
        return None
    owners = [one.held.get("self") for one in crash.steps]
    wholes: dict[int, Any] = {id(each): each for each in owners if is_kind_of(each, "Sequential")}
    parts = {id(each): each for whole in wholes.values() for each in (whole, *whole.layers) if _is_built_by_call(each)}
    refuses = INPUT.search(crash.text) is not None and id(list(wholes.values())[-1]) in parts if wholes else False
    if not refuses and not any(len(each.inputs[0].shape) == 3 for each in parts.values()):
        return None
    told, fixes, lines, calls = [], [], [], []
    for part in parts.values():
        name = next((key for key, value in {**step.frame.f_globals, **step.held}.items() if value is part), "")
        call = next((each for each in calls_named(step, name) if each.args and each.lineno < step.line), None)
        made = next((each for each in ast.walk(step.tree) if isinstance(each, ast.Assign)
                     and ast.unparse(each.targets[0]) == name), None)  # fmt: skip
        fix = _with_input(made.value, part) if made is not None else ""
        if call is None or made is None or not fix:
            return None
        told.append(f"{ast.unparse(call)} in line {call.lineno} built {name} for {shape_text(part.inputs[0].shape)}")
        fixes.append(f"{name} = {fix}")
        lines.append(f"{Path(step.file).name}:{made.lineno}")
        if len(part.inputs[0].shape) == 3:  # one picture without the axis of the batch
            calls.append(f"; and {name}({ast.unparse(call.args[0])}[None]) in line {call.lineno}")
    return INPUT_SHAPE.found(
        expected="parts of a model that take batches of images of any size",
        received=", ".join(told),
        fix=f"{'; '.join(fixes)}  # {IN_PLACE} {' and '.join(lines)}{''.join(calls)}",
    ) if fixes else None  # fmt: skip


def _is_built_by_call(part: Any) -> bool:
    """Whether a call with an image gave a Sequential without weights its input: an Input states no batch."""
    if not is_kind_of(part, "Sequential") or not part.built or part.weights or len(part.inputs) != 1:
        return False
    shape = part.inputs[0].shape
    return len(shape) in (3, 4) and None not in shape and shape[-1] in (1, 3, 4)


def _with_input(made: ast.expr, part: Any) -> str:
    """Return the call that made a Sequential of a list with an Input for images of any size first in it, else ""."""
    if not isinstance(made, ast.Call) or not made.args or not isinstance(made.args[0], ast.List):
        return ""
    home = ast.unparse(made.func).rpartition(".")[0].removesuffix("models").rstrip(".") or "keras"
    first = ast.parse(f"{home}.Input((None, None, {part.inputs[0].shape[-1]}))", mode="eval").body
    return ast.unparse(ast.Call(made.func, [ast.List([first, *made.args[0].elts])], made.keywords))


OF_SHAPES = re.compile(
    r"incompatible with the layer|Dimensions must be equal|Matrix size-incompatible|Inner dimensions|"
    r"Negative dimension size"
)
ENTRIES = ("fit", "predict", "evaluate", "train_on_batch", "predict_on_batch", "test_on_batch", "__call__")


def entry_name(crash: Crash) -> str:
    """Return the method of the model that the user's line calls."""
    step = entry(crash)
    if step is None:
        return ""
    function = step.held.get("fn") or step.held.get("function")
    return str(getattr(function, "__name__", "")) if step.function in ("error_handler", "method") else step.function


def _input_of(model: Any) -> Shape | None:
    """Return the shape of a model's one input, None where it has several or was never told one."""
    try:
        held = model.inputs
        return tuple(held[0].shape) if held is not None and len(held) == 1 else None
    except (AttributeError, TypeError, IndexError):
        return None


def _model_words(crash: Crash) -> str:
    return f"model '{crash.model.name}'" if crash.model is not None else "the model"


def _mend_input(crash: Crash, takes: Shape, got: Shape) -> str:
    name, value = data_of(crash)
    whole = shape_of(value)
    inner = takes[1:]
    if not is_numpy(value) and value is not None and whole is None:
        return _mend_pipeline(crash, takes, got)
    if (
        whole is not None
        and len(whole) == len(inner)
        and all(a in (None, b) for a, b in zip(inner, whole, strict=True))
    ):
        return f"{assigned(name, f'{name}[None]')}  # one example is a batch of one"
    if len(got) == len(takes) - 1 and inner and inner[-1] == 1 and got[1:] == inner[:-1]:
        return f"{assigned(name, f'{name}[..., None]')}  # the channel axis"
    if None not in inner and None not in got[1:] and math.prod(inner) == math.prod(got[1:]):  # type: ignore[arg-type]
        return assigned(name, f"{name}.reshape({', '.join(map(str, (-1, *inner)))})")
    if len(got) == len(takes) and got[:-1][1:] == inner[:-1] and (got[-1], inner[-1]) == (1, 3):
        return f"{assigned(name, f'{name}.repeat(3, axis=-1)')}  # grey as three channels"
    where = f", {name}.shape[1:]" if entry_name(crash) in ENTRIES else ""
    return f"shape={shape_text(got[1:])}  # in Input or input_shape: the shape of one example{where}"


def _mend_pipeline(crash: Crash, takes: Shape, got: Shape) -> str:
    name, _ = data_of(crash)
    inner = takes[1:]
    if None not in inner and None not in got[1:] and math.prod(inner) == math.prod(got[1:]):  # type: ignore[arg-type]
        to = ", ".join(map(str, (-1, *inner)))
        return assigned(name, f"{name}.map(lambda x, y: (tf.reshape(x, ({to})), y))")
    if got == inner:
        return assigned(name, f"{name}.batch(32)")
    return f"shape={shape_text(got[1:])}  # in Input or input_shape: the shape of one example"


def is_numpy(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "numpy"


def data_of(crash: Crash) -> tuple[str, Any]:
    """Return what the user's call was given as x: its name there, and the value where a frame holds it."""
    value = given(crash, 0, "x")
    return argument(crash, 0, "x"), value


def entry(crash: Crash) -> TraceStep | None:
    """Return the library's frame that the user's own line went into."""
    steps = list(crash.steps)
    if crash.user is None:
        return None
    place = steps.index(crash.user)
    return steps[place + 1] if place + 1 < len(steps) else None


def given(crash: Crash, place: int, name: str) -> Any:
    """Return the value of an argument of the user's call, None where no frame holds it."""
    step = entry(crash)
    if step is None:
        return None
    if name in step.held:
        return step.held[name]
    arguments, named = step.held.get("args"), step.held.get("kwargs")
    if isinstance(named, dict) and name in named:
        return named[name]
    if isinstance(arguments, tuple) and len(arguments) > place + 1 and is_layer(arguments[0]):
        return arguments[place + 1]
    return None


def explain_input_count(crash: Crash) -> Finding | None:
    """Name how many inputs a model has, and how many it was given."""
    if (match := COUNT.search(crash.text)) is not None:
        names = re.findall(r"'([^']+)'", match.group(2) or "")
        wanted, got = int(match.group(1)), int(match.group(3))
        x, _ = data_of(crash)
        if got == 1 and wanted > 1:
            fix = f"{receiver(crash)}.fit([{', '.join(f'x{index + 1}' for index in range(wanted))}], y)"
            fix = f"{fix}  # one array for each of {', '.join(names) or wanted}; {x} is one"
        else:
            first = f"{assigned(x, f'{x}[0]')}  # or np.stack({x}): one array"
            fix = first if wanted == 1 else f"Give {wanted} arrays, in a list."
        return INPUT_COUNT.found(
            "train",
            expected=f"{_model_words(crash)} has {wanted} inputs{': ' + ', '.join(names) if names else ''}",
            received=str(got),
            fix=fix,
        )
    if (match := KEYS.search(crash.text)) is None:
        return None
    names = re.findall(r"'([^']+)'", match.group(2))
    fix = (
        f'name="{names[0]}"  # in Input'
        if len(names) == 1
        else f'Name the inputs as the data are: keras.Input(…, name="{names[0] if names else "…"}")'
    )
    return INPUT_COUNT.found("train", expected=f"data for input '{match.group(1)}'", received=match.group(2), fix=fix)


def explain_count(crash: Crash) -> Finding | None:
    """Name arrays of different lengths, and the one that has the length where there is one."""
    match = CARDINALITY.search(crash.text)
    if match is None:
        return None
    images, labels = (int(each.split(",")[0]) for each in match.groups())
    x, y = argument(crash, 0, "x"), argument(crash, 1, "y")
    better = _partner(crash, images, given(crash, 1, "y"))
    if better:
        fix = f"{receiver(crash)}.fit({x}, {better})  # {better} has {images}"
    elif labels and images % labels == 0:
        rows = assigned(x, f"{x}.reshape({labels}, -1)")
        fix = f"{rows}  # {images // labels} rows of {x} for each label: are they one example?"
    else:
        fix = f"Take {x} and {y} from one source in one go, or split both at the same index."
    return EXAMPLE_COUNT.found(
        "train", expected="as many labels as examples", received=f"{images} in {x}, {labels} in {y}", fix=fix
    )


def _partner(crash: Crash, count: int, labels: Any) -> str:
    """Return the one array of the user's that has this many rows and the labels' other axes."""
    shape = shape_of(labels)
    if crash.user is None or shape is None:
        return ""
    spaces = {**crash.user.frame.f_globals, **crash.user.held}
    found = {
        name: each
        for name, each in spaces.items()
        if is_numpy(each)
        and each.ndim == len(shape)
        and each.shape[1:] == shape[1:]
        and len(each) == count
        and each.dtype.kind == getattr(getattr(labels, "dtype", None), "kind", "?")
    }
    return next(iter(found)) if len(found) == 1 else ""
