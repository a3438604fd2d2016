"""Check of a call of fit that is given inputs alone, by arrays, a dataset, a flow of pictures or a generator."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.inputs.count import arrays_in
from deep_mnist.doctor.checks.live.batch_fixes import code_of, function_of, source_of
from deep_mnist.doctor.checks.live.own_words import MODES, data_of
from deep_mnist.doctor.checks.program.first_step import TRIED, steps_as_keras_does
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LABELS_MISSING = Rule(
    code="P016",
    name="fit-without-labels",
    field="fit.labels",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="fit is given inputs alone, and the model was compiled with a loss that compares its output with labels.",
    why='Keras stops at the first step: "None values not supported".',
)
FROM_FILES = ("flow_from_directory", "flow_from_dataframe")
INPUTS_AS_LABELS = "the inputs are an autoencoder's own labels"


@check(LABELS_MISSING)
def check_labels_given(case: Case) -> Iterator[Finding]:
    """Yield a call without labels for a loss that takes them."""
    call = case.call
    if call is None or call.verb not in TRIED or call.y is not None or not _is_without_labels(case, call.x):
        return
    if not steps_as_keras_does(call.model) or not _compares(call.model):
        return
    yield LABELS_MISSING.found(
        "train",
        expected=f"labels for the loss of compile(): {_told_loss(call.model)}",
        received=_received(call.x),
        fix=_fix(case, call.x),
    )


def _is_without_labels(case: Case, x: Any) -> bool:
    """Whether x is inputs alone: arrays, a dataset whose elements are no pairs, or batches that are none."""
    if hasattr(x, "element_spec"):
        return not isinstance(x.element_spec, tuple) or len(x.element_spec) == 1
    if arrays_in(x):
        return True
    if case.train.images is None or case.train.labels is not None or case.train.targets:
        return False
    batch = _first_batch(x)
    if isinstance(batch, tuple | list):
        return len(batch) == 1 or (len(batch) == 2 and batch[1] is None)
    return hasattr(batch, "shape")


def _first_batch(x: Any) -> Any:
    """Return the first batch of a sequence, or of a generator that was drawn from; None where it tells none."""
    if inspect.isgenerator(x) and x.gi_frame is not None:
        drawn = x.gi_frame.f_locals.get("first")
        return drawn[0] if isinstance(drawn, list) and drawn else None
    if not hasattr(x, "__getitem__"):
        return None
    with unchanged_random_states():
        try:
            return x[0]
        except Exception:  # a sequence's own code may raise anything; fit then says so
            return None


def _compares(model: Any) -> bool:
    """Whether the one output goes through a loss to which Keras hands the labels as a tensor."""
    import keras

    known, loss = getattr(model, "outputs", None), getattr(model, "loss", None)
    if len(known) != 1 if known else not isinstance(model, keras.Sequential):
        return False
    if isinstance(loss, keras.Loss):
        return type(loss).__call__ is keras.Loss.__call__
    return isinstance(loss, str) or (callable(loss) and not isinstance(loss, type))


def _told_loss(model: Any) -> str:
    loss = model.loss
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def _received(x: Any) -> str:
    if getattr(x, "class_mode", "") is None:
        return "no labels: the flow was made with class_mode=None"
    return "no labels" if arrays_in(x) or hasattr(x, "element_spec") else "batches of inputs alone"


def _fix(case: Case, x: Any) -> str:
    """Return the program's line that gives labels, where the data and the output tell it; else what gives them."""
    images, made = case.train.images, case.contract.output_shape
    own = images is not None and made is not None and tuple(made) == images.shape[1:]
    if hasattr(x, "element_spec"):
        pairs = f"train_images = train_images.map(lambda x: (x, x))  # {INPUTS_AS_LABELS}"
        return pairs if own else "Let the dataset yield (inputs, labels)."
    if hasattr(x, "class_mode"):
        return _of_flow(case, x, own)
    if arrays_in(x):
        again = "Give the inputs as an autoencoder's targets: model.fit(train_images, train_images)."
        return (_of_arrays(case) or again) if own else "Give the labels too: model.fit(train_images, train_labels)."
    if hasattr(x, "image_data_generator"):
        return "Give flow() the labels too: flow(images, labels)."
    return (_of_batches(case) if own else "") or "Let each batch be a pair (inputs, labels)."


def _of_flow(case: Case, flow: Any, own: bool) -> str:
    """Return the reader's line with the form of labels that the loss takes, or with the pictures as their own."""
    kinds, units = len(getattr(flow, "class_indices", None) or ()), case.contract.output_units
    mode = MODES.get(case.contract.loss or "", ("", ""))[0]
    fits = kinds > 1 and units == (1 if mode == "binary" else kinds) and (mode != "binary" or kinds == 2)
    stated = "input" if own else mode if fits else ""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = text.calls(*FROM_FILES) if text is not None else []
    calls = [each for each in calls if getattr(keyword_of(each, "class_mode"), "value", "") is None]
    if text is not None and stated and len(calls) == 1:
        line = text.rewritten(calls[0], class_mode=ast.Constant(stated))
        if line:
            return line
    given = f'class_mode="{stated}"' if stated else "class_mode as the loss takes the labels"
    return f"Give {FROM_FILES[0]} {given}: it is what makes labels of the folders or of the pictures."


def _of_arrays(case: Case) -> str:
    """Return the program's call of fit with its inputs as the labels too."""
    text = ProgramText(case.frame) if case.frame is not None else None
    fit = text.call_on(text.frame.f_lineno, "fit") if text is not None else None
    given = argument_of(fit, 0, "x") if fit is not None else None
    if text is None or fit is None or not isinstance(given, ast.Name | ast.Subscript | ast.Attribute):
        return ""
    return text.rewritten(fit, (given, given)) if fit.args else text.rewritten(fit, y=given)


def _of_batches(case: Case) -> str:
    """Return the only yield of a generator, or the return of __getitem__, with the inputs as the labels too."""
    data = source_of(data_of(case, "train"))
    code = getattr(data, "gi_code", None)
    found = function_of(case, code or code_of(type(data), "__getitem__"))
    if found is None:
        return ""
    text, definition = found
    given = [each for each in ast.walk(definition) if isinstance(each, ast.Yield if code else ast.Return)]
    value, statement = (given[0].value, text.statement_of(given[0])) if len(given) == 1 else (None, None)
    if isinstance(value, ast.Tuple) and len(value.elts) == 1:
        value = value.elts[0]
    if value is None or isinstance(value, ast.Tuple | ast.List) or not isinstance(statement, ast.Expr | ast.Return):
        return ""
    word, inputs = "yield" if code else "return", ast.unparse(value)
    made = f"{word} {inputs}, {inputs}" if isinstance(value, ast.Name) else f"batch = {inputs}; {word} batch, batch"
    return text.in_place(made, statement)
