"""Check of a scaler, encoder or tokenizer that a function of the program fits on what it then predicts.

The function holds no fit of a network, and predicts by the one that is trained: train's data were prepared elsewhere.
A function that turns its predictions back by the very scaler it has made scales each series by itself, and means it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import (
    ProgramText,
    argument_of,
    called,
    holds,
    keyword_of,
    texts_around,
)
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LEARNING = (
    "Vectorizer", "Tokenizer", "TextVectorization", "StringLookup", "IntegerLookup", "Encoder", "LabelBinarizer",
    "Scaler", "Imputer", "PCA", "SVD", "PowerTransformer", "QuantileTransformer", "Discretizer", "Normalization",
    "Discretization",
)  # fmt: skip
NOT_LEARNING = ("HashingVectorizer",)
STATED = ("categories", "classes", "vocabulary", "mean")  # arguments that leave nothing to learn
AT_ONCE = "fit_transform"
FITTING = (AT_ONCE, "fit", "fit_on_texts", "adapt")
PREDICTING = ("predict", "predict_on_batch", "predict_proba", "predict_classes")
TRAINING = ("fit", "compile", "train_on_batch", "fit_generator", "apply_gradients", "minimize")
LOADING = ("load_model", "model_from_json", "from_pretrained")

FITTED_ANEW = Rule(
    code="S176",
    name="fitted-on-what-is-predicted",
    field="splits.preparation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A function that predicts fits a scaler, encoder or tokenizer on what it is given, in place of train's.",
    why="The numbers mean something else than in training: of one row, a scaler makes 0, a tokenizer the first words.",
)


class AnewFitting(NamedTuple):
    """A fit within a function that predicts.

    Attributes:
        call: Of fit_transform(), fit(), fit_on_texts() or adapt().
        owner: What is fitted, as the program calls it; its making, where that stands in its place.
        made: The call that makes it within the function, None of one that is there before.
        kind: Of its class.
    """

    call: ast.Call
    owner: ast.expr
    made: ast.Call | None
    kind: str


@check(FITTED_ANEW)
def check_fitted_anew(case: Case) -> Iterator[Finding]:
    """Yield a finding for each fit, in any function of the program."""
    if case.call is None or case.call.verb != "fit":
        return
    told: set[int] = set()
    for text in texts_around(case.frame):
        for function, fitting in _fitted_in(text, case):
            if id(fitting.call) not in told and _is_fitted_elsewhere(text, function, fitting):
                told.add(id(fitting.call))
                yield _found(text, function, fitting)


def _fitted_in(text: ProgramText, case: Case) -> Iterator[tuple[ast.FunctionDef, AnewFitting]]:
    """Yield what functions fit that predict, and functions that these, or the module behind the fit, prepare by."""
    functions = [each for each in text.nodes if isinstance(each, ast.FunctionDef)]
    predicting = {id(each): [*_predictions(text, each, case)] for each in functions}
    behind = [*_predictions_of_module(text, case)]
    for function in functions:
        for given in predicting[id(function)]:
            yield from ((function, each) for each in _fittings(text, function, given))
    blocks = [(Lineage(text, each.body), given) for each in functions for given in predicting[id(each)]]
    module = Lineage(text, getattr(text.tree, "body", []))
    told = set[str]()
    for lineage, given in (*blocks, *((module, each) for each in behind)):
        users = [each for each in functions if predicting[id(each)]]
        for call in _own_calls(lineage, given):
            helper = lineage.function(called(call))
            if helper is None or helper.name in told or not _serves(text, helper, users):
                continue
            told.add(helper.name)
            returned = [each.value for each in ast.walk(helper) if isinstance(each, ast.Return) and each.value]
            yield from ((helper, each) for value in returned for each in _fittings(text, helper, value))


def _predictions_of_module(text: ProgramText, case: Case) -> Iterator[ast.expr]:
    """Yield what predict() of the trained network is given at the module's level, behind a fit that stands there."""
    if text.frame.f_code.co_name != "<module>" or text.file != text.frame.f_code.co_filename:
        return
    for call in text.calls(*PREDICTING):
        given = argument_of(call, 0, "x")
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if (
            owner is not None
            and given is not None
            and call.lineno > text.frame.f_lineno
            and not _function_of(text, call)
        ):
            if case.call is not None and text.value_of(owner) is case.call.model:
                yield given


def _function_of(text: ProgramText, node: ast.expr) -> ast.FunctionDef | None:
    return next((each for each in text.nodes if isinstance(each, ast.FunctionDef) and holds(each, node)), None)


def _own_calls(lineage: Lineage, given: ast.expr) -> list[ast.Call]:
    nodes = [each for value in lineage.of(given, place_of(given)) for each in ast.walk(value)]
    return [each for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]


def _serves(text: ProgramText, helper: ast.FunctionDef, users: list[ast.FunctionDef]) -> bool:
    """Whether a function prepares nothing but what is predicted: its calls lie behind the fit, or in those of users."""
    if calls_in(helper.body, *PREDICTING) or any(
        not _learns(text, helper, c) for c in calls_in(helper.body, *TRAINING)
    ):
        return False
    is_module = text.frame.f_code.co_name == "<module>" and text.file == text.frame.f_code.co_filename
    return all(
        any(holds(each, call) for each in users)
        or (is_module and call.lineno > text.frame.f_lineno and _function_of(text, call) is None)
        for call in text.calls(helper.name)
    )


def _predictions(text: ProgramText, function: ast.FunctionDef, case: Case) -> Iterator[ast.expr]:
    """Yield what predict() of the trained network is given in a function that trains none."""
    for each in calls_in(function.body, *TRAINING):
        if not _learns(text, function, each) and isinstance(each.func, ast.Attribute):
            if _is_network(text, function, each.func.value, case) is not False:
                return
    for each in calls_in(function.body, *PREDICTING):
        given = argument_of(each, 0, "x")
        if isinstance(each.func, ast.Attribute) and given is not None:
            if _is_network(text, function, each.func.value, case):
                yield given


def _learns(text: ProgramText, function: ast.FunctionDef, call: ast.Call) -> bool:
    """Whether a call of fit is that of a transformer."""
    return called(call) in FITTING and _fitting(text, Lineage(text, function.body), call) is not None


def _is_network(text: ProgramText, function: ast.FunctionDef, owner: ast.expr, case: Case) -> bool | None:
    """Return whether an expression in a function is the network of the fit or one that is loaded, None if unknown."""
    model = case.call.model if case.call is not None else None
    if isinstance(owner, ast.Attribute):
        holders = [held for frame in users_frames(case.frame)
                   for held in (*frame.f_locals.values(), *frame.f_globals.values())]  # fmt: skip
        return True if any(getattr(each, "__dict__", {}).get(owner.attr) is model for each in holders) else None
    if not isinstance(owner, ast.Name):
        return None
    setting = next(Lineage(text, function.body).before(owner.id, place_of(owner)), None)
    if setting is not None:
        return bool(calls_in([setting.value], *LOADING)) or None
    names = [each.arg for each in function.args.args]
    if owner.id not in names:
        return text.value_of(owner) is model
    given = [argument_of(each, names.index(owner.id), owner.id) for each in text.calls(function.name)]
    return any(each is not None and text.value_of(each) is model for each in given) or None


def _fittings(text: ProgramText, function: ast.FunctionDef, given: ast.expr) -> Iterator[AnewFitting]:
    """Yield what is fitted in a function on what becomes an expression of it, and on nothing else."""
    lineage = Lineage(text, function.body)
    values = lineage.of(given, place_of(given))
    nodes = [each for value in values for each in ast.walk(value) if isinstance(each, ast.Call)]
    for call in calls_in(function.body, *FITTING):
        fitting = _fitting(text, lineage, call)
        if fitting is None or not _is_of_a_parameter(lineage, function, call):
            continue
        at_once = called(call) == AT_ONCE and any(each is call for each in nodes)
        if (at_once or any(_transforms(fitting, each) for each in nodes)) and not _turns_back(function, fitting):
            yield fitting


def _fitting(text: ProgramText, lineage: Lineage, call: ast.Call) -> AnewFitting | None:
    """Return a call as a fit of what learns from data, None of any other."""
    if not isinstance(call.func, ast.Attribute) or not call.args:
        return None
    owner = call.func.value
    made = owner if isinstance(owner, ast.Call) else None
    if isinstance(owner, ast.Name) and (setting := next(lineage.before(owner.id, place_of(call)), None)) is not None:
        made = setting.value if isinstance(setting.value, ast.Call) else None
        if made is None:
            return None
    statement = text.statement_of(call)
    if made is owner and isinstance(statement, ast.Assign) and statement.value is call:
        owner = statement.targets[0]  # scaler = StandardScaler().fit(x)
    kind = called(made) if made is not None else type(_held(text, owner)).__name__
    is_stated = made is not None and any(keyword_of(made, each) is not None for each in STATED)
    if is_stated or not kind.endswith(LEARNING) or kind in NOT_LEARNING:
        return None
    return AnewFitting(call, owner, made, kind)


def _held(text: ProgramText, owner: ast.expr) -> Any:
    """Return what a name, or an attribute of the object whose method is run, stands for; None of others."""
    if isinstance(owner, ast.Attribute):
        holder = text.value_of(owner.value)
        return getattr(holder, "__dict__", {}).get(owner.attr)
    return text.value_of(owner)


def _is_of_a_parameter(lineage: Lineage, function: ast.FunctionDef, call: ast.Call) -> bool:
    """Whether a fit is on what the function is given, or asks for."""
    given = lineage.of(call.args[0], place_of(call))
    parameters = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)} - {"self", "cls"}
    names = {name for each in given for name in names_in(each)}
    turned = any(isinstance(each, ast.Attribute) and each.attr == "T" for value in given for each in ast.walk(value))
    return bool(names & parameters or calls_in(given, "input")) and not turned


def _transforms(fitting: AnewFitting, call: ast.Call) -> bool:
    """Whether a call transforms, by what was fitted, the very data that it was fitted on."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    names = ("transform", "texts_to_sequences", "texts_to_matrix")
    is_use = called(call) in names if isinstance(call.func, ast.Attribute) else called(fitting.call) == "adapt"
    if not is_use or ast.unparse(owner) != ast.unparse(fitting.owner) or not call.args:
        return False
    return ast.unparse(call.args[0]) == ast.unparse(fitting.call.args[0])


def _turns_back(function: ast.FunctionDef, fitting: AnewFitting) -> bool:
    """Whether a function turns numbers back by what it has made itself."""
    back = calls_in(function.body, "inverse_transform")
    owners = [ast.unparse(each.func.value) for each in back if isinstance(each.func, ast.Attribute)]
    returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None]
    parts = [part for each in returned for part in (each, *ast.iter_child_nodes(each))]
    given_back = any(isinstance(each, ast.Name) and each.id == ast.unparse(fitting.owner) for each in parts)
    return fitting.made is not None and (ast.unparse(fitting.owner) in owners or given_back)


def _is_fitted_elsewhere(text: ProgramText, function: ast.FunctionDef, fitting: AnewFitting) -> bool:
    """Whether the program fits such a one for train's data: once, and not for each of many series or folds."""
    if fitting.made is None:
        return True
    makers = [each for each in text.calls(fitting.kind) if not holds(function, each)]
    loops = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp)
    around = [each for each in text.nodes if isinstance(each, loops)]
    return any(not any(holds(loop, each) for loop in around) for each in makers)


def _found(text: ProgramText, function: ast.FunctionDef, fitting: AnewFitting) -> Finding:
    return FITTED_ANEW.found(
        "test",
        expected=f"the {fitting.kind} as train's data fitted it",
        received=f"`{ast.unparse(fitting.call)}` at {text.at(fitting.call)}, in {function.name}(), fits "
        f"{'a new one' if fitting.made is not None else 'it again'} on what is to be predicted",
        fix=_fix(text, fitting)
        or f"Let {function.name}() use the {fitting.kind} that was fitted on train's data, and fit none there.",
    )


def _fix(text: ProgramText, fitting: AnewFitting) -> str:
    """Return the statements of the function by the transformer of train; "" where that is not clear."""
    name, call, made = _name_of_trains(text, fitting), fitting.call, fitting.made
    statement = text.statement_of(call)
    if not name or statement is None:
        return ""
    owner = ast.parse(name, mode="eval").body
    if called(call) == AT_ONCE:
        return text.with_expression(call, ast.Call(ast.Attribute(owner, "transform", ast.Load()), call.args, []))
    if made is not None and holds(call, made):  # scaler = StandardScaler().fit(x)
        return text.with_expression(call, owner)
    if not isinstance(statement, ast.Expr) or statement.value is not call:
        return ""
    body, _, place = text.in_place("pass", statement).partition("  # ")
    first = text.with_expression(made, owner) if made is not None else ""
    return f"{first}, and {place}: {body}" if first else f"{body}  # {place}" if made is None else ""


def _name_of_trains(text: ProgramText, fitting: AnewFitting) -> str:
    """Return the module's only name of a transformer of a kind, or the one that is fitted; "" where it is not clear."""
    if fitting.made is None:
        return ast.unparse(fitting.owner)
    space = text.frame.f_globals
    names = [name for name, each in space.items() if type(each).__name__ == fitting.kind]
    return names[0] if len(names) == 1 else ""
