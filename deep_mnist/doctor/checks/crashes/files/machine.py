"""What a program does not find on this machine: files, memory, the network; and text that is no Python 3."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.missing import of_missing
from deep_mnist.doctor.checks.crashes.rules import (
    DOWNLOAD_FAILED,
    DTYPE_REFUSED,
    EXAMPLE_COUNT,
    MEMORY_SPENT,
    NAME_GONE,
    NAME_UNKNOWN,
    NOT_PYTHON_3,
    RESHAPE_SIZE,
    VALUE_OTHER,
)
from deep_mnist.doctor.checks.crashes.source_code import changed_call
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged
from deep_mnist.doctor.finding import Finding

OF_TRAINING = ("compile", "fit", "trainable", "layers", "trainable_variables", "get_layer")
TRAINED_ON = (
    "Make the network anew, in the program that has the SavedModel's code, and save it as .keras or .weights.h5: "
    "keras.layers.TFSMLayer runs a SavedModel, but has no weights to train."
)
TRUSTED = "only of a file that you trust; or write it again as one array of numbers"
CUSTOM = re.compile(r"(?:Could not locate|Unknown) '?(function|class|layer|loss function)'?:? '?(\w+)")
PATH = re.compile(r"""(?<![\w\\])(['"])(?=[^'"]*\\[UuxN])""")  # the beginning of a text with such a backslash
PRINT = re.compile(r"^\s*print\s+[^(=]")
RESHAPE = re.compile(r"cannot reshape array of size (\d+) into shape (\([^)]*\))")
NAMES_3 = {"xrange": "range", "raw_input": "input", "unicode": "str", "reduce": "functools.reduce", "basestring": "str",
           "long": "int", "unichr": "chr", "reload": "importlib.reload",
            "execfile": "exec(open(…).read())"}  # fmt: skip
NO_SUCH_FILE = re.compile(
    r"save_path is not a valid checkpoint: (\S+)|unable to open file: name = '([^']+)', errno = 2|"
    r"^(\S+) not found\.$|\}\} (.+?); No such file or directory|"
    r"Could not find directory (\S+)|File not found: filepath=(\S+?)\. |"
    r"Unsuccessful TensorSliceReader constructor: Failed to find any matching files for (\S+)"
)


def explain_machine(crash: Crash) -> Finding | None:
    """Name a file, memory or a download that is missing, or text that Python 3 cannot read."""
    error = crash.error
    if isinstance(error, FileNotFoundError) and error.filename:
        return of_missing(crash, str(error.filename))
    if (match := NO_SUCH_FILE.search(crash.text)) is not None:
        return of_missing(crash, next(each for each in match.groups() if each))
    if isinstance(error, MemoryError) or type(error).__name__ in ("ResourceExhaustedError", "_ArrayMemoryError"):
        size = re.search(r"Unable to allocate ([\d.]+ \w+)|shape ?(\[[\d,]+\])", crash.text)
        wanted = next((each for each in size.groups() if each), "more than there is") if size else "more than there is"
        return MEMORY_SPENT.found(
            expected="room for the data in memory",
            received=wanted,
            fix="tf.data.Dataset.from_generator, or keras.utils.image_dataset_from_directory  # a batch at a time",
        )
    if isinstance(error, SyntaxError):
        return _syntax(error)
    if isinstance(error, NameError) and (name := getattr(error, "name", None)) in NAMES_3:
        return NAME_GONE.found(
            expected=f"Python 3's {NAMES_3[name]}",
            received=f"{name}, of Python 2, at {crash.place}",
            fix=f"{name} = {NAMES_3[name]}"
            if "(" not in NAMES_3[name] and "." not in NAMES_3[name]
            else f"{NAMES_3[name]}, in the place of {name}",
        )
    if (match := re.search(r"URL fetch failure on (\S+)", crash.text)) is not None:
        return DOWNLOAD_FAILED.found(
            expected=f"to reach {match.group(1)}",
            received="no connection",
            fix="mnist and fashion_mnist are served by the doctor; give other data as files: doctor FOLDER; "
            "weights=None for a network",
        )
    return None


def explain_saved(crash: Crash) -> Finding | None:
    """Name what a saved model needs and load_model does not know: code of one's own, or another reader."""
    step, path = crash.user, crash.find("filepath", "load_model")
    if step is None or path is None:
        return None
    if "File format not supported" in crash.text and (Path(str(path)) / "saved_model.pb").is_file():
        return NAME_GONE.found(
            expected="a .keras or .h5 file",
            received=f"{path}, a folder of TensorFlow's SavedModel, which Keras 3 does not train, at {crash.place}",
            fix=TRAINED_ON
            if _is_trained_on(step)
            else f'keras.layers.TFSMLayer("{path}", call_endpoint="serving_default")',
        )
    if (match := CUSTOM.search(crash.text)) is None:
        return None
    kind, name = match.groups()
    call, known = step.call, name in {**step.frame.f_globals, **step.held}
    given = ast.unparse(call) if call is not None else f'keras.models.load_model("{path}")'
    comment = "" if known else f"  # below the definition of {name}"
    return NAME_UNKNOWN.found(
        expected=f"the {kind} {name} of one's own, with which the model was saved",
        received=f"{given}, without it, at {crash.place}",
        fix=f'{given[:-1]}, custom_objects={{"{name}": {name}}}){comment}',
    )


def _is_trained_on(step: TraceStep) -> bool:
    """Whether what a frame's line loads is compiled, trained or taken apart further below."""
    text = ProgramText(step.frame, step.file)
    statements = (text.statement_of(each) for each in text.calls_on(step.line, "load_model"))
    names = {ast.unparse(each.targets[0]) for each in statements if isinstance(each, ast.Assign)}
    used = (each for each in text.nodes if isinstance(each, ast.Attribute) and each.lineno > step.line)
    return any(each.attr in OF_TRAINING and ast.unparse(each.value) in names for each in used)


def explain_key(crash: Crash) -> Finding | None:
    """Name a metric of a history by its name before Keras 2.3, and rows of a table that are asked for by number."""
    key = crash.error.args[0] if isinstance(crash.error, KeyError) and crash.error.args else None
    step = crash.user
    if step is None or not isinstance(crash.error, KeyError):
        return None
    if key not in ("acc", "val_acc"):
        return _by_position(crash, step)
    new = key.replace("acc", "accuracy")
    line = re.sub(rf"""(['"]){key}\1""", lambda quoted: f"{quoted.group(1)}{new}{quoted.group(1)}", step.text)
    return NAME_GONE.found(
        expected=f"'{new}'", received=f"'{key}', its name before Keras 2.3, at {crash.place}", fix=line
    )


def _by_position(crash: Crash, step: TraceStep) -> Finding | None:
    """Name places of rows, such as those of KFold, that a table of pandas takes for labels of its index."""
    held = {**step.frame.f_globals, **step.held}
    statement = min((each for each in ast.walk(step.tree) if isinstance(each, ast.Assign | ast.Expr | ast.Return)
                     and each.lineno <= step.line <= (each.end_lineno or 0)),
                    key=lambda each: (each.end_lineno or 0) - each.lineno, default=None)  # fmt: skip
    asked = [each for each in ast.walk(statement or step.tree) if isinstance(each, ast.Subscript)]
    found = [each for each in asked if isinstance(each.value, ast.Name) and isinstance(each.slice, ast.Name)
             and _are_places(held.get(each.value.id), held.get(each.slice.id))]  # fmt: skip
    if statement is None or not found:
        return None
    rows = [ast.Subscript(ast.Attribute(each.value, "iloc", ast.Load()), each.slice, each.ctx) for each in found]
    return VALUE_OTHER.found(
        expected=f"labels of the index of {ast.unparse(found[0].value)}, which is no plain 0, 1, 2, …",
        received=f"{ast.unparse(found[0].slice)}, which counts rows by their place, at {crash.place}",
        fix=f"{ast.unparse(exchanged(statement, zip(found, rows, strict=True)))}  # in place of {crash.place}",
    )


def _are_places(table: Any, places: Any) -> bool:
    """Whether whole numbers may count the rows of a table, and are not all labels of its index or columns."""
    numbers = np.asarray(places if isinstance(places, list | int | np.ndarray | np.integer) else [])
    if not hasattr(table, "iloc") or numbers.dtype.kind not in "iu" or not numbers.size or numbers.max() >= len(table):
        return False
    if table.ndim == 2 and not numbers.ndim:
        return False  # one column, perhaps
    labels = table.index if table.ndim == 1 else table.columns
    return not set(np.atleast_1d(numbers).tolist()) <= set(labels)


def _trusting(crash: Crash) -> str:
    """Return the call that reads the objects of a file, as it stands in the program where only one may have."""
    step, loads = crash.user, []
    if step is not None:
        text = ProgramText(step.frame)
        lineage, at = Lineage(text), (step.line, 0)
        used = [each for each in text.nodes if isinstance(each, ast.expr) and each.lineno == step.line]
        behind = [value for node in used for value in lineage.of(node, at)]
        loads = [each for each in calls_in(behind, "load") if _is_of_numpy(each, step)]
    if len(loads) != 1:
        return f"np.load(path, allow_pickle=True)  # {TRUSTED}"
    return f"{changed_call(loads[0], {'allow_pickle': 'True'})}  # in line {loads[0].lineno}; {TRUSTED}"


def _is_of_numpy(call: ast.Call, step: TraceStep) -> bool:
    owner = step.named(getattr(getattr(call.func, "value", None), "id", ""))
    return getattr(owner, "__name__", "") == "numpy"


def explain_arrays(crash: Crash) -> Finding | None:
    """Name a reshape, an unpacking or a file of numpy that does not hold."""
    if (match := RESHAPE.search(crash.text)) is not None:
        return _reshape(crash, int(match.group(1)), match.group(2))
    if "Object arrays cannot be loaded when allow_pickle=False" in crash.text:
        return DTYPE_REFUSED.found(
            "train",
            expected="one array of numbers in the file",
            received="Python objects, which may run code when they are read",
            fix=_trusting(crash),
        )
    unpacked = re.search(r"(?:too many|not enough) values to unpack \(expected (\d+)(?:, got (\d+))?\)", crash.text)
    if unpacked is not None and crash.user is not None and "load_data" in crash.user.text:
        return EXAMPLE_COUNT.found(
            "train",
            expected="two pairs out of load_data()",
            received=crash.user.text,
            fix="(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()",
        )
    return None


def _reshape(crash: Crash, size: int, target: str) -> Finding:

    numbers = [int(each) for each in re.findall(r"-?\d+", target)]
    inner = numbers[1:] if len(numbers) > 1 else numbers
    held = math.prod(abs(each) for each in inner)
    array = crash.user.text.partition(".reshape")[0].rpartition("=")[2].strip() if crash.user is not None else "x"
    array = array if re.fullmatch(r"[\w.\[\]]+", array) else "x"
    if held and size % held == 0:
        fix = f"{array}.reshape({', '.join(map(str, (-1, *inner)))})  # {size // held} of them"
    elif inner and size % (flat := math.prod(inner[:-1])) == 0 and numbers[0] in (-1, size // flat):
        fix = f"{array}.reshape({', '.join(map(str, (-1, *inner[:-1], 1)))})  # {size // flat} of one channel"
    else:
        sides = " x ".join(map(str, inner))
        fix = f"{array}.reshape(len({array}), -1)  # {size} values are no multiple of {sides} = {held}"
    return RESHAPE_SIZE.found(
        "train",
        field="images.shape",
        expected=f"as many values as {target} holds",
        received=f"{size} at {crash.place}",
        fix=fix,
    )


# What Python 3 says of source that Python 2 reads, or such source itself.
ONLY_PYTHON_2 = re.compile(
    r"Missing parentheses in call|leading zeros in decimal|invalid decimal literal\n.*\d[lL]\b|^exec\s+[^=(]|<>|`|"
    r"\bur['\"]|^raise\s+\w+\s*,",
    re.M,
)


def _syntax(error: SyntaxError) -> Finding:
    line = (error.text or "").strip()
    if PRINT.match(line) or "Missing parentheses in call to 'print'" in str(error):
        rest = re.sub(r"^print\s+", "", line)
        return NOT_PYTHON_3.found(expected="Python 3", received=f"line {error.lineno}: {line}", fix=f"print({rest})")
    if "unicodeescape" in str(error) and (raw := PATH.sub(r"r\1", line, count=1)) != line:
        return NOT_PYTHON_3.found(
            expected="a raw text, r'…', where a backslash is meant as it stands",
            received=f"line {error.lineno}: {line}",
            fix=f"{raw}  # in place of line {error.lineno}",
        )
    if isinstance(error, TabError | IndentationError):
        return NOT_PYTHON_3.found(
            expected="lines indented alike",
            received=f"line {error.lineno}: {error.msg}",
            fix="Indent each block by four spaces, without tabs.",
        )
    if re.search(r"except\s+[\w.]+\s*,\s*\w+\s*:", line):
        mended = re.sub(r"except\s+([\w.]+)\s*,\s*(\w+)", r"except \1 as \2", line)
        return NOT_PYTHON_3.found(expected="Python 3", received=f"line {error.lineno}: {line}", fix=mended)
    if ONLY_PYTHON_2.search(f"{error.msg}\n{line}"):
        return NOT_PYTHON_3.found(
            expected="Python 3", received=f"line {error.lineno}: {line}", fix="2to3 -w, for a script of Python 2."
        )
    return NOT_PYTHON_3.found(
        expected="Python that can be read",
        received=f"{error.msg} in line {error.lineno}: {line}",
        fix="Correct that line, or one above it.",
    )
