"""The text of the program around a call: which statements stand before it, and one of them written anew.

A frame's file is read through `linecache`, so that notebooks and programs given as text are seen too.
"""

from __future__ import annotations

import ast
import copy
import functools
import linecache
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.statements.call_line import LONGEST, block_of, statement_of
from deep_mnist.doctor.evidence.live.statements.exchange import exchanged, extent_of
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


_BEHIND: dict[str, Sequence[str]] = {}  # names of the code that runs behind code of a name: a notebook's later cells


def remember_order(cells: Sequence[tuple[str, str]]) -> None:
    """Take (name, Python text) of code that runs one after another in one namespace, before any of it has run."""
    names = [name for name, _ in cells]
    for place, (name, text) in enumerate(cells):
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        _BEHIND[name] = names[place + 1 :]


def code_behind(file: str) -> Sequence[str]:
    """Return the names of the code that runs behind a module's, () where none is known."""
    return _BEHIND.get(file, ())


def code_before(file: str) -> Sequence[str]:
    """Return the names of the code that ran before a module's, () where none is known."""
    return [name for name, behind in _BEHIND.items() if file in behind]


class ProgramText:
    """A frame's program.

    Attributes:
        frame: Of the call.
        file: That is read: the frame's own, or another one.
        tree: Of the file, empty where there is no source.
        nodes: Of the tree, in the order of `ast.walk`.
    """

    def __init__(self, frame: FrameType, file: str = "") -> None:
        self.frame = frame
        self.file = file or frame.f_code.co_filename
        self.tree, self.nodes = _parsed("".join(linecache.getlines(self.file, frame.f_globals)))

    def function_at(self, code: CodeType) -> ast.FunctionDef | None:
        """Return the definition of a function by its code, None where it is not of this file."""
        for node in self.nodes:
            if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
                continue
            if code.co_firstlineno in (node.lineno, *(each.lineno for each in node.decorator_list)):
                return node
        return None

    def around(self, node: ast.expr) -> list[ast.stmt]:
        """Return the statements of the innermost function that a node stands in, of the module without one."""
        return statements_around(self.tree, node.lineno)

    def functions(self, *names: str) -> list[ast.FunctionDef]:
        """Return the definitions of functions of these names."""
        return [each for each in self.nodes if isinstance(each, ast.FunctionDef) and each.name in names]

    def calls(self, *names: str) -> list[ast.Call]:
        """Return the calls of functions or methods of these names, in the order of lines."""
        found = [node for node in self.nodes if isinstance(node, ast.Call) and called(node) in names]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    def calls_on(self, line: int, *names: str) -> list[ast.Call]:
        """Return those of these calls that stand on a line, or around it."""
        return [each for each in self.calls(*names) if each.lineno <= line <= (each.end_lineno or 0)]

    def call_on(self, line: int, name: str) -> ast.Call | None:
        """Return the only call of this name that stands on a line, or around it; None where there are several."""
        found = self.calls_on(line, name)
        return found[0] if len(found) == 1 else None

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """Return the innermost statement that holds a node, None where it is not of this tree."""
        return statement_of(self.tree, node)

    def loops_around(self, line: int) -> list[ast.For]:
        """Return the for loops that a line stands in, the outermost first."""
        loops = [node for node in self.nodes if isinstance(node, ast.For)]
        return sorted((each for each in loops if each.lineno <= line <= (each.end_lineno or 0)), key=lambda n: n.lineno)

    def value_of(self, node: ast.expr) -> Any:
        """Return what a plain name stands for in the frame, None where it is none."""
        if not isinstance(node, ast.Name):
            return None
        return self.frame.f_locals.get(node.id, self.frame.f_globals.get(node.id))

    def name_of(self, value: Any) -> str | None:
        """Return a name of the frame for this very object, None without one."""
        for space in (self.frame.f_locals, self.frame.f_globals):
            for name, each in list(space.items()):
                if each is value and not name.startswith("_"):
                    return name
        return None

    def at(self, node: ast.AST) -> str:
        """Return "train.py:12" for a node's line, "cell 4, line 2" of a notebook."""
        cell, line = self.file.rpartition(".ipynb, ")[2], getattr(node, "lineno", "?")
        return f"{cell}, line {line}" if cell != self.file else f"{Path(self.file).name}:{line}"

    def in_place(self, text: str, statement: ast.stmt) -> str:
        """Return a fix that stands for a statement, and for what else is on its line, with the line it belongs on."""
        whole = "; ".join(text if each is statement else ast.unparse(each) for each in self._on_line_of(statement))
        return f"{whole}  # {IN_PLACE} {self.at(statement)}"

    def is_as_it_stands(self, fix: str) -> bool:
        """Whether a fix is word for word the line that it is to stand in the place of."""
        body, _, comment = fix.partition("  # ")
        place = comment.partition(f"{IN_PLACE} ")[2]
        if not place:
            return False
        held = [each for each in self.nodes if isinstance(each, ast.stmt) and self.at(each) == place]
        try:
            return bool(held) and ast.unparse(ast.parse(body)) == "\n".join(map(ast.unparse, held))
        except (SyntaxError, ValueError):
            return False

    def _on_line_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements that stand side by side on one line with a statement, it among them."""
        _, block = block_of(self.tree, statement)
        side = [each for each in block if each.lineno == statement.lineno == each.end_lineno]
        return side if any(each is statement for each in side) else [statement]

    def repeated_around(self, node: ast.AST) -> list[int]:
        """Return the ids of the loops, comprehensions and functions that a node stands in."""
        around = (ast.For, ast.While, ast.FunctionDef, ast.Lambda, *COMPREHENSIONS)
        return [id(each) for each in self.nodes if isinstance(each, around) and holds(each, node)]

    def with_expression(self, old: ast.expr, new: ast.expr) -> str:
        """Return the statement around an expression with another one in its place; "" where it is no plain one."""
        statement = self.statement_of(old)
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
            return ""
        again = ast.unparse(exchanged(statement, [(old, new)]))
        return self.in_place(again, statement) if len(again) <= LONGEST else ""

    def rewritten(self, call: ast.Call, positional: Sequence[ast.expr] = (), **keywords: ast.expr) -> str:
        """Return the statement around a call with arguments set, and where it belongs; "" where it is no plain one."""
        statement = self.statement_of(call)
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
            return ""
        text = ast.unparse(with_keywords(statement, call, keywords, positional))
        return self.in_place(text, statement) if len(text) <= LONGEST else ""


def texts_around(frame: FrameType | None) -> list[ProgramText]:
    """Return the texts of the user's files that a frame and its callers are of, and of all cells of a notebook."""
    frames: dict[str, FrameType] = {}
    for each in users_frames(frame):
        file = each.f_code.co_filename
        frames |= {name: each for name in (*code_before(file), file, *code_behind(file)) if name not in frames}
    return [ProgramText(each, name) for name, each in frames.items()]


def side_by_side(fixes: Sequence[str]) -> str:
    """Return fixes that each stand in the place of a statement as one; "" where one is none, or two share a line."""
    parts = [each.rsplit(f"  # {IN_PLACE} ", 1) for each in fixes]
    places = [each[-1] for each in parts]
    if not parts or any(len(each) != 2 for each in parts) or len(set(places)) < len(places):
        return ""
    return f"{'; '.join(each[0] for each in parts)}  # {IN_PLACE} {' and '.join(places)}"


def function_in(frame: FrameType | None, code: CodeType | None) -> tuple[ProgramText, ast.FunctionDef] | None:
    """Return the text of the file that a function's code is of, and its definition; None without source."""
    text = ProgramText(frame, code.co_filename) if frame is not None and code is not None else None
    definition = text.function_at(code) if text is not None and code is not None else None
    return (text, definition) if text is not None and definition is not None else None


def is_in_a_loop(frame: FrameType) -> bool:
    """Whether the line that a frame is at stands in a loop, or in a function that is called from one."""
    for outer in users_frames(frame):
        tree, line = ProgramText(outer).tree, outer.f_lineno
        loops = (node for node in ast.walk(_own_block(tree, outer)) if isinstance(node, ast.For | ast.While))
        if any(each.body[0].lineno <= line <= (each.end_lineno or 0) for each in loops):
            return True
    return False


def _own_block(tree: ast.AST, frame: FrameType) -> ast.AST:
    """Return the definition of a frame's function, the whole tree of a module's."""
    code, line = frame.f_code, frame.f_lineno
    named = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == code.co_name)
    around = (node for node in named if code.co_firstlineno <= node.lineno <= line <= (node.end_lineno or 0))
    return next(around, tree)


def statements_around(tree: ast.AST, line: int) -> list[ast.stmt]:
    """Return the statements of the innermost function that a line stands in, of the module without one."""
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    around = [each for each in functions if each.lineno <= line <= (each.end_lineno or 0)]
    holder: Any = max(around, key=lambda each: each.lineno, default=tree)
    return list(holder.body)


def called(node: ast.Call) -> str:
    """Return the last name of what is called: "shuffle" of dataset.shuffle(…)."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def argument_of(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """Return what a call states for a parameter, by its place or its name; None where arguments are unpacked."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return None
    return call.args[position] if len(call.args) > position else keyword_of(call, name)


def keyword_of(call: ast.Call, name: str) -> ast.expr | None:
    """Return what a call states for a keyword, None where it does not."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def with_keywords(
    statement: ast.stmt, call: ast.Call, keywords: dict[str, ast.expr], positional: Sequence[ast.expr] = ()
) -> ast.stmt:
    """Return a copy of a statement in which a call of it states these keywords, and begins with these arguments."""
    again = copy.deepcopy(statement)
    for node in ast.walk(again):
        if isinstance(node, ast.Call) and extent_of(node) == extent_of(call):
            node.args = [*positional, *node.args[len(positional) :]]
            kept = [each for each in node.keywords if each.arg not in keywords]
            added = [ast.keyword(name, value) for name, value in keywords.items()]
            spread = [each for each in kept if each.arg is None]
            node.keywords = [*(each for each in kept if each.arg is not None), *added, *spread]
    return ast.fix_missing_locations(again)


def names_set(nodes: list[ast.stmt]) -> Iterator[str]:
    """Yield every name that statements set, of loops and branches within them too."""
    for statement in nodes:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def holds(statement: ast.AST, node: ast.AST) -> bool:
    """Whether a node is a part of another one, or that itself."""
    return any(each is node for each in ast.walk(statement))


@functools.lru_cache(maxsize=32)
def _parsed(text: str) -> tuple[ast.AST, tuple[ast.AST, ...]]:
    """Return a text's tree and the nodes of it, which each of many checks looks through."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # a notebook cell with a magic, or no source at all
        tree = ast.Module([], [])
    return tree, tuple(ast.walk(tree))
