"""What a generator yields, written anew as one array for each input of the network."""

from __future__ import annotations

import ast
from types import CodeType

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.live.batch_fixes import function_of


def yielded_apart(case: Case, code: CodeType | None) -> str:
    """Return the only yield of a generator of grouped examples with one array for each input; "" of another form."""
    found, count = function_of(case, code), len(case.contract.inputs)
    if found is None or count < 2 or case.frame is None:
        return ""
    text, definition = found
    made = [each for each in ast.walk(definition) if isinstance(each, ast.Expr) and isinstance(each.value, ast.Yield)]
    value = made[0].value.value if len(made) == 1 and isinstance(made[0].value, ast.Yield) else None
    if not isinstance(value, ast.Tuple) or len(value.elts) != 2 or not isinstance(value.elts[0], ast.Name):
        return ""
    groups, labels = value.elts[0].id, ast.unparse(value.elts[1])
    numpy, _ = alias_of(case.frame, "numpy", "np")
    arrays = ", ".join(f"{numpy}.array([each[{place}] for each in {groups}])" for place in range(count))
    return text.in_place(f"yield (({arrays}), {numpy}.array({labels}))", made[0])
