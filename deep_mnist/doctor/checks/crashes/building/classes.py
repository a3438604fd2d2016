"""Classes of one's own: layers and models without `super().__init__()`, without `call`, with PyTorch's names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from deep_mnist.doctor.checks.crashes.building.rules import CLASS_OTHERWISE
from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding

NO_SUPER = re.compile(r"In layer '(\w+)', you forgot to call `super\(\).__init__\(\)`")
NO_CALL = re.compile(r"(?:Model|Layer) (\w+) does not have a `call\(\)` method")
BY_PLACE = re.compile(  # Keras 2 took the name first, Keras 3 takes the shape
    r"`name` must be passed as a keyword argument. Received: add_weight\(|Cannot convert '\w+' to a shape"
    r"|add_weight\(\) got multiple values for argument 'shape'"
)
TOO_MANY = re.compile(r"too many positional arguments|takes \d+ positional arguments? but \d+ w")
NO_SIZE = re.compile(r"must be fully-defined \(no `None` dimensions\)\. Received: shape=(\(.*?\)) for")
ADDING, MOST_OTHERS = ("add_weight", "add_variable"), 5
METHODS = ("call", "build", "train_step", "test_step", "compute_loss", "on_epoch_end", "on_epoch_begin", "get_config")


def explain_class(crash: Crash) -> Finding | None:
    """Name the class, and the line that it lacks."""
    step = crash.user
    if step is None:
        return None
    ways: tuple[Callable[[Crash, TraceStep], tuple[str, str, str] | None], ...] = (
        _no_super, _no_call, _no_self, _weight_by_place, _weight_without_size,
    )  # fmt: skip
    found = next((told for way in ways if (told := way(crash, step)) is not None), None)
    if found is None:
        return None
    return crash.found(CLASS_OTHERWISE, *found)


def _class(step: TraceStep, name: str) -> tuple[ProgramText, ast.ClassDef] | None:
    text = ProgramText(step.frame, step.file)
    found = [each for each in text.nodes if isinstance(each, ast.ClassDef) and each.name == name]
    return (text, found[0]) if len(found) == 1 else None


def _methods(owner: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {each.name: each for each in owner.body if isinstance(each, ast.FunctionDef)}


def _no_super(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    match = NO_SUPER.search(crash.text)
    found = _class(step, match[1]) if match is not None else None
    init = _methods(found[1]).get("__init__") if found is not None else None
    if match is None or found is None or init is None:
        return None
    calls = [
        each for each in ast.walk(init) if isinstance(each, ast.Call) and ast.unparse(each.func) == "super().__init__"
    ]
    fix = f"super().__init__()  # first in __init__ of {match[1]}, before {found[0].at(init.body[0])}"
    if calls:
        fix = f"Move {ast.unparse(calls[0])} to the first line of __init__ of {match[1]}, {found[0].at(init.body[0])}."
    return f"super().__init__() first in {match[1]}", "an attribute that is set before it", fix


def _no_call(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    match = NO_CALL.search(crash.text)
    found = _class(step, match[1]) if match is not None else None
    if match is None or found is None:
        return None
    text, owner = found
    methods = _methods(owner)
    forward = methods.get("forward") or next(
        (each for name, each in methods.items() if name in ("__call__", "Call")), None
    )
    if forward is None:
        fix = f"def call(self, inputs):  # in class {match[1]}, from {text.at(owner)}: what it makes of its inputs"
        return f"a method call in {match[1]}", f"{', '.join(methods) or 'no method'} alone", fix
    head = f"def call({ast.unparse(forward.args)}):  # in place of {text.at(forward)}"
    return (
        f"a method call in {match[1]}",
        f"{forward.name}, as in PyTorch" if forward.name == "forward" else forward.name,
        head,
    )


def _no_self(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A method that Keras calls with the object first, and that takes none."""
    if not TOO_MANY.search(crash.text):
        return None
    text = ProgramText(step.frame, step.file)
    for owner in (each for each in text.nodes if isinstance(each, ast.ClassDef) and each.bases):
        for name, method in _methods(owner).items():
            names = [each.arg for each in method.args.args]
            if name in METHODS and names[:1] != ["self"] and not method.decorator_list and not method.args.vararg:
                told = ast.unparse(method.args)
                head = f"def {name}(self{', ' + told if told else ''}):  # in place of {text.at(method)}"
                return f"self as the first parameter of {name}", f"{name}({told}) in {owner.name}", head
    return None


def _weight_by_place(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A name given first, as Keras 2 took it: here, and in the other lines of the file that do so."""
    calls = [each for each in step.on_line(ast.Call) if called(each) in ADDING and each.args]
    if not BY_PLACE.search(crash.text) or len(calls) != 1 or len(calls[0].args) > 3:
        return None
    others = [each for each in ProgramText(step.frame, step.file).calls(*ADDING) if each.lineno != step.line
              and 0 < len(each.args) < 4 and isinstance(each.args[0], ast.Constant)
              and isinstance(each.args[0].value, str)]  # fmt: skip
    first, *more = (line_changed(step, [(each, _named(each))]) for each in (*calls, *others))
    parts = (each.partition("  # ") for each in more[:MOST_OTHERS])
    fix = first + "".join(f", and {place}: {line}" for line, _, place in parts)
    return "add_weight(shape=…, name=…)", ast.unparse(calls[0]), fix


def _named(call: ast.Call) -> str:
    named = [ast.keyword(name, each) for name, each in zip(("name", "shape", "dtype"), call.args, strict=False)]
    return ast.unparse(ast.Call(call.func, [], [*named, *call.keywords]))


def _weight_without_size(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A weight for each step, of sequences of which Input states no length."""
    match = NO_SIZE.search(crash.text)
    if match is None:
        return None
    text = ProgramText(step.frame, step.file)
    calls = [each for each in text.calls("Input", "InputLayer") if "None" in ast.unparse(each)]
    where = f", which {ast.unparse(calls[0])} at {text.at(calls[0])} leaves open" if len(calls) == 1 else ""
    fix = f"State that length in Input{where}; or make the weight of a size that does not hang on it."
    return "a weight whose sizes are all known", f"add_weight of shape {match[1]}", fix
