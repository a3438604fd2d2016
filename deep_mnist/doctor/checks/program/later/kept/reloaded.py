"""Checks of models that the program saves and loads again: what is the user's own in them must be known to Keras."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3, names_kept
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.checks.program.later.kept.saved import path_of
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import argument_of, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SCOPES = ("custom_object_scope", "CustomObjectScope", "get_custom_objects")

NOT_KNOWN = Rule(
    code="P090",
    name="loads-what-keras-does-not-know",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The model is saved and loaded without its custom objects: a loss, metric or layer of the user's own.",
    why="load_model stops: it could not locate the function or class, or takes one of Keras's own of this name.",
)
NOT_WRITTEN = Rule(
    code="P091",
    name="layer-not-made-again",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The model is saved with a layer of the user's own that Keras cannot write, or not make again.",
    why="Keras stops behind the training, where the model is saved or loaded: get_config() and __init__() differ.",
)


@check(NOT_KNOWN, NOT_WRITTEN)
def check_reloaded(case: Case) -> Iterator[Finding]:
    """Yield at most one finding of each, by what is saved behind the fit or by a checkpoint of it."""
    call = case.call
    if call is None or case.frame is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    saved = [each for each in map(_checkpoint, callbacks_of(case)) if each]
    unwritten = _unwritten(case)
    if unwritten and saved:
        yield _not_written(unwritten, f"a ModelCheckpoint writes {saved[0]}")
        return
    for use in after_fit(case.frame, call.model):
        path = _path_of(use, "save", call.model)
        if path and unwritten:
            yield _not_written(unwritten, f"saved at {use.scope.text.at(use.node)}")
            return
        saved += [path] if path else []
        if _path_of(use, "load_model", None) not in saved:
            continue
        if unmade := _unmade(case):
            yield _not_made(unmade, use)
        elif unknown := _unknown(case, use):
            yield _not_known(use, unknown)
        else:
            continue
        return


def _checkpoint(callback: Any) -> str:
    """Return the path at which a callback saves whole models, "" of any other callback."""
    of_keras = [each for each in type(callback).__mro__ if each.__module__.startswith(OF_KERAS)]
    is_one = any(each.__name__ == "ModelCheckpoint" for each in of_keras)
    return "" if not is_one or getattr(callback, "save_weights_only", True) else str(getattr(callback, "filepath", ""))


def _path_of(use: Use, verb: str, owner: Any) -> str:
    """Return the path of a call of save() of the model, or of load_model(); "" of any other expression."""
    node = use.node if owner is None else use.called_on(owner, verb)
    if not isinstance(node, ast.Call) or called(node) != verb:
        return ""
    path = argument_of(node, 0, "filepath")
    return (path_of(use, path) or "") if path is not None else ""


# --- what Keras does not know ------------------------------------------------------------------------


def _unknown(case: Case, use: Use) -> list[Any]:
    """Return the user's own objects that a call of load_model() needs and is not given."""
    node = use.node
    if not isinstance(node, ast.Call) or keyword_of(node, "custom_objects") is not None or len(node.args) > 1:
        return []
    if any(each.arg is None for each in node.keywords) or use.scope.text.calls(*SCOPES):
        return []
    model = case.call.model if case.call is not None else None
    compiles = keyword_of(node, "compile")
    is_compiled = compiles is None or use.value(compiles) is True
    parts = [type(each) for each in (model, *layers_of(case))] + (list(_compiled(model)) if is_compiled else [])
    own = {id(each): each for each in parts if _is_own(each)}
    return list(own.values())


def _compiled(model: Any) -> Iterator[Any]:
    """Yield the functions and classes that compile() was given as losses and metrics."""
    given = [getattr(model, "loss", None), getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)]
    while given:
        each = given.pop()
        if isinstance(each, dict | list | tuple):
            given += each.values() if isinstance(each, dict) else each
        elif callable(each):
            yield each if hasattr(each, "__code__") or isinstance(each, type) else type(each)


def _is_own(each: Any) -> bool:
    """Whether a function or class is the user's, and not registered with Keras."""
    saving = getattr(sys.modules.get("keras"), "saving", None)
    if saving is None or (getattr(each, "__module__", None) or "").startswith(OF_KERAS):
        return False
    return bool(saving.get_registered_name(each) == each.__name__)


def _not_known(use: Use, unknown: list[Any]) -> Finding:
    node = use.node
    names = [use.scope.text.name_of(each) for each in unknown]
    pairs = zip(unknown, names, strict=True)
    told = ", ".join(each.__name__ for each in unknown[:4])
    given = ast.Dict(
        [ast.Constant(each.__name__) for each in unknown], [ast.Name(name or each.__name__) for each, name in pairs]
    )
    keyword = ast.keyword("custom_objects", given) if all(names) else ast.keyword("compile", ast.Constant(False))
    needs_more = not all(names) and any(isinstance(each, type) for each in unknown)
    again = ast.Call(node.func, node.args, [*node.keywords, keyword]) if isinstance(node, ast.Call) else node
    return NOT_KNOWN.found(
        expected=f"custom_objects with {told}, or @keras.saving.register_keras_serializable() above each",
        received=f"{ast.unparse(node)}, at {use.scope.text.at(node)}",
        fix=f"Put @keras.saving.register_keras_serializable() above {told}."
        if needs_more
        else rewritten([(use, node, again)]),
    )


# --- what Keras cannot write --------------------------------------------------------------------------


def _unwritten(case: Case) -> Any:
    """Return a layer of the user's own whose configuration cannot be made, None without one."""
    for layer in layers_of(case):
        if not type(layer).__module__.startswith(OF_KERAS):
            try:
                layer.get_config()
            except NotImplementedError:
                return layer
            except Exception:  # the user's own method
                continue
    return None


def _unmade(case: Case) -> Any:
    """Return a layer of the user's own that its class does not make again of its configuration, None without one."""
    for layer in layers_of(case):
        if not type(layer).__module__.startswith(OF_KERAS):
            try:
                with names_kept(), unchanged_random_states():
                    type(layer).from_config(layer.get_config())
            except TypeError:
                return layer
            except Exception:  # the user's own method
                continue
    return None


def _not_made(layer: Any, use: Use) -> Finding:
    kind = type(layer)
    names, takes_more = _arguments_of(kind)
    told = ", ".join(names)
    fix = f"def __init__(self, {', '.join([*names, '**kwargs'])}): super().__init__(**kwargs)"
    if takes_more:
        fix = f"return {told} in get_config() as well, beside super().get_config()"
    return NOT_WRITTEN.found(
        expected=f"{kind.__name__} made again of its configuration: {', '.join(sorted(layer.get_config()))}",
        received=f"__init__({told}), which does not take that; loaded at {use.scope.text.at(use.node)}",
        fix=f"In {kind.__name__}: {fix}",
    )


def _not_written(layer: Any, where: str) -> Finding:
    kind = type(layer)
    names, _ = _arguments_of(kind)
    pairs = ", ".join(f'"{each}": self.{each}' for each in names)
    return NOT_WRITTEN.found(
        expected=f"get_config() in {kind.__name__}, for its arguments {', '.join(names) or 'of __init__'}",
        received=f"none of its own; {where}",
        fix=f"Add to {kind.__name__}: def get_config(self): return {{**super().get_config(), {pairs}}}",
    )


def _arguments_of(kind: type) -> tuple[list[str], bool]:
    """Return the arguments of a layer's own that its class takes, and whether it takes any others."""
    code = getattr(vars(kind).get("__init__"), "__code__", None)
    if code is None:
        return [], True
    names = [each for each in code.co_varnames[1 : code.co_argcount] if each != "name"]
    return names, bool(code.co_flags & inspect.CO_VARKEYWORDS)
