"""Checks of copies of a trained network: of its structure alone, and of weights by names that no layer has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.evidence.live.following import after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, holds, keyword_of, texts_around
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

STRUCTURES = ("clone_model", "from_config", "model_from_json")
GIVING_WEIGHTS = ("set_weights", "load_weights", "restore", "assign", "load_own_variables", "set_state_tree")
TRAINING = ("fit", "train_on_batch", "apply_gradients", "fit_generator", "train_step")
USING = ("evaluate", "predict", "save", "save_weights", "predict_on_batch")
LOOKING = ("print", "type", "len", "plot_model", "summary")  # calls that leave a network as it is
MEANT_NEW = re.compile(r"untrained|random|scratch|fresh|init|blank|baseline|naive|new_", re.IGNORECASE)

NO_WEIGHTS = Rule(
    code="P161",
    name="copy-without-weights",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A trained network is copied by its structure alone, and the copy is frozen or used as it is.",
    why="clone_model() and from_config() draw new weights: what was learned is not in the copy.",
)

NO_NAME = Rule(
    code="P162",
    name="weights-by-names-of-no-layer",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Weights are loaded by name into a second network of the same process, whose layers Keras named onwards.",
    why="Keras counts on, dense_3 for dense: no name is in the file, nothing is loaded, and nothing is said of it.",
)


@check(NO_WEIGHTS)
def check_copies(case: Case) -> Iterator[Finding]:
    """Yield a finding for each such copy in the program."""
    if case.call is None or case.call.verb != "fit":
        return
    for text in texts_around(case.frame):
        for statement in (each for each in text.nodes if isinstance(each, ast.Assign)):
            target, made = statement.targets[0], statement.value
            source = _copied(made)
            if not isinstance(target, ast.Name) or source is None or MEANT_NEW.search(target.id):
                continue
            body = text.around(target)
            use = _use(body, target.id, statement.lineno)
            if (
                use is None
                or not _is_trained(text, body, source)
                or _may_be_given(body, target.id, source, statement, use)
            ):
                continue
            line = f"{ast.unparse(statement)}; {target.id}.set_weights({source}.get_weights())"
            yield NO_WEIGHTS.found(
                expected=f"the weights of {source} in its copy",
                received=f"`{ast.unparse(made)[:60]}` at {text.at(statement)}, which has new ones: "
                f"`{ast.unparse(use).splitlines()[0][:60]}` at {text.at(use)}",
                fix=text.in_place(line, statement),
            )


def _copied(made: ast.expr) -> str | None:
    """Return the name of the network whose structure alone a call copies, None of any other expression."""
    if not isinstance(made, ast.Call) or called(made) not in STRUCTURES or made.keywords or len(made.args) != 1:
        return None
    given = made.args[0]
    if called(made) != "clone_model":
        is_of = isinstance(given, ast.Call) and called(given) in ("get_config", "to_json") and not given.args
        given = (
            given.func.value
            if is_of and isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute)
            else made
        )
    return given.id if isinstance(given, ast.Name) else None


def _is_trained(text: ProgramText, body: list[ast.stmt], source: str) -> bool:
    """Whether a network is trained or loaded by the program, in the code that copies it."""
    trained = [
        each.func.value for each in calls_in(body, "fit", "load_weights") if isinstance(each.func, ast.Attribute)
    ]
    if any(isinstance(each, ast.Name) and each.id == source for each in trained):
        return True
    settings = [each.value for each in Lineage(text, body).settings if each.name == source]
    return any(isinstance(each, ast.Call) and called(each) == "load_model" for each in settings)


def _use(body: list[ast.stmt], name: str, line: int) -> ast.expr | ast.stmt | None:
    """Return what first uses a copy as if it had learned: it is frozen, measured, asked or saved; None without."""
    nodes = sorted((each for of in body for each in ast.walk(of) if getattr(each, "lineno", 0) > line),
                   key=lambda each: getattr(each, "lineno", 0))  # fmt: skip
    for each in nodes:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and called(each) in USING:
            if ast.unparse(each.func.value) == name:
                return each
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == f"{name}.trainable":
            if isinstance(each.value, ast.Constant) and each.value.value is False:
                return each
    return None


def _may_be_given(body: list[ast.stmt], name: str, source: str, made: ast.Assign, use: ast.AST) -> bool:
    """Whether a copy may get weights: it is trained, unfrozen, set again, or handed to what may do so."""
    for each in (node for of in body for node in ast.walk(of)):
        if isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store):
            if not holds(made, each):
                return True
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == f"{name}.trainable":
            if not (isinstance(each.value, ast.Constant) and each.value.value is False):
                return True
        if isinstance(each, ast.For | ast.comprehension) and name in names_in(each.iter):
            return True
        if isinstance(each, ast.Call) and _gives(each, name, source, as_part=isinstance(use, ast.stmt)):
            return True
    return False


def _gives(call: ast.Call, name: str, source: str, *, as_part: bool) -> bool:
    """Whether a call may give a copy weights.

    Args:
        call: Of the code that makes the copy.
        name: Of the copy.
        source: The network that it was copied from.
        as_part: A network that it becomes a part of does not train it: it is frozen.
    """
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if called(call) in GIVING_WEIGHTS:
        return owner != source
    if called(call) in TRAINING and (owner == name or not owner.isidentifier()):
        return True
    handed = [each for each in (*call.args, *(key.value for key in call.keywords)) if name in names_in(each)]
    leaves = called(call) in (*LOOKING, *USING) or (as_part and called(call)[:1].isupper())
    return bool(handed) and not leaves


@check(NO_NAME)
def check_by_name(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: load_weights(by_name=True) of a second network that one function makes of both."""
    call = case.call
    if call is None or call.verb != "fit" or case.frame is None or not _are_counted(layers_of(case)):
        return
    text = ProgramText(case.frame)
    first = _made(text, Lineage(text), text.name_of(call.model) or "", (case.frame.f_lineno, 0))
    if first is None or text.calls("clear_session"):
        return
    for use in after_fit(case.frame, call.model):
        node = use.node
        by_name = keyword_of(node, "by_name") if isinstance(node, ast.Call) and called(node) == "load_weights" else None
        if not isinstance(node, ast.Call) or by_name is None or use.value(by_name) is not True:
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        name = owner.id if isinstance(owner, ast.Name) else ""
        lineage = Lineage(use.scope.text, use.scope.text.around(node))
        second = _made(use.scope.text, lineage, name, place_of(node))
        if second is not None and second is not first and ast.unparse(second) == ast.unparse(first):
            kept = [each for each in node.keywords if each.arg not in ("by_name", "skip_mismatch")]
            names = [each.name for each in layers_of(case) if each.weights]
            yield NO_NAME.found(
                expected=f"layers of the names in the file, as {', '.join(names[:3])}",
                received=f"{ast.unparse(node)[:80]}, at {use.scope.text.at(node)}: {name} is made behind them, and "
                "its layers have the next numbers",
                fix=use.scope.text.with_expression(node, ast.Call(node.func, node.args, kept))
                or "Load the weights without by_name, layer by layer.",
            )
            return


def _made(text: ProgramText, lineage: Lineage, name: str, at: Place) -> ast.Call | None:
    """Return the call of the program's own function, which names no layer, that makes a network; None of others."""
    setting = next(lineage.before(name, at), None)
    made = setting.value if setting is not None else None
    functions = text.functions(called(made)) if isinstance(made, ast.Call) else []
    named = [key for of in functions for key in ast.walk(of) if isinstance(key, ast.keyword) and key.arg == "name"]
    return made if isinstance(made, ast.Call) and len(functions) == 1 and not named else None


def _are_counted(layers: Sequence[Any]) -> bool:
    """Whether all layers with weights have the names that Keras gave them, by their classes and numbers."""
    names = [(each.name, type(each).__name__) for each in layers if each.weights]
    plain = [(re.sub(r"_\d+$", "", name).replace("_", ""), kind.lower()) for name, kind in names]
    return bool(plain) and all(one == other for one, other in plain)
