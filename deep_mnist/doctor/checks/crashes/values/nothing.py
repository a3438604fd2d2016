"""What is None, or of another kind, where a value was meant: an unread file, a name made later, a text for a number."""

from __future__ import annotations

import ast
import linecache
import re
from pathlib import Path

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import VALUE_NONE, VALUE_OTHER
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of, names_set
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.evidence.live.statements.none_made import none_of
from deep_mnist.doctor.evidence.live.statements.tape_blocks import unwatched
from deep_mnist.doctor.evidence.live.text_inputs import is_empty_lookup
from deep_mnist.doctor.finding import Finding

NONE = re.compile(
    r"'?NoneType'? object|operand type.*'NoneType'|\bNone\b.*(unsupported|argument)|not NoneType$|!\w+\.empty\(\)"
)
READERS = ("imread",)
KINDS = ("AttributeError", "TypeError", "error")  # the last is OpenCV's
KINDS_LOST = (AttributeError, TypeError, ValueError)


def explain_nothing(crash: Crash) -> Finding | None:
    """Name the variable of the user's line that is None, and the statement that made it so."""
    step = crash.user
    if step is None:
        return None
    is_said = NONE.search(crash.text) is not None and type(crash.error).__name__ in KINDS
    names = [each for each in _names_on(step) if each in step.held and step.held[each] is None]
    name = next(
        (each for each in names if is_said or (isinstance(crash.error, KINDS_LOST) and _is_lost(step, each))), None
    )
    made = _last_assignment(step, name) if name is not None else None
    if name is None or made is None:
        return None
    place = f"{Path(step.file).name}:{made.lineno}"
    received, fix = _cause(step, name, made)
    return VALUE_NONE.found(
        expected=f"a value in {name} at {crash.place}", received=f"None: {received}, at {place}", fix=fix
    )


def _is_lost(step: TraceStep, name: str) -> bool:
    """Whether the call that failed was given a name that a method in place, or one without return, has set to None."""
    given = [getattr(each, "id", "") for each in step.call.args] if step.call is not None else []
    made = _last_assignment(step, name) if name in given else None
    call = made.value if made is not None else None
    return isinstance(call, ast.Call) and none_of(call, name, ast.walk(step.tree)) is not None


def _names_on(step: TraceStep) -> list[str]:
    """Return the names that the failing line reads, those before a dot or a bracket first."""
    nodes = [node for node in ast.walk(step.tree) if getattr(node, "lineno", -1) == step.line]
    used = [each.value for each in nodes if isinstance(each, ast.Attribute | ast.Subscript)]
    return [each.id for each in (*used, *nodes) if isinstance(each, ast.Name)]


def _last_assignment(step: TraceStep, name: str) -> ast.Assign | None:
    found = [
        node for node in ast.walk(step.tree)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and node.lineno <= step.line
        and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]  # fmt: skip
    before = [each for each in found if each.lineno < step.line]  # in a loop, a later line may have run before
    return max(before or found, key=lambda each: each.lineno, default=None)


def _cause(step: TraceStep, name: str, made: ast.Assign) -> tuple[str, str]:
    """Return what gave None, in words, and the fix."""
    call = made.value
    if not isinstance(call, ast.Call):
        return f"{name} = {ast.unparse(call)[:60]}", f"Give {name} a value before this line."
    function, text = called(call), ast.unparse(call)
    if function in READERS and call.args:
        return _unread(step, call)
    if function == "gradient" and (block := unwatched(step.tree, call)) is not None and not _of_variable(step, call):
        tape, source = text.partition(".gradient")[0], ast.unparse(call.args[1])
        watch = f"{tape}.watch({source})  # first in the block of {tape}, which begins at line {block.lineno}"
        return f"{tape} does not watch {source}, which is no variable", watch
    if function == "latest_checkpoint":
        weights = (
            'model.save_weights("last.weights.h5") in the training before, model.load_weights("last.weights.h5") here'
        )
        return f"{text[:60]} finds no checkpoint there", weights
    if (told := none_of(call, name, ast.walk(step.tree))) is not None:
        return told[0], told[1] if told[1][:1].isupper() else f"{told[1]}  # in place of line {made.lineno}"
    return f"{text[:60]} returned it", f"Look at why {function}() returned None before {name} is used."


def _of_variable(step: TraceStep, asked: ast.Call) -> bool:
    source = asked.args[1]
    return not isinstance(source, ast.Name) or hasattr(step.held.get(source.id), "assign")


def _unread(step: TraceStep, call: ast.Call) -> tuple[str, str]:
    """A file that was not read: the path, where a name or a text says it, and whether something is there."""
    stated = call.args[0]
    path = step.held.get(stated.id) if isinstance(stated, ast.Name) else getattr(stated, "value", None)
    received = f"{called(call)} returns None for a file that it cannot read"
    if isinstance(path, str | Path):
        state = "no image that it can read" if Path(path).is_file() else f"not there (from {Path.cwd()})"
        received = f"{called(call)} returns None, for {path} is {state}"
    return received, "Correct the path, or leave out what is no image: if image is None: continue"


# --- values of another kind ------------------------------------------------------------------------------------

RATE = re.compile(r"`learning_rate` should be float.*Received instead: learning_rate=(\S+)", re.S)
CLOSED = re.compile(r"identifier is not of specified type|Not a dataset|Invalid dataset identifier|Not a location")
NESTED = re.compile(r"'_VariantDataset' object is not subscriptable")
NO_TABLE = re.compile(r"Table not initialized|set the layer.s vocabulary before calling")
STATES = re.compile(r"too many values to unpack \(expected 3")
DEVICES = ("list_physical_devices", "list_logical_devices", "get_visible_devices")


def explain_value(crash: Crash) -> Finding | None:
    """Name a value that is used too early, too late, or as what it is not."""
    step = crash.user
    if step is None:
        return None
    ways = (_no_vocabulary, _made_later, _rate_of_text, _whole_momentum, _no_device, _closed_file, _nested_windows,
            _states_of_both)  # fmt: skip
    found = next((told for way in ways if (told := way(crash, step)) is not None), None)
    if found is None:
        return None
    expected, received, fix = found
    return VALUE_OTHER.found(expected=expected, received=f"{received}, at {crash.place}", fix=fix)


def _made_later(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A name that the module makes further below: cells of a notebook that were run in another order."""
    name = getattr(crash.error, "name", None)
    if not isinstance(crash.error, NameError) or not name:
        return None
    made = [each for each in step.tree.body if each.lineno > step.line and name in made_by(each)]
    if not made:
        return None
    first = ast.unparse(made[0]).splitlines()[0][:80]
    return f"{name} made before it is used", "a name that is made further below", (
        f"Move line {made[0].lineno}, `{first}`, above line {step.line}; in a notebook, its cell."
    )  # fmt: skip


def made_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement of a module makes: by a definition, an import or an assignment."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {each.asname or each.name for each in statement.names}
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    nodes = [each for target in targets for each in ast.walk(target)]
    return {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _rate_of_text(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A learning rate that is text, as YAML 1.1 and a command line give 1e-3, or a whole number."""
    rate = crash.find("learning_rate", "__init__")
    if RATE.search(crash.text) is None or not isinstance(rate, str | int | np.number) or step.call is None:
        return None
    stated = keyword_of(step.call, "learning_rate") or (step.call.args[0] if step.call.args else None)
    if stated is None:
        return None
    raw = linecache.getline(step.file, stated.lineno, step.frame.f_globals)
    text = raw[stated.col_offset : stated.end_col_offset]
    number = f"{text}.0" if text.isdigit() else f"float({text})"
    line = f"{raw[: stated.col_offset]}{number}{raw[stated.end_col_offset :]}".strip()
    fix = line if _is_python(line) else f"{number}, in the place of {text}"
    told = f"the text {rate!r}" if isinstance(rate, str) else f"{rate} of {type(rate).__name__}"
    return "a learning rate that is a float", told, fix


def _whole_momentum(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A momentum of 0 or 1 that is stated as a whole number, which Keras 3 refuses."""
    call = step.call if "`momentum` must be a float" in crash.text else None
    stated = (keyword_of(call, "momentum") or next(iter(call.args[1:2]), None)) if call is not None else None
    if call is None or not isinstance(stated, ast.Constant) or type(stated.value) is not int:
        return None
    again = ast.unparse(exchanged(call, [(stated, ast.Constant(float(stated.value)))]))
    return "a momentum that is a float", f"the whole number {stated.value}", f"{again}  # in the place of the call"


def _is_python(line: str) -> bool:
    try:
        ast.parse(line)
    except SyntaxError:
        return False
    return True


def _no_device(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """The first of no GPUs."""
    if not isinstance(crash.error, IndexError):
        return None
    for name in (each for each in _names_on(step) if each in step.held and step.held[each] in ([], ())):
        made = _last_assignment(step, name)
        if made is not None and isinstance(made.value, ast.Call) and called(made.value) in DEVICES:
            return "a device in the list, or a line for those that are there", f"{name} is empty: no GPU here", (
                f"if {name}: {step.text}" if _is_python(f"if {name}: {step.text}") else f"Ask first: if {name}:"
            )  # fmt: skip
    return None


def _closed_file(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """Datasets of a file of h5py that its `with` has closed: only what is read within stays."""
    if CLOSED.search(crash.text) is None:
        return None
    for block in (each for each in ast.walk(step.tree) if isinstance(each, ast.With)):
        files = {each.optional_vars.id for each in block.items if isinstance(each.optional_vars, ast.Name)
                 and isinstance(each.context_expr, ast.Call) and called(each.context_expr) == "File"}  # fmt: skip
        kept = [each for each in block.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Subscript)
                and getattr(each.value.value, "id", None) in files]  # fmt: skip
        if kept:
            names = ", ".join(ast.unparse(each.targets[0]) for each in kept)
            fix = "; ".join(f"{ast.unparse(each)}[:]" for each in kept)
            return f"{names} read while the file is open", "datasets of a file that is closed", (
                f"{fix}  # in the block of `with`, in place of line {kept[0].lineno}"
            )  # fmt: skip
    return None


def _no_vocabulary(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """A layer of words in a pipeline that was never adapted: its table is empty when the first batch is read."""
    if NO_TABLE.search(crash.text) is None:
        return None
    layers = {name: each for name, each in {**step.frame.f_globals, **step.held}.items() if is_empty_lookup(each)}
    if len(layers) != 1:
        return None
    name, layer = next(iter(layers.items()))
    wanted, received = f"a {type(layer).__name__} that has a vocabulary", f"{name} without one: it was never adapted"
    for call in (each for each in ast.walk(step.tree) if isinstance(each, ast.Call) and called(each) == "map"):
        texts = _given_in_map(step.tree, call, name)
        if texts and isinstance(call.func, ast.Attribute):
            fix = f"{name}.adapt({ast.unparse(call.func.value)}.map({texts}))  # before line {call.lineno}"
            return wanted, received, fix
    return wanted, received, f"{name}.adapt(train_texts)  # the training texts, before its first use"


def _given_in_map(tree: ast.Module, call: ast.Call, name: str) -> str:
    """Return a function of an element that gives what the function of a map gives a layer, "" where it is not plain."""
    given = call.args[0] if call.args else None
    named = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == getattr(given, "id", "")]
    function = given if isinstance(given, ast.Lambda) else next(iter(named), None)
    uses = [each for each in ast.walk(function or call) if isinstance(each, ast.Call) and called(each) == name]
    if function is None or not uses or not uses[0].args:
        return ""
    texts, arguments = uses[0].args[0], {each.arg for each in function.args.args}
    made = set(names_set(function.body)) - arguments if isinstance(function, ast.FunctionDef) else set()
    is_plain = made.isdisjoint(each.id for each in ast.walk(texts) if isinstance(each, ast.Name))
    return f"lambda {ast.unparse(function.args)}: {ast.unparse(texts)}" if is_plain else ""


def _nested_windows(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """Windows of a dataset, each a dataset itself until it is made a batch."""
    if NESTED.search(crash.text) is None:
        return None
    calls = [node for node in ast.walk(step.tree) if isinstance(node, ast.Call) and called(node) == "window"]
    if not calls:
        return None
    size = keyword_of(calls[0], "size") or (calls[0].args[0] if calls[0].args else None)
    return "windows that are tensors", f"datasets in a dataset, of .window(…) in line {calls[0].lineno}", (
        f".flat_map(lambda window: window.batch({ast.unparse(size) if size is not None else 'size'}))"
        "  # straight after .window(…)"
    )  # fmt: skip


def _states_of_both(crash: Crash, step: TraceStep) -> tuple[str, str, str] | None:
    """An LSTM in both directions has two states of each: five values with the output."""
    call = step.call
    lines = step.on_line(ast.Assign)
    if STATES.search(crash.text) is None or not lines or not isinstance(lines[0].targets[0], ast.Tuple):
        return None
    call = lines[0].value if isinstance(lines[0].value, ast.Call) else call
    layer = step.held.get(call.func.id) if call is not None and isinstance(call.func, ast.Name) else None
    names = [ast.unparse(each) for each in lines[0].targets[0].elts]
    if type(layer).__name__ != "Bidirectional" or len(names) != 3:
        return None
    output, h, c = names
    joined = f"{h}, {c} = keras.layers.Concatenate()([{h}, {h}_back]), keras.layers.Concatenate()([{c}, {c}_back])"
    return f"five names: {output}, and two states of each direction", "three names", (
        f"{output}, {h}, {c}, {h}_back, {c}_back = {ast.unparse(lines[0].value)}; {joined}"
        "  # and a decoder of twice the units"
    )  # fmt: skip
