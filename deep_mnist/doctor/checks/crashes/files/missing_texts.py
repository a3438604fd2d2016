"""A missing value, or a number, among texts: which column or list holds it, and what makes a text of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.rules import NO_TEXT
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

SAYS = re.compile(
    r"'(?:float|int|NoneType|NAType)' object|(?:float|int|NoneType|NAType) found|got '(?:float|int|NoneType|NAType)'|"
    r"convert (?:nan|None|<NA>) to EagerTensor of dtype string|must be str, not (?:float|int|NoneType|NAType)|"
    r"type '(?:float|int|NoneType|NAType)'|\(not \"(?:float|int|NoneType|NAType)\"\) to str|object type (?:float|int)|"
    r"Expected (?:string|binary or unicode)\S*,? .*got (?:nan|None|<NA>|[\d.]+)"
)
MOST_CELLS = 1_000_000  # looked at


class Odd(NamedTuple):
    """Cells that are no texts, among texts: how many are missing, how many are numbers, the first one's place."""

    missing: int
    numbers: int
    first: int

    @property
    def told(self) -> str:
        counts = ((self.missing, "missing (NaN or None)"), (self.numbers, "that are numbers"))
        return " and ".join(f"{count} {kind}" for count, kind in counts if count)


def explain_missing_text(crash: Crash) -> Finding | None:
    """Name the texts among which something else stands, where the error is that it is no text."""
    if not isinstance(crash.error, AttributeError | TypeError | ValueError) or not SAYS.search(crash.text):
        return None
    steps = [each for each in reversed(crash.steps) if each.is_own]
    asked = {each.value for step in steps for each in step.on_line(ast.Constant)}
    asked |= {each.attr for step in steps for each in step.on_line(ast.Attribute)}
    for step in steps:
        for node in _read_on_line(step, asked):
            cells = held_by(node, step.frame)
            if (odd := _odd_among(cells)) is not None:
                return NO_TEXT.found(
                    expected=f"a text in each of the {len(cells)} cells of {ast.unparse(node)}",
                    received=f"{odd.told}, the first at {odd.first}, where {crash.place} reads texts",
                    fix=_mended(step, node, cells, odd),
                )
    return None


def _read_on_line(step: TraceStep, asked: set[Any]) -> Iterator[ast.expr]:
    """Yield names, attributes and elements on a frame's line, or that a loop around it goes through, longest first.

    Of a table it is the columns that are asked for.
    """
    text = ProgramText(step.frame, step.file)
    through = [each for loop in text.loops_around(step.line) for each in ast.walk(loop.iter)]
    found = [each for each in (*text.nodes, *through)
             if isinstance(each, ast.Name | ast.Attribute | ast.Subscript) and isinstance(each.ctx, ast.Load)
             and (each.lineno == step.line or each in through)]  # fmt: skip
    for node in sorted(found, key=lambda each: -len(ast.unparse(each))):
        yield node
        table = held_by(node, step.frame)
        for key in table.columns if type(table).__name__ == "DataFrame" else ():
            if isinstance(key, str) and key in asked:
                yield ast.copy_location(ast.Subscript(node, ast.Constant(key), ast.Load()), node)


def _odd_among(value: Any) -> Odd | None:
    """Return what stands among texts that is none, None where there are no texts or nothing else."""
    kind = type(value).__name__
    if not (isinstance(value, list | tuple) or kind == "Series" or (kind == "ndarray" and value.dtype == object)):
        return None
    if kind == "ndarray" and value.ndim != 1:
        return None
    cells = list(islice(iter(value), MOST_CELLS))
    missing = [place for place, each in enumerate(cells) if _is_missing(each)]
    numbers = [place for place, each in enumerate(cells) if _is_number(each) and not _is_missing(each)]
    texts = sum(isinstance(each, str) for each in cells)
    if not texts or not (missing or numbers) or texts + len(missing) + len(numbers) < len(cells):
        return None
    return Odd(len(missing), len(numbers), min([*missing[:1], *numbers[:1]]))


def _is_missing(cell: Any) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating)


def _mended(step: TraceStep, node: ast.expr, value: Any, odd: Odd) -> str:
    """Return the line that makes all cells texts, before the line that reads them."""
    series = node
    while isinstance(series, ast.Attribute) and not _is_series(held_by(series, step.frame)):
        series = series.value  # `.values` of it
    name = ast.unparse(node)
    if _is_series(held_by(series, step.frame)):
        owner = ast.unparse(series.value) if isinstance(series, ast.Attribute) else ""
        name = f"{owner}[{series.attr!r}]" if isinstance(series, ast.Attribute) else ast.unparse(series)
        filled = f'{name}.fillna("")' if odd.missing else name
        made = f"{filled}.astype(str)" if odd.numbers else filled
    else:
        text = "str(each)" if odd.numbers else "each"
        made = f'["" if each is None or each != each else {text} for each in {name}]'
        made = f"np.array({made}, dtype=object)" if isinstance(value, np.ndarray) else made
    return f"{name} = {made}  # before {ProgramText(step.frame, step.file).at(node)}"


def _is_series(value: Any) -> bool:
    return type(value).__name__ == "Series" and hasattr(value, "fillna")
