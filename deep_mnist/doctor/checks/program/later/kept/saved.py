"""Check of the paths by which the program saves the model behind the fit."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.logs import is_kerass
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.source_text import argument_of, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ENDINGS = {"save": (".keras", ".h5", ".hdf5"), "save_weights": (".weights.h5",)}  # of Keras 3
OLD = (".tf", ".ckpt", ".h5", ".hdf5", ".pb", ".model", ".weights", ".keras")

PATH_REFUSED = Rule(
    code="P082",
    name="saved-under-a-refused-path",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit the model is saved to a path whose ending this Keras refuses.",
    why="The program stops with a ValueError after it has trained, and nothing is saved.",
)


@check(PATH_REFUSED)
def check_saved(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, whose fix is for all places."""
    call = case.call
    if call is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    found = [
        (use, *each) for use in after_fit(case.frame, call.model) if (each := _refused(use, call.model)) is not None
    ]
    if not found:
        return
    use, path, stated = found[0]
    verb = called(use.node) if isinstance(use.node, ast.Call) else ""
    yield PATH_REFUSED.found(
        expected=f"a path that ends in {' or '.join(ENDINGS[verb][:2])} for {verb}()",
        received=f'"{stated}", at {use.scope.text.at(path)}',
        fix=rewritten([(each, node, _mended(each, node, text)) for each, node, text in found]),
    )


def _refused(use: Use, model: Any) -> tuple[ast.expr, str] | None:
    """Return the path of a call that saves, and its text, where Keras refuses it; None of any other expression."""
    node = use.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in ENDINGS:
        return None
    verb = node.func.attr
    if use.value(node.func.value) is not model or not _is_plain(model, verb):
        return None
    if verb == "save" and (zipped := keyword_of(node, "zipped")) is not None and use.value(zipped) is not True:
        return None
    if verb == "save_weights" and keyword_of(node, "max_shard_size") is not None:
        return None
    path = argument_of(node, 0, "filepath")
    stated = path_of(use, path) if path is not None else None
    if path is None or stated is None or stated.startswith("hf://"):
        return None
    may_end_so = any(stated.endswith(each) or each.endswith(stated) for each in ENDINGS[verb])
    return None if may_end_so else (path, stated)


def _is_plain(model: Any, verb: str) -> bool:
    """Whether the method is Keras's own."""
    home = next((each for each in type(model).__mro__ if verb in vars(each)), None)
    return home is not None and is_kerass(home) and verb not in own_names(model)


def path_of(use: Use, node: ast.expr) -> str | None:
    """Return a path that is stated, a name that holds it, or the end of one that is joined; None of any other."""
    value = use.value(node)
    if isinstance(value, str | os.PathLike):
        return os.fspath(value) if isinstance(os.fspath(value), str) else None
    if isinstance(node, ast.Call) and called(node) in ("join", "Path", "str", "joinpath") and node.args:
        return path_of(use, node.args[-1])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        return path_of(use, node.right)
    if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[-1], ast.Constant):
        return str(node.values[-1].value)
    return None


def _mended(use: Use, path: ast.expr, stated: str) -> ast.expr:
    """Return the path with the ending that Keras takes, in the place of an older one."""
    ending = ENDINGS[called(use.node) if isinstance(use.node, ast.Call) else "save"][0]
    if isinstance(path, ast.Constant):
        stem = stated.rstrip("/")
        while (old := next((each for each in OLD if stem.endswith(each)), None)) is not None and stem != old:
            stem = stem.removesuffix(old)
        return ast.Constant(stem + ending)
    return ast.JoinedStr([ast.FormattedValue(path, -1), ast.Constant(ending)])
