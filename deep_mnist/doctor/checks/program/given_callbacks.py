"""The callbacks that a call of fit is given, what they go by, and what their makers were not given."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from string import Formatter
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.batch_fixes import function_of
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of, texts_around
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.evidence.live.statements.none_made import none_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

GIVEN_TO_FORMAT = Rule(
    code="P145",
    name="arguments-given-to-format",
    field="fit.callbacks",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Arguments of a callback stand within the brackets of str.format(), which its text does not name.",
    why="format() drops what its text does not name: the callback has its defaults, and says nothing.",
)
NOT_THE_BEST = Rule(
    code="P158",
    name="best-epoch-never-taken",
    field="fit.callbacks",
    severity="note",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The best epoch is saved or waited for, and behind the fit the model is used as the last epoch left it.",
    why="What is measured, predicted or saved is a later epoch than the best one of validation.",
)
USING = ("evaluate", "predict", "save", "save_weights", "export")
# calls that may bring the best epoch back, or bring its file to another program
TAKING = ("load_weights", "load_model", "restore", "read", "latest_checkpoint", "set_weights",
          "get_best_models", "copy", "copyfile", "move", "rename", "load_checkpoint", "load_from_checkpoint",
          "swap_ema_weights", "finalize_variable_values")  # fmt: skip
TAKES_LESS = Rule(
    code="P163",
    name="hook-takes-less",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A method of a callback of one's own does not take what Keras calls it with.",
    why="fit stops with a TypeError where Keras calls it.",
)
PATIENT = 5  # epochs behind the best one, from which they matter
IN_FIT = re.compile(r"on_(epoch|train|batch|train_batch)_(begin|end)")  # which every fit calls
HOOKS = ("on_epoch_", "on_train_", "on_batch_", "on_test_", "on_predict_")  # a callback's methods that Keras calls


def callbacks_of(case: Case) -> list[Any]:
    """Return the callbacks of the call, in order."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    return list(_flat(getattr(stated, "callbacks", stated)))


def _flat(stated: Any) -> Iterator[Any]:
    if isinstance(stated, list | tuple):
        for each in stated:
            yield from _flat(each)
    elif stated is not None:
        yield stated


def is_monitored(case: Case, name: str) -> bool:
    """Whether a callback of the call goes by a value of fit's logs, of train or of validation."""
    return any(getattr(each, "monitor", None) in (name, f"val_{name}") for each in callbacks_of(case))


def nothings_given(case: Case, rule: Rule) -> Iterator[Finding]:
    """Yield a finding of a rule for None in the list of callbacks, and what gave it where the program tells."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    if not isinstance(stated, list | tuple) or None not in stated:
        return
    text = ProgramText(case.frame) if case.frame is not None else None
    made = _made_none(text, list(stated).index(None)) if text is not None else None
    received, fix = "None in the list", "Leave None out of the list of callbacks."
    if text is not None and made is not None:
        call, name = made
        words, fix = none_of(call, name, text.nodes) or (received, fix)
        received = f"None: {words}, at {text.at(call)}"
        fix = _object_alone(text, call) or fix
    yield rule.found(expected="callbacks: objects of their classes", received=received, fix=fix)


def others_given(case: Case, rule: Rule) -> Iterator[Finding]:
    """Yield a finding of a rule for each object that has not what fit calls on every callback before it begins."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    for each in _flat(stated) if isinstance(stated, list | tuple) else ():
        missing = [name for name in ("set_params", "set_model") if not hasattr(each, name)]
        if missing and not isinstance(each, type | dict):
            kind = type(each).__name__
            yield rule.found(
                expected="callbacks: objects of classes that are made of keras.callbacks.Callback",
                received=f"an object of {kind}, which has no {missing[0]}()",
                fix=_of_keras(case, each) or f"Leave the {kind} out of the list of callbacks.",
            )


def _of_keras(case: Case, given: Any) -> str:
    """Return what makes a callback of a function, or of the program's own class; "" of what is neither."""
    text = ProgramText(case.frame) if case.frame is not None else None
    name = getattr(given, "__name__", "")
    if text is None:
        return ""
    if name:
        made = f"keras.callbacks.LambdaCallback(on_epoch_end={name})"
        fit = text.call_on(text.frame.f_lineno, "fit")
        listed = keyword_of(fit, "callbacks") if fit is not None else None
        stated = [each for each in ast.walk(listed or ast.List([])) if isinstance(each, ast.Name) and each.id == name]
        line = text.with_expression(stated[0], ast.parse(made, mode="eval").body) if len(stated) == 1 else ""
        return line or made
    own = [each for each in text.nodes if isinstance(each, ast.ClassDef) and each.name == type(given).__name__]
    if len(own) != 1:
        return ""
    bases = ", ".join([*(ast.unparse(each) for each in own[0].bases), "keras.callbacks.Callback"])
    return f"class {own[0].name}({bases}):  # in place of {text.at(own[0])}"


def _made_none(text: ProgramText, place: int) -> tuple[ast.Call, str] | None:
    """Return the call that the callback at a place of the list is, or was set to, and its name; None where unknown."""
    fit = text.call_on(text.frame.f_lineno, "fit")
    listed = keyword_of(fit, "callbacks") if fit is not None else None
    lineage = Lineage(text)
    if isinstance(listed, ast.Name):
        setting = next(lineage.before(listed.id, place_of(listed)), None)
        listed = setting.value if setting is not None and setting.replaces else None
    if not isinstance(listed, ast.List | ast.Tuple) or place >= len(listed.elts):
        return None
    given, name = listed.elts[place], "the callback"
    if isinstance(given, ast.Name):
        name = given.id
        setting = next(lineage.before(given.id, place_of(given)), None)
        given = setting.value if setting is not None and setting.replaces else given
    return (given, name) if isinstance(given, ast.Call) else None


def _object_alone(text: ProgramText, call: ast.Call) -> str:
    """Return the statement with an object in the place of a call of one of its own methods; "" of another call."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_hook = isinstance(call.func, ast.Attribute) and call.func.attr.startswith(HOOKS)
    return text.with_expression(call, owner) if owner is not None and is_hook else ""


# --- what str.format was given in the place of a callback ---------------------------------------------------


@check(GIVEN_TO_FORMAT)
def check_format(case: Case) -> Iterator[Finding]:
    """Yield each callback some of whose arguments its path's format() takes."""
    text = ProgramText(case.frame) if case.frame is not None and case.call is not None else None
    for made in (node for node in text.nodes if isinstance(node, ast.Call)) if text is not None else ():
        for given in [*made.args, *(each.value for each in made.keywords)]:
            lost = _lost_in_format(text, made, given) if text is not None and isinstance(given, ast.Call) else []
            if text is not None and isinstance(given, ast.Call) and lost:
                yield _lost_found(text, made, given, lost)


def _lost_in_format(text: ProgramText, made: ast.Call, given: ast.Call) -> list[ast.keyword]:
    """Return the keywords of a format() that its text does not name, where the callback around it takes all of them."""
    form = given.func.value if isinstance(given.func, ast.Attribute) and called(given) == "format" else None
    pattern = form.value if isinstance(form, ast.Constant) else held_by(form, text.frame) if form is not None else None
    kind = held_by(made.func, text.frame)
    if not isinstance(pattern, str) or not isinstance(kind, type):
        return []
    if not any(each.__name__ == "Callback" for each in kind.__mro__) or any(
        each.arg is None for each in given.keywords
    ):
        return []
    lost = [each for each in given.keywords if each.arg not in _named_in(pattern)]
    free = {*inspect.signature(kind).parameters} - {each.arg for each in made.keywords}
    return lost if {each.arg for each in lost} <= free else []


def _named_in(pattern: str) -> set[str]:
    """Return what the braces of a text name, before a dot or a bracket."""
    try:
        return {name.split(".")[0].split("[")[0] for _, name, *_ in Formatter().parse(pattern) if name}
    except ValueError:  # a brace alone, which format() refuses
        return set()


def _lost_found(text: ProgramText, made: ast.Call, given: ast.Call, lost: list[ast.keyword]) -> Finding:
    kept = ast.Call(given.func, given.args, [each for each in given.keywords if each not in lost])
    args = [kept if each is given else each for each in made.args]
    keywords = [ast.keyword(each.arg, kept if each.value is given else each.value) for each in made.keywords]
    names = ", ".join(f"{each.arg}=" for each in lost)
    return GIVEN_TO_FORMAT.found(
        expected=f"{names} given to {called(made)}",
        received=f"given to format(), whose text names none of these, at {text.at(given)}",
        fix=text.with_expression(made, ast.Call(made.func, args, [*keywords, *lost]))
        or f"Close the bracket of format() before {names.split(',')[0]}: it belongs to {called(made)}.",
    )


@check(TAKES_LESS)
def check_hooks(case: Case) -> Iterator[Finding]:
    """Yield each method of a callback that cannot be called as Keras calls it."""
    for each in callbacks_of(case):
        for name in filter(IN_FIT.fullmatch, dir(type(each))):
            hook, first = getattr(each, name), [0] if name.split("_")[-2] in ("epoch", "batch") else []
            if not inspect.ismethod(hook) or hook.__func__.__module__.startswith(OF_KERAS):
                continue
            named: dict[str, Any] = {"logs": {}} if name.split("_")[-2] == "batch" else {}
            try:
                inspect.signature(hook).bind(*first, *([] if named else [{}]), **named)
            except TypeError as error:
                takes = ", ".join(["self", *(["epoch" if "epoch" in name else "batch"] if first else []), "logs=None"])
                yield TAKES_LESS.found(
                    expected=f"def {name}({takes})",
                    received=f"{type(each).__name__}.{name}{inspect.signature(hook)}: {error}",
                    fix=_hook_line(case, hook.__func__, f"def {name}({takes}):"),
                )


def _hook_line(case: Case, function: Any, line: str) -> str:
    text, made = function_of(case, function.__code__) or (None, None)
    return f"{line}  # in place of {text.at(made)}" if text and made else f"Let it take what Keras gives it: {line}"


@check(NOT_THE_BEST)
def check_best_taken(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: the first use of the model behind the fit, as the last epoch left it."""
    call, given = case.call, callbacks_of(case)
    if call is None or call.verb != "fit" or case.frame is None or any(map(_restores, given)):
        return
    texts = texts_around(case.frame)
    saving = next((each for each in given if _is_kept(each, "ModelCheckpoint", "save_best_only")), None)
    waiting = next((each for each in given if _is_kept(each, "EarlyStopping", "patience")), None)
    if saving is None and (waiting is None or not isinstance(waiting.patience, int) or waiting.patience < PATIENT):
        return
    if any(text.calls(*TAKING) for text in texts):
        return
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, *USING)
        if use.scope.made_anew:
            return
        if node is not None:
            yield NOT_THE_BEST.found(
                expected="the model of the best epoch, by "
                + (saving.monitor if saving is not None else getattr(waiting, "monitor", "val_loss")),
                received=f"{ast.unparse(node)[:60]}, at {use.scope.text.at(node)}, of the last epoch's"
                + (
                    f"; {called(_maker(texts, 'ModelCheckpoint') or node)} saves the best, and nothing loads it"
                    if saving is not None
                    else f", up to {getattr(waiting, 'patience', 0)} behind the best"
                ),
                fix=_taken(texts, use, saving, ast.unparse(node.func).rpartition(".")[0]),
            )
            return


def _is_kept(callback: Any, kind: str, setting: str) -> bool:
    """Whether a callback is one of Keras's own of a class, goes by validation and has a setting."""
    if type(callback).__name__ != kind or not type(callback).__module__.startswith(OF_KERAS):
        return False
    return bool(getattr(callback, setting, False)) and str(getattr(callback, "monitor", "")).startswith("val_")


def _restores(callback: Any) -> bool:
    """Whether a callback brings the best epoch back, or is the user's own and may do so."""
    own = not type(callback).__module__.startswith(OF_KERAS)
    return own or getattr(callback, "restore_best_weights", False) is True


def _maker(texts: Sequence[ProgramText], kind: str) -> ast.Call | None:
    """Return the only call of a program that makes a callback of a class, None without."""
    calls = [each for text in texts for each in text.calls(kind)]
    return calls[0] if len(calls) == 1 else None


def _taken(texts: Sequence[ProgramText], use: Use, saving: Any, owner: str) -> str:
    """Return the line that takes the best epoch: from the file, or by the callback that waits for it."""
    kind = "EarlyStopping" if saving is None else "ModelCheckpoint"
    made = _maker(texts, kind)
    text = next((each for each in texts if made is not None and any(node is made for node in each.nodes)), None)
    if made is None or text is None:
        return "Give EarlyStopping restore_best_weights=True, or load the best epoch's weights."
    if saving is None:
        line = text.rewritten(made, restore_best_weights=ast.Constant(True))
        return line or "Give EarlyStopping restore_best_weights=True."
    path = argument_of(made, 0, "filepath")
    is_here = text.file == use.scope.text.file and text.around(made) == text.around(use.node)
    if isinstance(path, ast.Constant | ast.Name) and is_here and "{" not in str(getattr(saving, "filepath", "{")):
        return f"{owner}.load_weights({ast.unparse(path)})  # before {text.at(use.statement)}"
    return f"Load the weights that ModelCheckpoint saved, {owner}.load_weights(...), before {text.at(use.statement)}."
