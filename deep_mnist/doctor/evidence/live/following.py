"""What a program will do after a call of fit, read from the statements behind it.

Only what surely comes is followed: no branch whose condition is open, no `try` that would catch an error. A name that
is set again stands for what is known of its new value, or for nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, FunctionType, MethodType
from typing import Any

from deep_mnist.doctor.evidence.live.names_then import Got, Meant, NamesThen, is_guard
from deep_mnist.doctor.evidence.live.own_code import is_function_of_a_library, is_of_a_library
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, code_behind, names_set

DEEPEST = 2  # functions of one's own that are followed inside of one another
ENDING = ("exit", "quit", "_exit", "abort")
CATCHING = ("suppress", "raises", "assertRaises", "assertRaisesRegex")
HARMLESS = ("KeyboardInterrupt", "SystemExit", "GeneratorExit")


@dataclass(frozen=True)
class Use:
    """An expression that will be evaluated.

    Attributes:
        node: Of the program's tree.
        statement: That holds it.
        scope: Whose names it goes by, as they are when it is yielded.
        sure: It is evaluated in any case, and not by a condition.
    """

    node: ast.expr
    statement: ast.stmt
    scope: Following
    sure: bool

    def value(self, node: ast.expr) -> Any:
        """Return what an expression stands for then, None where that is not known."""
        return self.scope.value(node)

    def called_on(self, owner: Any, *verbs: str) -> ast.Call | None:
        """Return the expression as a call of one of these methods of an object, None of any other expression."""
        node = self.node
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in verbs:
            return None
        return node if self.value(node.func.value) is owner else None


class Following(NamesThen):
    """The names of one block of code from some statement on.

    Args:
        text: Of the program.
        names: Of the frame or function.
        model: Of the fit.
        conditional: Follow branches whose condition is open too, unless they look whether something is there.
        depth: Functions that are followed already.
    """

    def __init__(
        self, text: ProgramText, names: Mapping[str, Any], model: Any, *, conditional: bool = False, depth: int = 0
    ) -> None:
        super().__init__(names, model)
        self.text, self.depth, self.conditional = text, depth, conditional
        self.returned: Any = None
        self.ended = False
        self.sure = True

    # --- statements

    def rest(self, body: Sequence[ast.stmt], line: int) -> Iterator[Use]:
        """Yield what comes from the statement of a line on, in its block and then in those around it."""
        for index, each in enumerate(body):
            if each.lineno <= line <= (each.end_lineno or 0):
                yield from self._rest_of(each, line)
                yield from self.walk(body[index + 1 :])
                return

    def _rest_of(self, statement: ast.stmt, line: int) -> Iterator[Use]:
        blocks = [getattr(statement, name, None) or [] for name in ("body", "orelse", "finalbody")]
        blocks += [each.body for each in getattr(statement, "handlers", ())]
        inner = next((each for each in blocks if any(s.lineno <= line <= (s.end_lineno or 0) for s in each)), None)
        if inner is None:
            yield from self.walk([statement])
            return
        if _catches(statement) and inner is blocks[0]:
            self.forget(inner)
        else:
            yield from self.rest(inner, line)
        if isinstance(statement, ast.For | ast.While):
            self.forget([statement])
        if isinstance(statement, ast.Try):
            yield from self.walk(statement.finalbody)

    def forget(self, statements: Sequence[ast.stmt]) -> None:
        """Take every name that statements set for unknown."""
        self.changed |= dict.fromkeys(names_set(list(statements)))

    def walk(self, statements: Sequence[ast.stmt]) -> Iterator[Use]:
        """Yield the expressions of statements that run one after another."""
        for each in statements:
            if self.ended:
                return
            if isinstance(each, ast.Break | ast.Continue):
                return
            yield from self._statement(each)

    def _statement(self, each: ast.stmt) -> Iterator[Use]:
        if isinstance(each, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            is_plain = isinstance(each, ast.FunctionDef) and not each.decorator_list
            self.changed[each.name] = each if is_plain else None
        elif isinstance(each, ast.If):
            yield from self.expressions(each.test, each)
            yield from self._branches(each)
        elif isinstance(each, ast.For | ast.While):
            yield from self.expressions(each.iter if isinstance(each, ast.For) else each.test, each)
            self.forget([each])
            yield from self.walk(each.body)
            self.forget([each])
        elif isinstance(each, ast.With) and not _catches(each):
            for item in each.items:
                yield from self.expressions(item.context_expr, each)
                self._bind(item.optional_vars, None)
            yield from self.walk(each.body)
        elif isinstance(each, ast.Try) and not _catches(each):
            yield from self.walk([*each.body, *each.orelse, *each.finalbody])
        elif hasattr(each, "body") or hasattr(each, "cases"):
            self.forget([each])
        else:
            yield from self._plain(each)

    def _branches(self, each: ast.If) -> Iterator[Use]:
        truth = self.truth(each.test)
        if truth is not None:
            yield from self.walk(each.body if truth else each.orelse)
            return
        if self.conditional and not self._asks(each.test):
            kept, self.sure = self.sure, False
            for branch in (each.body, each.orelse):
                yield from self.walk(branch)
                self.ended = False
            self.sure = kept
        self.forget([each])

    def _plain(self, each: ast.stmt) -> Iterator[Use]:
        value = getattr(each, "value", None) or getattr(each, "exc", None) or getattr(each, "test", None)
        if isinstance(value, ast.expr):
            yield from self.expressions(value, each)
        if isinstance(each, ast.Assign):
            for target in each.targets:
                yield from self._bind_seen(target, each)
        elif isinstance(each, ast.AnnAssign | ast.AugAssign):
            self._bind(each.target, each.value if isinstance(each, ast.AnnAssign) else None)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            self.changed |= {(name.asname or name.name).partition(".")[0]: None for name in each.names}
        elif isinstance(each, ast.Return):
            self.returned = self.value(each.value) if each.value is not None else None
        self.ended |= isinstance(each, ast.Return | ast.Raise) or _ends(each)

    def _bind_seen(self, target: ast.expr, statement: ast.Assign) -> Iterator[Use]:
        if not isinstance(target, ast.Name):
            yield Use(target, statement, self, self.sure)
        self._bind(target, statement.value)

    def _bind(self, target: ast.expr | None, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name | ast.Attribute):
            self.changed[ast.unparse(target)] = self.value(value) if value is not None else None
        elif target is not None:
            self.forget([ast.Expr(target)])

    # --- expressions

    def expressions(self, node: ast.AST, statement: ast.stmt) -> Iterator[Use]:
        """Yield an expression and those within it that are evaluated with it."""
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.expr):
            yield Use(node, statement, self, self.sure)
        if isinstance(node, ast.IfExp):
            yield from self.expressions(node.test, statement)
            return
        if isinstance(node, ast.BoolOp):
            yield from self._parts(node, statement)
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            self.changed |= dict.fromkeys(names_set([ast.Expr(made.target) for made in node.generators]))
        for child in ast.iter_child_nodes(node):
            yield from self.expressions(child, statement)
        if isinstance(node, ast.Call) and id(node) not in self.results:
            yield from self._called(node)
            made = Use(node, statement, self, self.sure).called_on(self.model, "compile", "fit")
            self.made_anew |= made is not None

    def _parts(self, node: ast.BoolOp, statement: ast.stmt) -> Iterator[Use]:
        kept = self.sure
        for index, each in enumerate(node.values):
            yield from self.expressions(each, statement)
            truth = self.truth(each)
            if truth is isinstance(node.op, ast.Or) or (truth is None and (not self.conditional or self._asks(each))):
                break
            self.sure &= truth is not None or index == len(node.values) - 1
        self.sure = kept

    def _asks(self, test: ast.expr) -> bool:
        """Whether a condition asks whether something is there."""
        return is_guard(test) or isinstance(self.value(test), Got)

    def _called(self, node: ast.Call) -> Iterator[Use]:
        function = self.value(node.func)
        inner = self._defined_since(function) or function_block(function, self.text, self.model, self.depth + 1)
        if inner is None or self.depth >= DEEPEST:
            self.made_anew |= inner is not None  # as far as is known
            return
        scope, definition = inner
        names = [each.arg for each in (*definition.args.posonlyargs, *definition.args.args)]
        first = 1 if isinstance(function, MethodType) else 0
        given = dict(zip(names[first:], node.args, strict=False)) | {e.arg: e.value for e in node.keywords if e.arg}
        scope.changed |= {name: self.value(each) for name, each in given.items()}
        yield from scope.walk(definition.body)
        self.made_anew |= scope.made_anew
        self.results[id(node)] = scope.returned

    def _defined_since(self, function: Any) -> tuple[Following, ast.FunctionDef] | None:
        """Return the names within a function that a statement behind the fit defines, and the function."""
        if not isinstance(function, ast.FunctionDef) or any(each.arg is None for each in function.args.args):
            return None
        names = {**self.names, **self.changed}
        scope = Following(self.text, names, self.model, conditional=self.conditional, depth=self.depth + 1)
        scope.changed |= dict.fromkeys([*names_set(function.body), *(each.arg for each in function.args.args)])
        return scope, function


def function_block(
    function: Any, text: ProgramText, model: Any, depth: int = 0, *, conditional: bool = False
) -> tuple[Following, ast.FunctionDef] | None:
    """Return the names within a function of the user's and its definition, None where it is none or has no source."""
    bound = function if isinstance(function, MethodType) else None
    plain = bound.__func__ if bound is not None else function
    if not isinstance(plain, FunctionType) or is_function_of_a_library(plain):
        return None
    own = ProgramText(text.frame, plain.__code__.co_filename)
    definition = own.function_at(plain.__code__)
    if definition is None or any(each.arg is None for each in definition.args.args):
        return None
    cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=False)
    held = {name: cell.cell_contents for name, cell in cells if _is_full(cell)}
    scope = Following(own, {**plain.__globals__, **held}, model, conditional=conditional, depth=depth)
    scope.changed |= dict.fromkeys(plain.__code__.co_varnames)
    if bound is not None:
        scope.changed[plain.__code__.co_varnames[0]] = bound.__self__
    return scope, definition


def after_fit(frame: FrameType | None, model: Any, verb: str = "fit") -> Iterator[Use]:
    """Yield what comes after a call of fit in its function, and then in those that called this one."""
    name, result = verb, Meant.HISTORY
    while frame is not None and not is_of_a_library(frame):
        text = ProgramText(frame)
        names = {**frame.f_globals, **frame.f_locals}
        scope = Following(text, names, model)
        is_module = frame.f_code.co_name == "<module>"
        block: Any = text.tree if is_module else text.function_at(frame.f_code)
        if block is None:
            return
        if (node := text.call_on(frame.f_lineno, name)) is not None:
            scope.results[id(node)] = result
        yield from scope.rest(block.body, frame.f_lineno)
        if is_module:
            for cell in code_behind(text.file):
                scope.text = ProgramText(frame, cell)
                yield from scope.walk(getattr(scope.text.tree, "body", []))
            return
        name, result, frame = frame.f_code.co_name, scope.returned, frame.f_back


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _catches(statement: ast.stmt) -> bool:
    """Whether an error within a statement's body may be caught there."""
    if isinstance(statement, ast.With):
        return any(isinstance(n, ast.Call) and called(n) in CATCHING for i in statement.items for n in ast.walk(i))
    kinds = [ast.unparse(each.type) if each.type is not None else "" for each in getattr(statement, "handlers", ())]
    return any(each not in HARMLESS for each in kinds)


def _ends(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Expr) and isinstance(value, ast.Call) and called(value) in ENDING
