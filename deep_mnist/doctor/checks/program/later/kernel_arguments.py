"""Check of a notebook's parser of arguments: in a kernel it reads the kernel's own."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Sequence

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, code_before
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

KERNELS_OWN = "-f"  # the option that Jupyter starts a kernel with
NOTEBOOK = ".ipynb, "

KERNELS_ARGUMENTS = Rule(
    code="P130",
    name="parses-the-kernels-arguments",
    field="fit.names",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A cell of the notebook parses the command line, which in Jupyter is that of the kernel.",
    why="argparse does not know the kernel's -f: it prints its usage and the cell stops with SystemExit: 2.",
)


@check(KERNELS_ARGUMENTS)
def check_kernel_arguments(case: Case) -> Iterator[Finding]:
    """Yield the first cell that parses the kernel's arguments, where none has set others."""
    file = case.frame.f_code.co_filename if case.frame is not None else ""
    if case.frame is None or NOTEBOOK not in file:
        return
    cells = [ProgramText(case.frame, each) for each in (*code_before(file), file)]
    if any(isinstance(node, ast.Attribute) and node.attr == "argv" for cell in cells for node in cell.nodes):
        return
    for cell in cells:
        for call in _run_in_any_case(getattr(cell.tree, "body", []), "parse_args"):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            parser = cell.value_of(owner) if owner is not None else None
            if not call.args and not call.keywords and _refuses(parser):
                text = ast.unparse(call)
                yield KERNELS_ARGUMENTS.found(
                    expected="arguments that the cell states itself",
                    received=f"{text} at {cell.at(call)}, which reads {KERNELS_OWN} kernel.json in Jupyter",
                    fix=cell.with_expression(call, ast.parse(f"{text[:-1]}[])", mode="eval").body),
                )
                return


def _run_in_any_case(body: Sequence[ast.stmt], name: str) -> Iterator[ast.Call]:
    """Yield the calls of a method in statements that a cell runs on no condition but that it is a program."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
            yield from _run_in_any_case(statement.body, name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
            nodes = ast.walk(statement)
            yield from (each for each in nodes if isinstance(each, ast.Call) and called(each) == name)


def _refuses(parser: object) -> bool:
    """Whether it is a parser of the standard library's that knows no option of the kernel's name."""
    if type(parser) is not argparse.ArgumentParser or "-" not in parser.prefix_chars:
        return False
    options = [option for action in parser._actions for option in action.option_strings]
    return not any(each.startswith(KERNELS_OWN) for each in options)
