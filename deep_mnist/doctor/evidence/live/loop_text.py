"""The step of a custom loop as it stands in its program: the statements behind the model's call, to be run again."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

from deep_mnist.doctor.evidence.live.own_step import OwnStep, is_trainer
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, names_set, statements_around
from deep_mnist.doctor.evidence.live.statements.tape_blocks import blocks_of

MOST_STATEMENTS = 40  # run behind the model's call


def step_of_frames(model: Any, x: Any, y: Any, frames: Sequence[FrameType]) -> OwnStep | None:
    """Return the rest of an eager loop's step, from the statement that calls the model on.

    Args:
        model, x, y: That is called, its batch and the batch's labels, as the frame holds them.
        frames: The user's, nearest first.
    """
    for frame in frames:
        text = ProgramText(frame)
        block = _rest_of_block(text.tree, frame.f_lineno)
        if block is None:
            continue
        code = _compiled(block, frame.f_code.co_filename)
        if code is None:
            return None
        owners = tuple(each for each in _values(frame) if is_trainer(each))
        place = f"{text.at(block[0])}"
        return OwnStep(model, x, y, _runner(frame, code, y), owners, _name_of(frame.f_code), place=place,
                       code=frame.f_code, is_exact=_is_exact(text, block[0]))  # fmt: skip
    return None


def comes_to_a_tape(frames: Sequence[FrameType]) -> bool:
    """Whether what a call outside of a tape gives is read in the block of one, as far as the program's text tells.

    What is only shown or written down stays in its function, or is read elsewhere.

    Args:
        frames: The user's around the call, nearest first.
    """
    for frame in frames:
        body = statements_around(ProgramText(frame).tree, frame.f_lineno)
        simple = _simple(body)
        made = next((place for place, each in enumerate(simple) if _holds(each, frame.f_lineno)), None)
        if made is None:
            return True
        names = set(names_set([simple[made]]))
        for each in simple[made + 1 :]:
            if _reads(each, names):
                names |= set(names_set([each]))
        tapes = blocks_of(ast.Module(body, []))
        if any(_reads(each, names - set(names_set(each.body))) for each in tapes):
            return True
        if any(_reads(each, names) for each in simple if _asks(each)):
            return True
        if not any(each is simple[made] or _reads(each, names) for each in simple if isinstance(each, ast.Return)):
            return False
    return False


def _simple(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that hold no others, of blocks within too, in the order of lines."""
    within = [each for one in body for each in ast.walk(one) if isinstance(each, ast.stmt)]
    return sorted((each for each in within if not hasattr(each, "body")), key=lambda each: each.lineno)


def _holds(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or 0)


def _reads(code: ast.AST, names: set[str]) -> bool:
    loaded = (each for each in ast.walk(code) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
    return any(each.id in names for each in loaded)


def _is_exact(text: ProgramText, first: ast.stmt) -> bool:
    """Whether a step's first statement stands so in its program: a block whose beginning was left out does not."""
    same = (each for each in text.nodes if isinstance(each, ast.With) and each.lineno == first.lineno)
    return not isinstance(first, ast.With) or any(len(each.body) == len(first.body) for each in same)


def _name_of(code: CodeType) -> str:
    return "the loop" if code.co_name == "<module>" else code.co_name


def _values(frame: FrameType) -> list[Any]:
    spaces = (frame.f_locals, frame.f_globals)
    return [each for space in spaces for each in list(space.values())]


def _runner(frame: FrameType, code: CodeType, labels: Any) -> Callable[[Any, Any], Any]:
    """Return what runs statements in a copy of a frame's names, with other targets where they stood."""

    def run(_x: Any, y: Any) -> None:
        space = {**frame.f_globals, **frame.f_locals}
        if y is not labels:
            space |= {name: y for name, value in frame.f_locals.items() if value is labels}
        exec(code, space)

    return run


def _rest_of_block(tree: ast.AST, line: int) -> list[ast.stmt] | None:
    """Return the statements from that of a line on, up to the one that asks the tape for a gradient, and the next few.

    None where no tape is asked behind it in the same block or in the block around its `with`.
    """
    for body in _bodies(tree):
        place = next((index for index, each in enumerate(body) if each.lineno <= line <= (each.end_lineno or 0)), None)
        if place is None:
            continue
        first = body[place]
        asked = [index for index, each in enumerate(body) if index >= place and _asks(each)]
        if not asked or isinstance(first, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.If):
            continue
        rest = body[place + 1 :]
        if isinstance(first, ast.With):
            inner = _rest_of_with(first, line)
            if inner is None:
                continue
            first = inner
        return [first, *rest][:MOST_STATEMENTS]
    return None


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements, the outermost first."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _asks(statement: ast.stmt) -> bool:
    return any(isinstance(each, ast.Call) and called(each) in ("gradient", "minimize") for each in ast.walk(statement))


def _rest_of_with(block: ast.With, line: int) -> ast.With | None:
    """Return a `with` whose body begins at the statement of a line, or whole where what is before may run again."""
    place = next((i for i, each in enumerate(block.body) if each.lineno <= line <= (each.end_lineno or 0)), None)
    if place is None:
        return None
    body = block.body if _may_run_again(block.body[:place]) else block.body[place:]
    return ast.copy_location(ast.With(items=block.items, body=body), block)


def _may_run_again(statements: Sequence[ast.stmt]) -> bool:
    """Whether statements only set names, none of which they have read before: they give the same once more."""
    read: set[str] = set()
    for each in statements:
        if not isinstance(each, ast.Assign) or not all(isinstance(to, ast.Name | ast.Tuple) for to in each.targets):
            return False
        read |= {to.id for to in ast.walk(each.value) if isinstance(to, ast.Name)}
        if read & set(names_set([each])):
            return False
    return True


def _compiled(statements: list[ast.stmt], file: str) -> CodeType | None:
    """Compile statements, up to a return, break or continue, and up to the last that applies gradients, where one does.

    None where they hold what only a function may.
    """
    ends = (each for each in statements if isinstance(each, ast.Return | ast.Break | ast.Continue))
    whole = list(statements[: statements.index(end)] if (end := next(ends, None)) is not None else statements)
    last = max((place for place, each in enumerate(whole) if isinstance(each, ast.Expr) and _applies(each)), default=-1)
    kept = whole[: last + 1] or whole
    try:
        return compile(ast.fix_missing_locations(ast.Module(kept, [])), file, "exec")
    except SyntaxError:
        return None


def _applies(statement: ast.stmt) -> bool:
    names = ("apply_gradients", "apply", "minimize")
    return any(isinstance(each, ast.Call) and called(each) in names for each in ast.walk(statement))
