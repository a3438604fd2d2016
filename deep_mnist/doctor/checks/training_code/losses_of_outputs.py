"""Losses of one's own, one for each of several outputs: told by their source, as each has targets of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines, lines_of
from deep_mnist.doctor.checks.training_code.own_loss_rules import OF_LAST_ROUND, SWAPPED
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial, of_compiled
from deep_mnist.doctor.evidence.live.source_text import COMPREHENSIONS, ProgramText, called
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check

# Of which the order matters; the divergence of Kullback and Leibler is used in both directions.
ORDERED = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
           "binary_focal_crossentropy", "categorical_focal_crossentropy")  # fmt: skip


def swapped_in_outputs(case: Case) -> Iterator[Finding]:
    """Yield the losses of outputs that give a cross-entropy of Keras the predictions first, and never second."""
    if not case.contract.outputs or step_of(case) is not None:
        return
    for trial in _trials(case):
        lines = lines_of(case, trial)
        if name := _turned(lines):
            yield SWAPPED.found(
                expected=f"{name}(y_true, y_pred): targets first",
                received=f"{trial.name}, the loss of an output, gives it the predictions first",
                fix=lines.with_arguments_swapped(),
            )


@check(OF_LAST_ROUND)
def check_losses_of_a_loop(case: Case) -> Iterator[Finding]:
    """Yield functions of one text, made in a loop, that all read the loop's variable when they are called."""
    functions = [each for each in _stated(case) if isinstance(each, FunctionType)]
    codes = {each.__code__ for each in functions}
    if len(functions) < 2 or len({id(each) for each in functions}) < len(functions) or len(codes) > 1:
        return
    if case.frame is None or len({_cells(each) for each in functions}) > 1:
        return
    code = functions[0].__code__
    text = ProgramText(case.frame, code.co_filename)
    name = next((each for each in (*code.co_freevars, *code.co_names) if each in _loop_names(text, code)), None)
    if name is None:
        return
    value = {**functions[0].__globals__, **dict(zip(code.co_freevars, _values(functions[0]), strict=True))}.get(name)
    yield OF_LAST_ROUND.found(
        expected=f"a loss of its own {name} for each of {len(functions)} outputs",
        received=f"{name} = {value!r} in all of them, the last of the loop",
        fix=_with_default(text, code, name),
    )


def _stated(case: Case) -> list[Any]:
    stated = getattr(case.call.model, "loss", None) if case.call is not None else None
    return (
        list(stated.values()) if isinstance(stated, dict) else list(stated) if isinstance(stated, list | tuple) else []
    )


def _cells(function: FunctionType) -> tuple[Any, ...]:
    """Return what tells a function from another of its text: the cells it reads, and its defaults."""
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return tuple(id(each) for each in (*(function.__closure__ or ()), *defaults))


def _values(function: FunctionType) -> list[Any]:
    return [each.cell_contents for each in function.__closure__ or ()]


def _loop_names(text: ProgramText, code: CodeType) -> set[str]:
    """Return the names that the loops and comprehensions around a function's text give a value in every round."""
    line = code.co_firstlineno
    loops = [each for each in text.nodes if isinstance(each, (ast.For, *COMPREHENSIONS))
             and each.lineno <= line <= (each.end_lineno or line)]  # fmt: skip
    targets = [each.target for each in loops if isinstance(each, ast.For)]
    targets += [part.target for each in loops if not isinstance(each, ast.For) for part in each.generators]
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _with_default(text: ProgramText, code: CodeType, name: str) -> str:
    """Return the lambda, or the head of the function, that keeps the value of its round as a default."""
    for each in text.nodes:
        is_it = isinstance(each, ast.FunctionDef | ast.Lambda) and each.lineno == code.co_firstlineno
        if (
            is_it
            and isinstance(each, ast.FunctionDef | ast.Lambda)
            and not each.args.vararg
            and not each.args.kwonlyargs
        ):
            parameters = ast.parse(f"lambda {ast.unparse(each.args)}, {name}={name}: 0", mode="eval").body
            if isinstance(each, ast.Lambda) and isinstance(parameters, ast.Lambda):
                return text.with_expression(each, ast.Lambda(parameters.args, each.body))
            return f"def {code.co_name}({ast.unparse(each.args)}, {name}={name}):  # {IN_PLACE} {text.at(each)}"
    return f"Give the function {name} as a default, {name}={name}, or make it in a function of its own."


def _trials(case: Case) -> list[LossTrial]:
    """Return the user's own losses among those of compile(), each once."""
    found = [of_compiled(SimpleNamespace(loss=each)) for each in {id(each): each for each in _stated(case)}.values()]
    return [each for each in found if each is not None]


def _turned(lines: LossLines) -> str:
    """Return the cross-entropy that is called with both parameters exchanged, "" where it is called rightly, too."""
    calls = [each for of in lines.statements for each in ast.walk(of) if isinstance(each, ast.Call)]
    due = [(called(each), [getattr(given, "id", "") for given in each.args[:2]]) for each in calls]
    due = [each for each in due if each[0] in ORDERED and sorted(each[1]) == sorted(lines.parameters)]
    names = [name for name, given in due if given == [*lines.parameters[::-1]]]
    return names[0] if names and len(names) == len(due) and len(lines.parameters) == 2 else ""
