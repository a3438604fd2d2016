"""The lines of a loss of one's own, written anew, each with its place; a sentence where no line is plain."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.evidence.live.lineage import names_in
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.evidence.live.statements.tape_blocks import blocks_of, way_out

PLAIN = (ast.Assign, ast.Return, ast.Expr, ast.AugAssign, ast.AnnAssign)
ROUNDING = ("round", "rint", "sign", "floor", "ceil", "stop_gradient")
NUMPY = ("np", "numpy")
Change = Callable[[ast.AST], ast.AST | None]


@dataclass
class LossLines:
    """The source of a loss, or of the step that computes it.

    Attributes:
        name: For sentences.
        text: Of the file; None where there is no source.
        statements: Plain ones, in the order of lines.
        parameters: Names of the targets and the predictions, where it is a function of both.
        of_step: It is a step, and no function of targets and predictions.
    """

    name: str
    text: ProgramText | None
    statements: list[ast.stmt]
    parameters: tuple[str, ...] = ()
    of_step: bool = False

    def changed(self, change: Change, *, first_only: bool = False) -> str:
        """Return the statements that a change of expressions alters, as one line; "" for none."""
        if self.text is None:
            return ""
        again = [(each, _rewritten(each, change)) for each in self.statements]
        altered = [(each, text) for each, text in again if text]
        altered = altered[:1] if first_only else altered
        places = " and ".join(self.text.at(each) for each, _ in altered)
        return f"{'; '.join(text for _, text in altered)}  # in place of {places}" if altered else ""

    def with_ops(self) -> str:
        """Return the lines with Keras's operations in the place of numpy's."""

        def change(node: ast.AST) -> ast.AST | None:
            if isinstance(node, ast.Name) and node.id in NUMPY:
                return ast.parse("keras.ops", mode="eval").body
            if isinstance(node, ast.Call) and called(node) == "numpy" and isinstance(node.func, ast.Attribute):
                return node.func.value
            return None

        out = self.kept_on_tape() if self.of_step else None
        line = out[1] if out is not None else self.changed(change)
        return line or f"Write {self.name} with keras.ops in the place of numpy and Python's own float, max and if."

    def with_arguments_swapped(self) -> str:
        """Return the call of a loss of Keras with targets first."""

        def change(node: ast.AST) -> ast.AST | None:
            if not isinstance(node, ast.Call) or len(node.args) != 2 or not self._is_loss(node):
                return None
            return ast.Call(node.func, [node.args[1], node.args[0]], node.keywords)

        line = self.changed(change)
        return line or f"Exchange the two arguments of the loss in {self.name}: y_true first, then y_pred."

    def _is_loss(self, node: ast.Call) -> bool:
        if len(self.parameters) == 2 and [getattr(each, "id", "") for each in node.args] == [*self.parameters[::-1]]:
            return True
        frame = self.text.frame if self.text is not None else None
        value = self.text.value_of(node.func) if self.text is not None and frame is not None else None
        module = str(getattr(value, "__module__", "") or type(value).__module__)
        named = called(node).endswith(("crossentropy", "divergence", "poisson")) or "loss" in called(node).lower()
        return named or (".losses" in module and value is not None)

    def with_positive_logarithms(self) -> str:
        """Return the lines in which the argument of every logarithm and root is at least 1e-7."""

        def change(node: ast.AST) -> ast.AST | None:
            if not isinstance(node, ast.Call) or called(node) not in ("log", "log2", "sqrt") or len(node.args) != 1:
                return None
            root = ast.unparse(node.func).rpartition(".")[0].removesuffix(".math") or "keras.ops"
            kept = ast.parse(f"{root}.maximum({ast.unparse(node.args[0])}, 1e-7)", mode="eval").body
            return ast.Call(node.func, [kept], node.keywords)

        line = self.changed(change)
        return line or f"Keep what {self.name} divides by, and takes the logarithm or root of, above 1e-7."

    def without_missing(self) -> str:
        """Return the only statement on both targets and predictions, with predictions for the targets that are NaN."""
        if self.text is None or len(self.parameters) != 2:
            return ""
        both = [each for each in self.statements if set(self.parameters) <= set(names_in(each))]
        y, p = self.parameters
        present = ast.parse(f"keras.ops.where(keras.ops.isnan({y}), {p}, {y})", mode="eval").body
        text = _rewritten(both[0], lambda node: present if isinstance(node, ast.Name) and node.id == y else None)
        return self.text.in_place(text, both[0]) if len(both) == 1 and text else ""

    @property
    def line_of_loss(self) -> int | None:
        """Where the loss is made, in the file of the call; None where that is not known."""
        statement = self._of_loss()
        own = self.text is not None and self.text.file == self.text.frame.f_code.co_filename
        return statement.lineno if own and statement is not None else None

    def _is_of_model(self, node: ast.AST, model: Any) -> bool:
        """Whether an expression is the model's call."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or self.text is None:
            return False
        return node.func.id == "self" or self.text.value_of(node.func) is model

    def with_same_shape(self, y: tuple[int, ...], p: tuple[int, ...], model: Any) -> str:
        """Return the line that brings targets and predictions to one shape."""
        if self.of_step:
            axis = "[:, 0]" if len(p) > len(y) else "[:, None]"

            def of_model(node: ast.AST) -> ast.AST | None:
                trains = isinstance(node, ast.Call) and any(each.arg == "training" for each in node.keywords)
                if not trains and not self._is_of_model(node, model):
                    return None
                return ast.parse(f"{ast.unparse(node)}{axis}", mode="eval").body

            line = self.changed(of_model, first_only=True)
            return line or f"Give the predictions of {self.name} the targets' shape before the loss: predictions{axis}."
        targets, predictions = (*self.parameters, "y_true", "y_pred")[:2]
        value = f"keras.ops.reshape({targets}, keras.ops.shape({predictions}))"

        def of_targets(node: ast.AST) -> ast.AST | None:
            named = isinstance(node, ast.Name) and node.id == targets and isinstance(node.ctx, ast.Load)
            return ast.parse(value, mode="eval").body if named else None

        line = self.changed(of_targets)
        return line or f"Begin {self.name} with {targets} = {value}."

    def without_other_axes(self) -> str:
        """Return the lines without axes that are added or dropped: targets and predictions have one shape already."""

        def change(node: ast.AST) -> ast.AST | None:
            bare = _without_axes(node)
            return bare if bare is not node else None

        line = self.changed(change)
        return (
            line
            or f"Compare in {self.name} row by row: y_true and y_pred come in one shape, so leave both as they are."
        )

    def with_gradient(self) -> str:
        """Return the lines without what has no gradient."""

        def change(node: ast.AST) -> ast.AST | None:
            if isinstance(node, ast.Call) and called(node) in ROUNDING and len(node.args) == 1:
                return node.args[0]
            return None

        out = self.kept_on_tape() if self.of_step else None
        line = out[1] if out is not None else self.changed(change)
        return line or (f"Leave rounding, comparisons, argmax and casts to integers out of {self.name}; they belong in "
                        "a metric.")  # fmt: skip

    def kept_on_tape(self) -> tuple[str, str] | None:
        """Return what turns the output into numpy within the step's tape, and the line without it; None without one."""
        if self.text is None or not self.statements:
            return None
        first, last = self.statements[0].lineno, self.statements[-1].lineno
        for block in (each for each in blocks_of(self.text.tree) if first - 1 <= each.lineno <= last):
            if (out := way_out(block)) is not None:
                told = f"{out.left_by}, at {self.text.at(out.statement)}, gives numpy, which the tape does not see"
                return told, f"{out.kept}  # in place of {self.text.at(out.statement)}"
        return None

    def with_training(self, model: Any, flag: str) -> str:
        """Return the lines that call the model, with training=True, or with what its call() names the flag."""

        def change(node: ast.AST) -> ast.AST | None:
            if not isinstance(node, ast.Call) or not self._is_of_model(node, model):
                return None
            kept = [each for each in node.keywords if each.arg != flag]
            return ast.Call(node.func, node.args, [*kept, ast.keyword(flag, ast.Constant(True))])

        return self.changed(change) or f"Call the model with {flag}=True inside of the tape, in {self.name}."

    def with_gradients_applied(self, optimizer: str, variables: str) -> str:
        """Return the line that computes the gradients, and the one that applies them to what they are of."""
        if self.text is not None:
            for each in self.statements:
                asked = [node for node in ast.walk(each) if isinstance(node, ast.Call) and called(node) == "gradient"]
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and asked:
                    of = ast.unparse(asked[0].args[1]) if len(asked[0].args) > 1 else variables
                    name, line = each.targets[0].id, ast.unparse(each)
                    applied = f"{optimizer}.apply_gradients(zip({name}, {of}))"
                    return self.text.in_place(f"{line}; {applied}", each)
        return (
            f"{optimizer}.apply_gradients(zip(gradients, {variables}))  # of the variables that the tape was asked for"
        )

    def with_same_variables(self) -> str:
        """Return the line that applies the gradients, to the variables that the tape was asked for."""
        asked = [node for each in self.statements for node in ast.walk(each)
                 if isinstance(node, ast.Call) and called(node) == "gradient" and len(node.args) > 1]  # fmt: skip
        sources = asked[0].args[1] if asked else None

        def change(node: ast.AST) -> ast.AST | None:
            if sources is None or not isinstance(node, ast.Call) or called(node) != "zip" or len(node.args) != 2:
                return None
            return ast.Call(node.func, [node.args[0], sources], node.keywords)

        return self.changed(change) or "Apply each gradient to the variable that tape.gradient was asked for."

    def with_sign_turned(self) -> str:
        """Return the line of the loss, negated."""
        statement = self._of_loss()
        if self.text is None or statement is None or statement.value is None:
            return f"Turn the sign of {self.name}: what is returned, negated."
        again = copy.deepcopy(statement)
        value = statement.value
        negated = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
        again.value = value.operand if isinstance(value, ast.UnaryOp) and negated else ast.UnaryOp(ast.USub(), value)
        return self.text.in_place(ast.unparse(ast.fix_missing_locations(again)), statement)

    def _of_loss(self) -> ast.Return | ast.Assign | None:
        """Return the statement that makes the loss: the last return, or what the tape is asked of."""
        if not self.of_step:
            return next((each for each in reversed(self.statements) if isinstance(each, ast.Return)), None)
        asked = [node for each in self.statements for node in ast.walk(each)
                 if isinstance(node, ast.Call) and called(node) == "gradient" and node.args]  # fmt: skip
        name = getattr(asked[0].args[0], "id", "") if asked else ""
        made = [each for each in self.statements
                if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", None) == name]  # fmt: skip
        return made[-1] if name and made else None


def lines_of(case: Case, trial: LossTrial | None = None) -> LossLines:
    """Return the source of a loss of the user's own, or of the step that computes it."""
    step = step_of(case)
    name = trial.name if trial is not None else step.name if step is not None else "the step"
    code = step.code if step is not None else _code_of(getattr(trial, "function", None))
    if case.frame is None or code is None:
        return LossLines(name, None, [], of_step=step is not None)
    text = ProgramText(case.frame, code.co_filename)
    definition: ast.AST | None = text.function_at(code)
    if definition is None:
        definition = text.tree if code.co_name == "<module>" else None
    if definition is None:
        return LossLines(name, None, [], of_step=step is not None)
    arguments = [each.arg for each in definition.args.args] if isinstance(definition, ast.FunctionDef) else []
    parameters = tuple(each for each in arguments if each != "self") if step is None else ()
    return LossLines(name, text, list(_plain(definition)), parameters, step is not None)


def _code_of(function: Any) -> CodeType | None:
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _plain(definition: ast.AST) -> Iterator[ast.stmt]:
    found = [each for each in ast.walk(definition) if isinstance(each, PLAIN)]
    yield from sorted(found, key=lambda each: each.lineno)


class _Rewriter(ast.NodeTransformer):
    def __init__(self, change: Change) -> None:
        self.change, self.changed = change, False

    def visit(self, node: ast.AST) -> ast.AST:
        again = self.change(node)
        if again is None:
            return super().generic_visit(node)
        self.changed = True
        return ast.copy_location(again, node)


def _rewritten(statement: ast.stmt, change: Change) -> str:
    rewriter = _Rewriter(change)
    again = rewriter.visit(copy.deepcopy(statement))
    return ast.unparse(ast.fix_missing_locations(again)) if rewriter.changed else ""


def _without_axes(node: ast.AST) -> ast.AST:
    """Return the expression of which [:, None], squeeze and expand_dims make another shape, itself where none does."""
    if isinstance(node, ast.Subscript) and any(getattr(each, "value", 0) is None for each in ast.walk(node.slice)):
        return _without_axes(node.value)
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("squeeze", "expand_dims")):
        return _without_axes(node.args[0])
    return node
