"""Check of a step that updates several networks: an optimizer of Keras's knows only those that it began with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.several_fits import OTHER_VARIABLES
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.own_training import path_of
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import check


@check(OTHER_VARIABLES)
def check_step_has_its_optimizers(case: Case) -> Iterator[Finding]:
    """Yield an optimizer that one step gives the variables of two networks, one after the other."""
    step = step_of(case)
    if step is None:
        return
    known: dict[int, list[Any]] = {}
    for optimizer, variables in step.first.updates:
        began = getattr(optimizer, "_trainable_variables", None)
        if began is None or not variables:
            continue
        held = known.setdefault(id(optimizer), list(began if optimizer.built else variables))
        new = [each for each in variables if not any(each is one for one in held)]
        if new:
            yield OTHER_VARIABLES.found(
                expected="an optimizer for each network that a step trains",
                received=f"in {step.name} ({step.place}) {type(optimizer).__name__} begins with {path_of(held[0])}, "
                f"and is then given {path_of(new[0])}, which it does not know",
                fix=_begun_with_both(case, step, optimizer, (held, new)),
            )
            return


def _begun_with_both(case: Case, step: OwnStep, optimizer: Any, parts: tuple[list[Any], list[Any]]) -> str:
    """Return the statement that lets the optimizer begin with all, before the loop; words where a name is not known."""
    models = [next((each for each in step.owners if _trains(each, part)), None) for part in parts]
    for frame in reversed(list(users_frames(case.frame))):
        text = ProgramText(frame)
        names = [text.name_of(each) if each is not None else None for each in (optimizer, *models)]
        function = text.function_at(frame.f_code)
        body = function.body if function is not None else getattr(text.tree, "body", [])
        around = next((each for each in body if each.lineno <= frame.f_lineno <= (each.end_lineno or 0)), None)
        if all(names) and len(set(names)) == len(names) and isinstance(around, ast.stmt):
            own, *of = names
            variables = " + ".join(f"{each}.trainable_variables" for each in of)
            return f"{own}.build({variables})  # before {text.at(around)}; or an optimizer for each"
    return "Make an optimizer for each of the networks, and apply the gradients of each by its own."


def _trains(owner: Any, part: list[Any]) -> bool:
    """Whether a network's variables are those of an update."""
    own = list(getattr(owner, "trainable_variables", ())) if hasattr(owner, "layers") else []
    return len(own) == len(part) and all(any(each is one for one in part) for each in own)
