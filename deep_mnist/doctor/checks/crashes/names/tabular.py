"""Names and arguments of an older pandas or scikit-learn by those of today, in the user's own line."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.names.libraries import library_of
from deep_mnist.doctor.checks.crashes.rules import ARGUMENT_GONE, NAME_GONE
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

LIBRARIES = ("pandas", "sklearn")
UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")
BY_PLACE = re.compile(
    r"takes (?:from \d+ to )?\d+ positional arguments? but \d+ were given|too many positional arguments"
)

OFFSET = re.compile(r"'(\w+)' is no longer supported for offsets\. Please use '(\w+)' instead")

# What stands for an argument today: {0} is its value, "" where it is left out.
ARGUMENTS = {
    "error_bad_lines": 'on_bad_lines="skip"', "warn_bad_lines": "", "delim_whitespace": r"sep='\s+'",
    "infer_datetime_format": "", "mangle_dupe_cols": "", "sparse": "sparse_output={0}", "line_terminator":
    "lineterminator={0}", "sheetname": "sheet_name={0}", "parse_cols": "usecols={0}",
    "n_folds": "n_splits={0}",
}  # fmt: skip
# By place in an older version, where that is no more today's order.
OLD_ORDER: dict[str, tuple[str, ...]] = {"pivot": ("index", "columns", "values"), "fillna": (), "rename": (),
                                         "replace": ()}  # fmt: skip
ATTRIBUTES = {
    "get_value": "{0}.at[{1}]", "applymap": "{0}.map({1})", "get_values": "{0}.to_numpy()", "nonzero":
    "{0}.to_numpy().nonzero()", "sort": "{0}.sort_values({1})", "order": "{0}.sort_values({1})",
    "pad": "{0}.ffill({1})", "backfill": "{0}.bfill({1})", "as_matrix": "{0}.to_numpy()",
    "week": "{0}.isocalendar().week", "weekofyear": "{0}.isocalendar().week",
    "mad": "({0} - {0}.mean()).abs().mean()", "get_feature_names": "{0}.get_feature_names_out({1})",
    "std_": "{0}.scale_", "grid_scores_": "{0}.cv_results_",
}  # fmt: skip
FILLS = {"ffill": "ffill", "pad": "ffill", "bfill": "bfill", "backfill": "bfill"}


def explain_tabular(crash: Crash) -> Finding | None:
    """Name what is gone from pandas or scikit-learn, and the user's line with what is there today."""
    step = crash.user
    if step is None:
        return None
    if isinstance(crash.error, AttributeError):
        return _attribute(crash, step)
    if (match := OFFSET.search(crash.text)) is not None:
        return _offset(crash, step, match[1], match[2])
    call = step.call
    if not isinstance(crash.error, TypeError) or call is None:
        return None
    if (match := UNEXPECTED.search(crash.text)) is not None:
        return _argument(crash, step, call, match[1])
    return _by_place(crash, step, call) if BY_PLACE.search(crash.text) else None


def _offset(crash: Crash, step: TraceStep, old: str, new: str) -> Finding | None:
    """`resample("M")`: the end of months is "ME" today."""
    texts = [each for each in step.on_line(ast.Constant) if isinstance(each.value, str) and each.value.endswith(old)]
    if len(texts) != 1:
        return None
    again = repr(str(texts[0].value).removesuffix(old) + new)
    return crash.found(
        NAME_GONE, f"{again}, as pandas calls it today", repr(texts[0].value), line_changed(step, [(texts[0], again)])
    )


def _is_of(value: Any) -> bool:
    """Whether an object, or a function, is of one of the libraries."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).partition(".")[0] in LIBRARIES


def _attribute(crash: Crash, step: TraceStep) -> Finding | None:
    name, held = getattr(crash.error, "name", None), getattr(crash.error, "obj", None)
    nodes = [each for each in step.on_line(ast.Attribute) if each.attr == name]
    if not isinstance(name, str) or len(nodes) != 1 or held is None or not _is_of(type(held)):
        return None
    node = nodes[0]
    call = next((each for each in step.on_line(ast.Call) if each.func is node), None)
    owner = ast.unparse(node.value)
    given = ", ".join(map(ast.unparse, [*call.args, *call.keywords])) if call is not None else ""
    if name == "append" and call is not None and call.args:
        new = _joined(step, owner, type(held).__name__, call)
    elif name == "set_value" and call is not None and len(call.args) == 3:
        new = f"{owner}.at[{', '.join(map(ast.unparse, call.args[:2]))}] = {ast.unparse(call.args[2])}"
    elif name == "ix":
        new = f"{owner}.{'iloc' if _is_by_number(step, node) else 'loc'}"
    elif name == "as_matrix" and call is not None and (call.args or call.keywords):
        columns = call.args[0] if call.args else call.keywords[0].value
        new = f"{owner}[{ast.unparse(columns)}].to_numpy()"
    elif name in ATTRIBUTES:
        new = ATTRIBUTES[name].format(owner, given)
    else:
        return None
    return NAME_GONE.found(
        expected=f"what was {owner}.{name}",
        received=f"none of this name in {library_of(type(held).__module__)}, at {crash.place}",
        fix=line_changed(step, [(call or node, new)]),
    )


def _is_by_number(step: TraceStep, node: ast.Attribute) -> bool:
    """Whether columns are asked for by their number: `table.ix[:, 3]`."""
    asked = next((each.slice for each in step.on_line(ast.Subscript) if each.value is node), None)
    columns = asked.elts[1:] if isinstance(asked, ast.Tuple) else []
    return any(isinstance(getattr(each, "value", None), int) for part in columns for each in ast.walk(part))


def _joined(step: TraceStep, owner: str, kind: str, call: ast.Call) -> str:
    """Return the code that joins a table and rows, which were appended as a table, column, dictionary or list."""
    rows, value = ast.unparse(call.args[0]), held_by(call.args[0], step.frame)
    if isinstance(call.args[0], ast.Dict) or isinstance(value, dict):
        rows = f"pd.DataFrame([{rows}])"
    elif isinstance(call.args[0], ast.List) or isinstance(value, list):
        rows = f"*{rows}"
    elif type(value).__name__ == "Series" and kind != "Series":
        rows = f"{rows}.to_frame().T"
    kept = "".join(f", {ast.unparse(each)}" for each in call.keywords)
    return f"pd.concat([{owner}, {rows}]{kept})"


def _argument(crash: Crash, step: TraceStep, call: ast.Call, name: str) -> Finding | None:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    value, target = keyword_of(call, name), called(call)
    if value is None or not _is_of_library(crash, step, call):
        return None
    kept = [each for each in call.keywords if each.arg != name]
    if target == "fillna" and name == "method" and owner is not None:
        way = FILLS.get(getattr(value, "value", ""), "")
        named = [each for each in kept if each.arg != "value"]
        told, new = f".{way}()", ast.unparse(ast.Call(ast.Attribute(owner, way, ast.Load()), [], named)) if way else ""
    elif name == "categorical_features":
        made = ast.unparse(ast.Call(call.func, call.args, kept))
        told = "a ColumnTransformer"
        step_of_it = f"('onehot', {made}, {ast.unparse(value)})"
        new = f"ColumnTransformer([{step_of_it}], remainder='passthrough', sparse_threshold=0)"
    else:
        told, new = _today(call, kept, name, value)
    if not new:
        return None
    first = "from sklearn.compose import ColumnTransformer; " if name == "categorical_features" else ""
    return ARGUMENT_GONE.found(
        expected=f"{target} with {told} for {name}",
        received=f"{name}, of an older version, at {crash.place}",
        fix=first + line_changed(step, [(call, new)]),
    )


def _today(call: ast.Call, kept: list[ast.keyword], name: str, value: ast.expr) -> tuple[str, str]:
    """Return today's arguments for one or more of old, and the call with them; "" where they are not known."""
    if name == "squeeze":
        return '.squeeze("columns")', f'{ast.unparse(ast.Call(call.func, call.args, kept))}.squeeze("columns")'
    if name not in ARGUMENTS:
        return "", ""
    old = [each for each in (ast.keyword(name, value), *kept) if each.arg in ARGUMENTS]
    texts = [
        ARGUMENTS[each.arg or ""].format(ast.unparse(each.value))
        for each in old
        if each.arg != "error_bad_lines" or not getattr(each.value, "value", False)
    ]
    others = [ast.unparse(each) for each in (*call.args, *kept) if each not in old]
    told = ", ".join(each for each in texts if each)
    return told or "nothing", f"{ast.unparse(call.func)}({', '.join(each for each in (*others, *texts) if each)})"


def _is_of_library(crash: Crash, step: TraceStep, call: ast.Call) -> bool:
    """Whether what is called is of one of the libraries: by its name, by its object, or by what else the error saw."""
    function = held_by(call.func, step.frame)
    if function is not None:
        return _is_of(inspect.unwrap(function) if callable(function) else function)
    names = r"^(?:NDFrame|DataFrame|Series|StringMethods|DataFrameGroupBy|SeriesGroupBy)\.|OneHotEncoder"
    return re.search(names, crash.text) is not None


def _by_place(crash: Crash, step: TraceStep, call: ast.Call) -> Finding | None:
    """Arguments by their place that are taken by name alone."""
    function = held_by(call.func, step.frame)
    if not callable(function) or not _is_of_library(crash, step, call):
        return None
    parameters = list(inspect.signature(function).parameters.values())
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    places = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
    by_name = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    names = OLD_ORDER.get(called(call), by_name)
    extra = call.args[places:]
    taken = [each.arg for each in call.keywords]
    if len(extra) > len(names) or any(name in taken or name not in by_name for name in names[: len(extra)]):
        return None
    named = [ast.keyword(name, value) for name, value in zip(names, extra, strict=False)]
    told = ", ".join(map(ast.unparse, named))
    new = ast.unparse(ast.Call(call.func, call.args[:places], [*named, *call.keywords]))
    return ARGUMENT_GONE.found(
        expected=f"{called(call)} with {told} by name",
        received=f"{', '.join(map(ast.unparse, extra))} by place, as an older version took it, at {crash.place}",
        fix=line_changed(step, [(call, new)]),
    )
