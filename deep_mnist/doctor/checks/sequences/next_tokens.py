"""Checks of networks that predict the next step of a sequence: the answer is not to stand in what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.contract.losses import DISTRIBUTION_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.case import Case, slug
from deep_mnist.doctor.checks.live.live_layers import layers_of
from deep_mnist.doctor.checks.live.own_words import data_of
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.looking_ahead import looks_ahead
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LOOKED_AT = 500  # sequences
FEWEST_STEPS = 4
CHANGING = 0.1  # of the steps; a constant sequence is its own next step
ATTENTION = ("MultiHeadAttention", "Attention", "AdditiveAttention", "GroupQueryAttention")

COPIED = Rule(
    code="L177",
    name="targets-are-the-inputs",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="Each step's target is the token that the network reads at this very step, and it reads none behind it.",
    why="The network copies its input: the loss falls to 0, and nothing is learned of what comes next.",
)
SEEN = Rule(
    code="L178",
    name="next-step-is-seen",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS),
    summary="The targets are the inputs one step later, and the output at a step depends on the input one step later.",
    why="The network copies the next step and does not predict it: the loss is near 0, what it generates is noise.",
)


INVERTED = "Invert attention_mask, of which 1 means that a step is read: it leaves out what is past, not what comes."


@check(COPIED, SEEN)
def check_next_step(case: Case) -> Iterator[Finding]:
    """Yield targets that stand in an input where the network reads them."""
    targets = _targets(case)
    if case.call is None or targets is None or targets.shape[1] < FEWEST_STEPS:
        return
    steps = targets.shape[1]
    for name, key, values in _inputs(case):
        if values.shape != targets.shape or not _changes(values):
            continue
        same, later = np.array_equal(values, targets), np.array_equal(values[:, 1:], targets[:, :-1])
        tokens = case.contract.loss in (*SPARSE_LOSSES, *DISTRIBUTION_LOSSES)
        if not (later or (same and tokens and case.call.arguments.get("sample_weight") is None)):
            continue
        inputs = case.train.images if key is None else case.call.x
        ahead = looks_ahead(case.call.model, inputs, key, steps)
        if same and ahead is False:
            yield _copied(case, name)
        elif later and ahead:
            yield _seen(case)


def _targets(case: Case) -> np.ndarray | None:
    """Return some targets (n, steps) as class numbers or numbers, None where they are no such."""
    labels = case.train.labels
    if labels is None:
        return None
    rows = labels.ndim == 3 and labels.shape[2] > 1 and labels.dtype.kind in "fiub"
    one_hot = rows and case.contract.loss in DISTRIBUTION_LOSSES
    return np.asarray(labels[:LOOKED_AT]).argmax(axis=2) if one_hot else _steps_of(labels)


def _inputs(case: Case) -> Iterator[tuple[str, Any, np.ndarray]]:
    """Yield (name, key in what fit is given, values (n, steps)) of each input, the name "" of the only one."""
    several, given = case.train.inputs, case.call.x if case.call is not None else None
    if not several:
        yield from (("", None, each) for each in [_steps_of(case.train.images)] if each is not None)
    elif isinstance(given, list | tuple | dict) and len(given) == len(several):
        for index, (name, each) in enumerate(several.items()):
            values = _steps_of(each)
            if values is not None:
                yield name, name if isinstance(given, dict) else index, values


def _steps_of(images: np.ndarray | None) -> np.ndarray | None:
    """Return some of an input's or target's sequences (n, steps), by their classes where each step is one-hot.

    None where they hold more at each step.
    """
    if images is None or images.dtype.kind not in "fiu" or images.ndim not in (2, 3) or not images.size:
        return None
    some = np.asarray(images[:LOOKED_AT])
    if some.ndim == 2 or some.shape[2] == 1:
        return some.reshape(some.shape[:2])
    one_hot = ((some == 0) | (some == 1)).all() and (np.count_nonzero(some, axis=2) == 1).all()
    return some.argmax(axis=2) if one_hot else None


def _changes(values: np.ndarray) -> bool:
    return bool((values[:, 1:] != values[:, :-1]).mean() > CHANGING)


def _copied(case: Case, name: str) -> Finding:
    of_input = f"input {name!r}" if name else "the input"
    return COPIED.found(
        "train",
        expected="targets one step later than what is read: the next token",
        received=f"targets equal to {of_input} at every step, and a network that reads no later one",
        fix=_shifted(case, name),
    )


def _shifted(case: Case, name: str) -> str:
    """Return the statement that drops the last step of an input and the first of the targets, where any length goes."""
    shapes = [each.shape[1:] for each in getattr(case.call.model, "inputs", None) or ()] if case.call else []
    at = list(case.train.inputs).index(name) if name else 0
    if at < len(shapes) and shapes[at] and shapes[at][0] is not None:
        return "Cut windows one token longer: y is x one step later, x = tokens[i:i + n], y = tokens[i + 1:i + n + 1]."
    if is_dataset(data_of(case, "train")):
        datas = [f"{each}_images" for each in case.splits]
        return "; ".join(f"{each} = {each}.map(lambda x, y: (x[:, :-1], y[:, 1:]))" for each in datas)
    splits = ["train"] if case.call is None or case.call.held_out is None else list(case.splits)
    suffix = f"_{slug(name)}" if name else ""
    pairs = [(f"{each}_images{suffix}", f"{each}_labels") for each in splits]
    return "; ".join(f"{x}, {y} = {x}[:, :-1], {y}[:, 1:]" for x, y in pairs)


def _seen(case: Case) -> Finding:
    return SEEN.found(
        "train",
        expected="an output at each step that depends on this step and those before it",
        received="targets that are the inputs one step later, and outputs that move when a later input does",
        fix=_causal(case),
    )


def _causal(case: Case) -> str:
    """Return the statement that keeps later steps from the one call of attention, or convolution; else a sentence."""
    text = ProgramText(case.frame) if case.frame is not None else None
    attended = list(_calls_of_attention(text)) if text is not None else []
    if text is not None and len(attended) == 1 and keyword_of(attended[0], "use_causal_mask") is None:
        (call,) = attended
        if keyword_of(call, "attention_mask") is not None and _hides_what_is_past(case):
            rest = [each for each in call.keywords if each.arg != "attention_mask"]
            causal = ast.keyword("use_causal_mask", ast.Constant(True))
            return text.with_expression(call, ast.Call(call.func, call.args, [*rest, causal])) or INVERTED
        if line := text.rewritten(call, use_causal_mask=ast.Constant(True)):
            return line
    return (
        "Let no layer read later steps: use_causal_mask=True in the call of an attention, no Bidirectional, and "
        'padding="causal" in a Conv1D.'
    )


def _hides_what_is_past(case: Case) -> bool:
    """Whether a mask of steps, as a layer of attention was given it, has a step read none before it: it is inverted."""
    for layer in layers_of(case):
        for node in getattr(layer, "_inbound_nodes", ()) if type(layer).__name__ in ATTENTION else ():
            mask = node.arguments.kwargs.get("attention_mask")
            if mask is None or type(mask).__name__ == "KerasTensor" or len(mask.shape) < 2:
                continue
            steps = np.asarray(mask).astype(bool).reshape(-1, *mask.shape[-2:])
            if steps.any() and not np.tril(steps, -1).any():
                return True
    return False


def _calls_of_attention(text: ProgramText) -> Iterator[ast.Call]:
    """Yield the calls of attention layers: made on the spot, or kept under a name or an attribute."""
    made = text.calls(*ATTENTION)
    kept = {_last_name(each) for call in made for each in getattr(text.statement_of(call), "targets", ())}
    for node in text.nodes:
        if isinstance(node, ast.Call) and (node.func in made or called(node) in kept - {""}):
            yield node


def _last_name(target: ast.expr) -> str:
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
