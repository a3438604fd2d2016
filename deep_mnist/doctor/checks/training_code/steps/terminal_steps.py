"""Check of targets of Q-learning: behind the last step of an episode there is no next value to be added."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ENDED = re.compile(r"(is_)?(done|terminal|terminated|terminations?|finished)s?(_batch|_b)?|batch_(done|terminal)s?|d")
GREATEST = ("max", "amax", "reduce_max")

NOT_ENDED = Rule(
    code="P112",
    name="target-goes-on-behind-the-end",
    field="labels.values",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A target adds the greatest next value to each reward, and the flag that an episode ended is never read.",
    why="The last step of an episode is worth what a state behind the end would be: the values grow without a bound.",
)


@check(NOT_ENDED)
def check_terminal_steps(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of the code that calls fit."""
    if case.call is None or case.frame is None:
        return
    text = ProgramText(case.frame)
    nodes = [each for of in text.around(ast.Pass(lineno=case.frame.f_lineno)) for each in ast.walk(of)]  # type: ignore[arg-type]
    read = {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    for ended, others, is_row in _unpacked(nodes):
        sums = [found for each in nodes if (found := _next_value(each, others)) is not None]
        if ended in read or len(sums) != 1:
            continue
        flag = f"1 - {ended}" if is_row else f'1 - np.asarray({ended}, "float32")'
        again = ast.parse(f"({ast.unparse(sums[0])}) * ({flag})", mode="eval").body
        yield NOT_ENDED.found(
            expected=f"no next value where {ended} says that the episode ended",
            received=f"{ast.unparse(sums[0])} for every step, at {text.at(sums[0])}; {ended} is never read",
            fix=text.with_expression(sums[0], again) or f"Multiply {ast.unparse(sums[0])} by ({flag}).",
        )
        return


def _unpacked(nodes: list[ast.AST]) -> Iterator[tuple[str, set[str], bool]]:
    """Yield the name of each flag of an end, those unpacked beside it, and whether they are of one step."""
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.For) else []
        for target in targets:
            held = [each for each in ast.walk(target) if isinstance(each, ast.Tuple)]
            names = [each.id for of in held[-1:] for each in of.elts if isinstance(each, ast.Name)]
            for ended in (each for each in names if len(names) > 3 and ENDED.fullmatch(each)):
                yield ended, {*names} - {ended}, isinstance(node, ast.For)


def _next_value(node: ast.AST, rewards: set[str]) -> ast.expr | None:
    """Return gamma * max(…) of `reward + gamma * max(…)`, in either order; None of any other expression."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    for reward, ahead in ((node.left, node.right), (node.right, node.left)):
        is_product = isinstance(ahead, ast.BinOp) and isinstance(ahead.op, ast.Mult)
        greatest = [each for each in ast.walk(ahead) if isinstance(each, ast.Call) and called(each) in GREATEST]
        if is_product and greatest and isinstance(reward, ast.Name) and reward.id in rewards:
            return ahead
    return None
