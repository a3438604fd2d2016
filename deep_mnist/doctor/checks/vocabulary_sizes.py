"""The line of a program that says how many rows an Embedding has, written anew for the tokens that there are."""

from __future__ import annotations

import ast
import math
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.chunks import REAL_KINDS, extent
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged

LOOKUPS = ("TextVectorization", "StringLookup", "IntegerLookup")


def greatest_token(case: Case) -> float:
    """Return the greatest finite number among the inputs of all splits, -1 without any."""
    inputs = [each.images for each in case.splits.values() if each.images is not None]
    known = [each for each in inputs if each.size and each.dtype.kind in REAL_KINDS]
    return max((high for each in known if math.isfinite(high := extent(each)[1])), default=-1.0)


def reads_what_it_predicts(case: Case) -> bool:
    """Whether the classes are the tokens, and inputs lie beyond both: the size of the vocabulary is what is wrong."""
    rows = case.contract.vocabulary
    return rows is not None and rows == case.contract.output_units and greatest_token(case) >= rows


def sized_line(case: Case, rows: int, needed: int, *, units_too: bool = False) -> str:
    """Return the statement that gives an Embedding of `rows` rows `needed` ones, "" where the source shows none.

    Args:
        case: Its frame tells the source.
        units_too: Only by a name that says how many units a Dense layer has, too.
    """
    text = ProgramText(case.frame) if case.frame is not None else None
    call = _embedding(text, rows) if text is not None else None
    if text is None or call is None:
        return ""
    size = _size_of(call, "input_dim")
    vectors = _vectors_of(text, call, rows)
    shared = isinstance(size, ast.Name) and _is_of_units(text, size.id)
    together = isinstance(size, ast.Name) and (vectors is None or _is_made_by(text, vectors[1], size.id))
    if isinstance(size, ast.Name) and needed == rows + 1 and (shared or not units_too) and together:
        if line := _one_more(text, size.id):
            return line
    if units_too:
        return ""
    name = _lookup_of(text, needed) if vectors is None else ""
    given = ast.parse(f"{name}.vocabulary_size()" if name else str(needed), mode="eval").body
    if size is not None and needed == rows + 1 and not isinstance(size, ast.Constant | ast.Name):
        given = ast.BinOp(size, ast.Add(), ast.Constant(1))
    others = _with_more_rows(vectors, needed - rows)
    return text.rewritten(call, [given], **others) if call.args else text.rewritten(call, input_dim=given, **others)


def _vectors_of(text: ProgramText, call: ast.Call, rows: int) -> tuple[ast.keyword, ast.Name] | None:
    """Return the argument of an Embedding that gives it a matrix of so many rows, and the matrix; else None."""
    for given in (each for each in call.keywords if each.arg in ("weights", "embeddings_initializer")):
        for node in ast.walk(given.value):
            shape = getattr(text.value_of(node), "shape", None) if isinstance(node, ast.Name) else None
            if isinstance(node, ast.Name) and shape is not None and len(shape) == 2 and shape[0] == rows:
                return given, node
    return None


def _is_made_by(text: ProgramText, matrix: ast.Name, size: str) -> bool:
    """Whether the statement that makes a matrix asks a name for its rows."""
    made = [each.value for each in text.nodes if isinstance(each, ast.Assign) and _sets(each, matrix.id)]
    return any(isinstance(node, ast.Name) and node.id == size for each in made for node in ast.walk(each))


def _with_more_rows(vectors: tuple[ast.keyword, ast.Name] | None, more: int) -> dict[str, Any]:
    """Return the argument with its matrix, and rows of zeros for the numbers that have none."""
    if vectors is None or vectors[0].arg is None:
        return {}
    given, matrix = vectors
    padded = ast.parse(f"np.pad({matrix.id}, ((0, {more}), (0, 0)))", mode="eval").body
    return {vectors[0].arg: exchanged(given.value, [(matrix, padded)])}


def _embedding(text: ProgramText, rows: int) -> ast.Call | None:
    """Return the only call that makes an Embedding of so many rows, or of a number that is not known here."""
    calls = [(each, _number_of(text, _size_of(each, "input_dim"))) for each in text.calls("Embedding")]
    fitting = [each for each, number in calls if number == rows] or [each for each, number in calls if number is None]
    return fitting[0] if len(fitting) == 1 else None


def _size_of(call: ast.Call, keyword: str) -> ast.expr | None:
    return keyword_of(call, keyword) or next(iter(call.args), None)


def _number_of(text: ProgramText, node: ast.expr | None) -> Any:
    """Return what a constant or a name stands for, None of another expression."""
    return node.value if isinstance(node, ast.Constant) else text.value_of(node) if node is not None else None


def _is_of_units(text: ProgramText, name: str) -> bool:
    sizes = (_size_of(each, "units") for each in text.calls("Dense"))
    return any(isinstance(each, ast.Name) and each.id == name for each in sizes)


def _one_more(text: ProgramText, name: str) -> str:
    """Return the statement that defines a name, with one more; "" where several do, or it is a number by itself."""
    found = [node for node in text.nodes if isinstance(node, ast.Assign) and _sets(node, name)]
    if len(found) != 1 or isinstance(found[0].value, ast.Constant) or len(found[0].targets) != 1:
        return ""
    if not isinstance(found[0].targets[0], ast.Name):
        return ""
    return text.in_place(f"{name} = {ast.unparse(found[0].value)} + 1", found[0])


def _sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for target in node.targets for each in ast.walk(target))


def _lookup_of(text: ProgramText, needed: int) -> str:
    """Return the name of the layer that numbered the words, "" where none, or another one, is in reach."""
    names = {called(each) for each in text.calls(*LOOKUPS)}
    spaces = {**text.frame.f_globals, **text.frame.f_locals} if names else {}
    layers = {name: each for name, each in spaces.items() if type(each).__name__ in LOOKUPS}
    sizes = {name: _vocabulary_of(each) for name, each in layers.items()}
    return next(iter(sizes)) if len(sizes) == 1 and min(sizes.values()) >= needed else ""


def _vocabulary_of(layer: Any) -> int:
    try:
        return int(layer.vocabulary_size())
    except Exception:  # another Keras, or a table in a state of its own
        return 0
