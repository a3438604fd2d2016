"""The lines of a sequence's or generator's own code, written anew.

Each function returns one line with the place it belongs to, "" where the code has another form.
"""

from __future__ import annotations

import ast
import copy
import inspect
from types import CodeType
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, function_in


def code_of(owner: type, method: str) -> CodeType | None:
    """Return the code of a class's own method, None where it is inherited from a library or not Python's."""
    code = getattr(getattr(owner, method, None), "__code__", None)
    return code if isinstance(code, CodeType) else None


def source_of(replay: Any) -> Any:
    """Return the generator behind the one that yields again what was drawn of it."""
    if inspect.isgenerator(replay) and replay.gi_frame is not None:
        return replay.gi_frame.f_locals.get("rest", replay)
    return replay


def function_of(case: Case, code: CodeType | None) -> tuple[ProgramText, ast.FunctionDef] | None:
    """Return a function's program and definition by its code, None without source."""
    return function_in(case.frame, code)


# --- sequences --------------------------------------------------------------------------------------


def by_index(case: Case, sequence: Any, size: int) -> str:
    """Return the lines of __getitem__ that begin at the index, where they begin at a constant."""
    found = function_of(case, code_of(type(sequence), "__getitem__"))
    if found is None or len(found[1].args.args) < 2:
        return ""
    text, definition = found
    index = definition.args.args[1].arg
    stride = _size_of(sequence, definition.args.args[0].arg, size)
    changed = [(each, _from_index(each, index, stride)) for each in plain_statements(definition)]
    return _joined(text, [(each, again) for each, again in changed if again])


def plain_statements(definition: ast.FunctionDef) -> list[ast.stmt]:
    """Return the statements of a function without those that hold others, in the order of lines."""
    kinds = (ast.Assign, ast.Return, ast.Expr, ast.AugAssign)
    found = [each for each in ast.walk(definition) if isinstance(each, kinds)]
    return sorted(found, key=lambda each: each.lineno)


def _joined(text: ProgramText, changed: list[tuple[ast.stmt, str]]) -> str:
    if not changed:
        return ""
    places = " and ".join(text.at(each) for each, _ in changed)
    return f"{'; '.join(again for _, again in changed)}  # in place of {places}"


def _size_of(sequence: Any, self_name: str, size: int) -> str:
    """Return `self.size` for the attribute that holds the batch's size, else the number."""
    held = {name: each for name, each in vars(sequence).items() if isinstance(each, int) and each == size}
    name = next((each for each in held if not each.startswith("_")), None)
    return f"{self_name}.{name}" if name else str(size)


def _from_index(statement: ast.stmt, index: str, stride: str) -> str:
    """Return a statement whose slices, or whose constant beginning, move on with the index; "" of others."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        value = statement.value
        negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
        number = value.operand if isinstance(value, ast.UnaryOp) and negative else value
        if isinstance(number, ast.Constant) and number.value in (0, 1) and type(number.value) is int:
            sign = "-" if negative else "+"
            more = f" {sign} {number.value}" if number.value else ""
            return f"{statement.targets[0].id} = {index} * {stride}{more}"
    again = copy.deepcopy(statement)
    begin = ast.parse(f"{index} * {stride}", mode="eval").body
    end = ast.parse(f"({index} + 1) * {stride}", mode="eval").body
    slices = [each for each in ast.walk(again) if isinstance(each, ast.Slice) and _begins_at_zero(each)]
    for each in slices:
        each.lower, each.upper = begin, end
    ranges = [each for each in ast.walk(again) if isinstance(each, ast.Call) and called(each) == "range"]
    for call in ranges:
        if len(call.args) == 1:
            call.args = [begin, end]
    return ast.unparse(ast.fix_missing_locations(again)) if slices or ranges else ""


def _begins_at_zero(part: ast.Slice) -> bool:
    zero = part.lower is None or (isinstance(part.lower, ast.Constant) and part.lower.value == 0)
    return zero and part.upper is not None and part.step is None


def by_size(case: Case, sequence: Any, size: int) -> str:
    """Return the lines of __getitem__ that take `index: index + size`, begun at index * size."""
    found = function_of(case, code_of(type(sequence), "__getitem__"))
    if found is None or len(found[1].args.args) < 2:
        return ""
    text, definition = found
    index = definition.args.args[1].arg
    stride = _size_of(sequence, definition.args.args[0].arg, size)
    begin = ast.parse(f"{index} * {stride}", mode="eval").body
    end = ast.parse(f"({index} + 1) * {stride}", mode="eval").body
    changed = []
    for statement in plain_statements(definition):
        again = copy.deepcopy(statement)
        slices = [each for each in ast.walk(again) if isinstance(each, ast.Slice) and is_name(each.lower, index)]
        for each in slices:
            each.lower, each.upper = begin, end
        if slices:
            changed.append((statement, ast.unparse(ast.fix_missing_locations(again))))
    return _joined(text, changed)


def is_name(node: ast.expr | None, name: str) -> bool:
    """Whether an expression is this name alone."""
    return isinstance(node, ast.Name) and node.id == name


def length(case: Case, sequence: Any, count: int) -> str:
    """Return the return statement of __len__ that gives as many batches as there are."""
    found = function_of(case, code_of(type(sequence), "__len__"))
    returned = (
        [each for each in plain_statements(found[1]) if isinstance(each, ast.Return)] if found is not None else []
    )
    if found is None or len(returned) != 1 or returned[0].value is None:
        return ""
    own = found[1].args.args[0].arg if found[1].args.args else "self"
    stated, now = ast.unparse(returned[0].value), len(sequence)
    sizes = [name for name, each in vars(sequence).items() if isinstance(each, int) and each > 1]
    for name in sizes:
        whole = vars(sequence)[name]
        if now // whole == count:
            return found[0].in_place(f"return ({stated}) // {own}.{name}", returned[0])
        if -(-now // whole) == count:
            return found[0].in_place(f"return -(-({stated}) // {own}.{name})", returned[0])
    if now - 1 == count:
        return found[0].in_place(f"return ({stated}) - 1", returned[0])
    return found[0].in_place(f"return {count}", returned[0])


# --- generators -------------------------------------------------------------------------------------


def moving(case: Case, code: CodeType | None) -> str:
    """Return the yield of a first batch as a loop over all batches."""
    found = function_of(case, code)
    for statement in plain_statements(found[1]) if found is not None else ():
        if found is None or not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Yield):
            continue
        again = copy.deepcopy(statement)
        slices = [each for each in ast.walk(again) if isinstance(each, ast.Slice) and _begins_at_zero(each)]
        held = [each for each in ast.walk(again) if isinstance(each, ast.Subscript) and each.slice in slices]
        sizes = {ast.unparse(each.upper) for each in slices if each.upper is not None}
        if not held or len(sizes) != 1:
            continue
        size = sizes.pop()
        for each in slices:
            each.lower, each.upper = (ast.parse(words, mode="eval").body for words in ("at", f"at + {size}"))
        line = f"for at in range(0, len({ast.unparse(held[0].value)}) - {size} + 1, {size}): {ast.unparse(again)}"
        return found[0].in_place(line, statement)
    return ""


def endless(case: Case, x: np.ndarray | None, y: np.ndarray | None, *, repeats: bool) -> str:
    """Return the dataset that calls the generator's function anew in each epoch, in the place of the generator."""
    found = _made(case, "x")
    if found is None or x is None or y is None:
        return ""
    name, made = found
    specs = ", ".join(f"tf.TensorSpec((None, {_sides(each)}), tf.{each.dtype.name})" for each in (x, y))
    line = f"tf.data.Dataset.from_generator(lambda: {made}, output_signature=({specs}))".replace("(None, )", "(None,)")
    return f"import tensorflow as tf; {name} = {line}{'.repeat()' if repeats else ''}  # before fit"


def made_anew(case: Case, split: str) -> str:
    """Return the line that makes an iterator of fit once more, right before fit."""
    found = _made(case, "x" if split == "train" else "validation_data")
    return f"{found[0]} = {found[1]}  # right before fit: a generator can be read once" if found is not None else ""


def _made(case: Case, argument: str) -> tuple[str, str] | None:
    """Return the name of an argument of fit, and the call that it was set to."""
    if case.frame is None:
        return None
    text = ProgramText(case.frame)
    for call in text.calls("fit"):
        named = {each.arg: each.value for each in call.keywords}
        given = named.get(argument, call.args[0] if call.args and argument == "x" else None)
        if not isinstance(given, ast.Name) or not call.lineno <= case.frame.f_lineno <= (call.end_lineno or 0):
            continue
        values = [
            each.value
            for each in text.nodes
            if isinstance(each, ast.Assign) and is_name(each.targets[0], given.id) and each.lineno <= call.lineno
        ]
        if values and isinstance(values[-1], ast.Call):
            return given.id, ast.unparse(values[-1])
    return None


def _sides(array: np.ndarray) -> str:
    return ", ".join(map(str, array.shape[1:]))


def same_slice(case: Case, code: CodeType | None) -> str:
    """Return the yield or return whose second part takes the slice of the first."""
    found = function_of(case, code)
    for statement in plain_statements(found[1]) if found is not None else ():
        given = _given(statement)
        if found is None or given is None or len(given.elts) < 2:
            continue
        parts = [
            [each for each in ast.walk(node) if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice)]
            for node in given.elts[:2]
        ]
        if not parts[0] or not parts[1] or ast.unparse(parts[0][0].slice) == ast.unparse(parts[1][0].slice):
            continue
        again = copy.deepcopy(statement)
        second = _given(again)
        if second is None:
            continue
        for each in ast.walk(second.elts[1]):
            if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice):
                each.slice = parts[0][0].slice
        return found[0].in_place(ast.unparse(again), statement)
    return ""


def with_part(case: Case, code: CodeType | None, part: int, expression: str) -> str:
    """Return the yield or return whose first (0) or second (1) part becomes an expression of {}."""
    found = function_of(case, code)
    for statement in plain_statements(found[1]) if found is not None else ():
        again = copy.deepcopy(statement)
        given = _given(again)
        if found is None or given is None or len(given.elts) <= part:
            continue
        stated = ast.unparse(given.elts[part])
        given.elts[part] = ast.parse(expression.format(f"({stated})"), mode="eval").body
        return found[0].in_place(ast.unparse(again), statement)
    return ""


def resized(case: Case, code: CodeType | None, required: tuple[int | None, ...]) -> str:
    """Return the yield or return whose first part is resized to the network's rows and columns."""
    found = function_of(case, code)
    if len(required) != 3 or None in required[:2] or required[2] not in (1, 3, 4):
        return ""
    for statement in plain_statements(found[1]) if found is not None else ():
        given = _given(statement)
        if found is None or given is None:
            continue
        again = copy.deepcopy(statement)
        second = _given(again)
        if second is None:
            continue
        first = ast.unparse(second.elts[0])
        second.elts[0] = ast.parse(f"tf.image.resize({first}, {required[:2]}).numpy()", mode="eval").body
        return found[0].in_place(f"import tensorflow as tf; {ast.unparse(again)}", statement)
    return ""


def given_by(statement: ast.stmt) -> ast.expr | None:
    """Return what a statement yields or returns, None where it does neither."""
    value = statement.value if isinstance(statement, ast.Expr | ast.Return) else None
    return value.value if isinstance(value, ast.Yield) else value if isinstance(statement, ast.Return) else None


def _given(statement: ast.stmt) -> ast.Tuple | None:
    """Return the tuple that a statement yields or returns, None of others."""
    return value if isinstance(value := given_by(statement), ast.Tuple) else None


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
