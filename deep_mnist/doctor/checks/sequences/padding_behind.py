"""Check of recurrent layers that read so much padding behind the words that nothing of these is left at the end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.sequences.padded_steps import padding_of
from deep_mnist.doctor.checks.training_code.live_batch import as_float, can_be_tried, outputs_of
from deep_mnist.doctor.evidence.live.own_code import all_layers
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of, side_by_side
from deep_mnist.doctor.evidence.sampling import sample_indices
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SAMPLE = 32  # sequences sent through, as they are and with their padding in front
FEWEST = 16  # steps of padding: a GRU of new weights halves what it holds at each
NEARLY_ALL = 0.9  # of the sequences; with one in ten that fills all steps, LSTMs stayed at chance for ten epochs
LOST = 1e-5  # of what the words do to the output where the padding stands in front
ROUNDING = 4 * float(np.finfo(np.float32).eps)  # of outputs
TOLD = 100  # times the rounding, that they do there at least

WORDS_FORGOTTEN = Rule(
    code="I167",
    name="words-forgotten-in-padding",
    field="images.preparation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="A recurrent layer reads so many zeros behind short sequences that its last state holds nothing of them.",
    why="Every sequence gets the same output, and no gradient reaches its words: accuracy stays at chance for long.",
)


@check(WORDS_FORGOTTEN)
def check_padding_behind(case: Case) -> Iterator[Finding]:
    """Yield padding behind sequences, where the network answers nearly all as it does a sequence of padding alone."""
    call = case.call
    if call is None or call.step is not None or case.contract.inputs or not can_be_tried(case):
        return
    if not any(hasattr(each, "return_sequences") for each in all_layers(call.model)):
        return
    padded = padding_of(case.train.images)
    if padded is None or padded.shape[1] <= FEWEST:
        return
    lengths = (~padded).sum(axis=1)
    behind = padded.sum(axis=1)[lengths > 0]
    if not len(behind) or (behind >= FEWEST).mean() < NEARLY_ALL:
        return
    share = _lost(case, padded)
    if share >= NEARLY_ALL:
        yield WORDS_FORGOTTEN.found(
            "train",
            expected=f"{case.example}s that the output tells from padding alone",
            received=f"{share:.0%} of {SAMPLE} get the output of zeros alone: {np.median(lengths):.0f} steps (median), "
            f"and {np.median(behind):.0f} zeros behind them",
            fix=_fix(case),
        )


def _lost(case: Case, padded: np.ndarray) -> float:
    """Return the share 0..1 of sequences of which nothing reaches the output, unless their padding stands in front."""
    images = case.train.images
    places = np.flatnonzero(~padded.all(axis=1))
    places = places[sample_indices(len(places), SAMPLE)] if len(places) else places
    if images is None or not len(places):
        return 0.0
    rows = as_float(np.asarray(images[places]))
    front = np.stack([np.roll(row, int(pads.sum()), axis=0) for row, pads in zip(rows, padded[places], strict=True)])
    made = outputs_of(case, np.concatenate([rows, front, np.zeros_like(rows[:1])]))
    if made is None or len(made) != 2 * len(rows) + 1 or not np.isfinite(made).all():
        return 0.0
    flat = made.reshape(len(made), -1).astype(np.float64)
    apart = np.abs(flat[:-1] - flat[-1]).max(axis=1)
    as_it_is, in_front = apart[: len(rows)], apart[len(rows) :]
    rounding = ROUNDING * max(float(np.abs(flat).max()), 1e-30)
    lost = (as_it_is <= np.maximum(LOST * in_front, rounding)) & (in_front > TOLD * rounding)
    return float(lost.mean())


def _fix(case: Case) -> str:
    """Return the line with a mask, or the lines that pad in front; a sentence where neither stands in the program."""
    words = 'Pad in front, with padding="pre", or leave the zeros out: a Masking layer before the recurrent one.'
    if case.frame is None or case.call is None:
        return words
    text = ProgramText(case.frame)
    embeddings = text.calls("Embedding")
    read_by = [each for each in all_layers(case.call.model) if type(each).__name__ == "Embedding"]
    if len(embeddings) == len(read_by) == 1 and _masks_arrive(case):
        return text.rewritten(embeddings[0], mask_zero=ast.Constant(True)) or "Make the Embedding with mask_zero=True."
    padding = [each for each in text.calls("pad_sequences") if keyword_of(each, "padding") is not None]
    return side_by_side([text.rewritten(each, padding=ast.Constant("pre")) for each in padding]) or words


def _masks_arrive(case: Case) -> bool:
    """Whether all layers between the words and the first recurrent layer hand a mask on."""
    for each in getattr(case.call.model, "layers", ()) if case.call is not None else ():
        if hasattr(each, "return_sequences"):
            return True
        if not getattr(each, "supports_masking", False) and type(each).__name__ not in ("InputLayer", "Embedding"):
            return False
    return False
