"""Check of weights that are loaded, behind the fit, into a model made anew that nothing has built yet."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.later.kept.saved import path_of
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, own_names
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, names_set
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ENDINGS = (".weights.h5", ".keras")
LEAVING = ("compile", "load_weights")  # methods that build nothing

NOT_BUILT = Rule(
    code="P094",
    name="weights-for-a-model-not-built",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit, weights are loaded into a new model that has not been called or built yet.",
    why="Keras 3 stops after the training: a model without its input's shape has no weights to load into.",
)


@check(NOT_BUILT)
def check_not_built(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of a model made as the one that fit is given, which was not built either."""
    call = case.call
    if call is None or case.frame is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    if case.fit.get("built", True) or "load_weights" in own_names(call.model):
        return
    made = _maker(case)
    fresh = _Fresh()
    for use in after_fit(case.frame, call.model):
        loading = fresh.seen(use, is_alike=_is_alike(use, call.model, made))
        if loading is not None and (path := argument_of(loading, 0, "filepath")) is not None:
            if (path_of(use, path) or "").endswith(ENDINGS):
                yield _found(case, use, loading)
                return


class _Fresh:
    """The names of models that were made and not used since, by the scope that sets them."""

    def __init__(self) -> None:
        self.names = set[tuple[int, str]]()
        self.harmless = set[int]()

    def seen(self, use: Use, *, is_alike: bool) -> ast.Call | None:
        """Take what comes next into account; return it where it is load_weights() of such a model."""
        node, statement, scope = use.node, use.statement, id(use.scope)
        if isinstance(statement, ast.Assign) and node is statement.value:
            names = {(scope, each) for each in names_set([statement])}
            self.names = self.names | names if is_alike else self.names - names
        if isinstance(node, ast.Name) and id(node) not in self.harmless:
            self.names = {each for each in self.names if each[1] != node.id}
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or called(node) not in LEAVING:
            return None
        owner = node.func.value
        self.harmless.add(id(owner))
        is_fresh = isinstance(owner, ast.Name) and (scope, owner.id) in self.names
        return node if is_fresh and called(node) == "load_weights" else None


def _maker(case: Case) -> str:
    """Return the call that made the model of fit, by its text; "" where another expression did."""
    text = ProgramText(case.frame) if case.frame is not None else None
    fit = text.call_on(text.frame.f_lineno, "fit") if text is not None else None
    owner = fit.func.value if fit is not None and isinstance(fit.func, ast.Attribute) else None
    if text is None or not isinstance(owner, ast.Name):
        return ""
    setting = next(Lineage(text).before(owner.id, place_of(owner)), None)
    return ast.unparse(setting.value) if setting is not None and isinstance(setting.value, ast.Call) else ""


def _is_alike(use: Use, model: Any, made: str) -> bool:
    """Whether a call makes a model of the class of one's own that fit's is of, or is word for word the one that did."""
    if not isinstance(use.node, ast.Call):
        return False
    is_own = not type(model).__module__.startswith(OF_KERAS)
    return (is_own and use.value(use.node.func) is type(model)) or ast.unparse(use.node) == made


def _found(case: Case, use: Use, loading: ast.Call) -> Finding:
    name, call = ast.unparse(loading.func).rpartition(".")[0], case.call
    data = use.scope.text.name_of(call.x) if call is not None and hasattr(call.x, "shape") else None
    images = case.train.images
    if data is not None:
        built = f"{name}({data}[:1])"
    elif images is not None and images.ndim > 1:
        built = f"{name}(np.zeros({(1, *images.shape[1:])}, {str(images.dtype)!r}))"
    else:
        built = ""
    line = use.scope.text.in_place(f"{built}; {ast.unparse(use.statement)}", use.statement)
    return NOT_BUILT.found(
        expected=f"{name} called on a batch, or built, before its weights are loaded",
        received=f"a new {_kind(case)} without weights, at {use.scope.text.at(loading)}",
        fix=line if built else f"Call {name} on a batch before its weights are loaded.",
    )


def _kind(case: Case) -> str:
    return type(case.call.model).__name__ if case.call is not None else "model"
