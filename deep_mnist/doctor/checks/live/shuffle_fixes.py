"""Examples and labels that a sequence shuffles one by one, and the line that gives both one order."""

from __future__ import annotations

import ast

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.batch_fixes import code_of, function_of, is_name, plain_statements
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called

SHUFFLES = ("shuffle",)


def shuffled_apart(case: Case, owner: type) -> tuple[str, str, str] | None:
    """Return (how, where, fix) of on_epoch_end or __init__ that shuffles what is paired one by one, or one alone."""
    paired = _paired_attributes(case, owner)
    for method in ("on_epoch_end", "__init__", "on_epoch_begin") if paired else ():
        found = function_of(case, code_of(owner, method))
        if found is None:
            continue
        text, definition = found
        shuffles = [each for each in plain_statements(definition) if _shuffled(each)]
        if any("seed" in ast.unparse(each) or "state" in ast.unparse(each) for each in definition.body):
            continue
        named = {_shuffled(each): each for each in shuffles}
        for examples, labels in paired:
            if examples in named and labels in named:
                one, other = named[examples], named[labels]
                how = f"{examples} and {labels} are shuffled one after the other, each into an order of its own,"
                return how, text.at(one), _one_order(text, examples, labels, (one, other))
        alone = [(one, two) for pair in paired for one, two in (pair, pair[::-1]) if one in named]
        if len(paired) == 1 and alone and case.contract.loss and alone[0][1] not in ast.unparse(definition):
            moved, left = alone[0]
            return (
                f"{moved} is shuffled, and {left} is not,",
                text.at(named[moved]),
                _one_order(text, *paired[0], (named[moved],)),
            )
    return None


def _shuffled(statement: ast.stmt) -> str:
    """Return what a statement such as np.random.shuffle(self.x) shuffles, "" of others."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and called(call) in SHUFFLES and len(call.args) == 1:
        return ast.unparse(call.args[0])
    return ""


def _one_order(text: ProgramText, examples: str, labels: str, shuffles: tuple[ast.stmt, ...]) -> str:
    one = shuffles[0]
    drawn = ast.unparse(one).startswith(("np.", "numpy."))
    if drawn:
        line = (
            f"order = np.random.permutation(len({examples})); {examples}, {labels} = {examples}[order], {labels}[order]"
        )
    else:
        line = (
            f"pairs = list(zip({examples}, {labels})); {ast.unparse(one).partition('(')[0]}(pairs); "
            f"{examples}, {labels} = map(list, zip(*pairs))"
        )
    return f"{line}  # in place of {' and '.join(text.at(each) for each in shuffles)}"


def _paired_attributes(case: Case, owner: type) -> list[tuple[str, str]]:
    """Return the attributes that __getitem__ returns side by side, as examples and as labels."""
    found = function_of(case, code_of(owner, "__getitem__"))
    if found is None or not found[1].args.args:
        return []
    own, held = found[1].args.args[0].arg, dict[str, set[str]]()
    for statement in plain_statements(found[1]):
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                    for each, value in zip(target.elts, statement.value.elts, strict=False):
                        held.setdefault(ast.unparse(each), set()).update(_attributes(value, own, held))
                else:
                    held.setdefault(ast.unparse(target), set()).update(_attributes(statement.value, own, held))
        elif isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
            parts = [_attributes(each, own, held) for each in statement.value.elts[:2]]
            if len(parts) == 2:
                return [(one, two) for one in parts[0] - parts[1] for two in parts[1] - parts[0]]
    return []


def _attributes(node: ast.AST, own: str, held: dict[str, set[str]]) -> set[str]:
    """Return the attributes that an expression's values come from, not those that tell which of the values."""
    if isinstance(node, ast.Subscript):
        return _attributes(node.value, own, held)
    if isinstance(node, ast.Attribute) and is_name(node.value, own):
        return {ast.unparse(node)}
    if isinstance(node, ast.Name):
        return held.get(node.id, set())
    return {each for child in ast.iter_child_nodes(node) for each in _attributes(child, own, held)}
