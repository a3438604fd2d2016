"""Judge a model and its data as they are in this process: the door behind check(), guard() and a script.

diagnosis = check(model, x_train, y_train, validation_data=(x_test, y_test), epochs=5)
diagnosis.raise_if_unfit()
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.acceptance import Accept, Choices, choices_of
from deep_mnist.doctor.capture.batches import batches_found
from deep_mnist.doctor.capture.draw import Drawn, is_kind
from deep_mnist.doctor.capture.draw_batches import without_end
from deep_mnist.doctor.capture.draw_call import (
    draw_train,
    draw_validation,
    example_shape,
    nothing_held,
    shape_taken,
)
from deep_mnist.doctor.capture.draw_tf_data import judge_pipeline
from deep_mnist.doctor.capture.fit_call import COMPILED, FACTS, FitCall, Verb
from deep_mnist.doctor.capture.live_model import contract_of_live, is_compiled, keras_of
from deep_mnist.doctor.capture.rehearse_call import rehearse_call
from deep_mnist.doctor.capture.rules import BATCHES_SORTED, NOT_COMPILED
from deep_mnist.doctor.capture.splits_of_call import fit_facts, order_of_whole, splits_of, validation_start
from deep_mnist.doctor.capture.tested_later import tested_later, validates
from deep_mnist.doctor.capture.words.layer_lines import in_layer_lines
from deep_mnist.doctor.capture.words.named import named, recompiled
from deep_mnist.doctor.capture.words.origin import Origin, origin_of
from deep_mnist.doctor.capture.words.pipeline_words import in_pipeline_words
from deep_mnist.doctor.case import Case, NotUsableError, named_in_order
from deep_mnist.doctor.checks.live.own_words import in_own_words, with_another_line, with_each_line_once
from deep_mnist.doctor.diagnosis import Broken, Diagnosis
from deep_mnist.doctor.evidence.class_runs import runs_of
from deep_mnist.doctor.evidence.live.statements.module_names import in_own_modules
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.finish import finish, with_more
from deep_mnist.doctor.judge import isolated, run_checks

OTHER_ARGUMENTS = (
    "callbacks", "verbose", "class_weight", "sample_weight", "initial_epoch", "validation_batch_size",
    "validation_freq", "max_queue_size", "workers", "use_multiprocessing",
)  # fmt: skip


def check(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    accept: Accept = None,
    ignore: Iterable[str] = (),
    rehearse: bool = False,
    frame: FrameType | None = None,
    **fit: Any,
) -> Diagnosis:
    """Return the diagnosis of the call model.fit(x, y, …), which is not made.

    Args:
        model: A compiled Keras model, of keras (on any backend), tf.keras or tf_keras. It is not changed.
        x: Images: an array or tensor (n, …) of any library; or a tf.data.Dataset, keras PyDataset or Sequence, torch
            DataLoader or generator of batches (x, y), of which a bounded sample is judged (and a generator used up).
        y: Labels (n,) or (n, classes); None where x holds them.
        validation_data: As fit takes it; it is judged as the test split.
        accept: {rule or field: reason}, or [{"rule" or "field", "split", "because"}]: findings that a person has taken
            responsibility for.
        ignore: Codes or names of rules that are not judged.
        rehearse: Run the network for some seconds too, when nothing was found before (`rehearsal.py`).
        frame: Of the code whose variables the findings are reported in; the caller's by default.
        **fit: What else fit receives: epochs, batch_size, shuffle, validation_split, steps_per_epoch, validation_steps;
            callbacks, verbose and the like are taken and not judged.

    Raises:
        NotUsableError: It is no Keras model (but torch's, scikit-learn's), or there is nothing to judge.
        TypeError: fit has no such argument.

    Example:
        >>> check(model, x_train, y_train, epochs=5).verdict  # doctest: +SKIP
        'unfit'
    """
    call = call_of_check(Verb.CHECK, model, x, y, {**fit, "validation_data": validation_data})
    choices = choices_of(accept, ignore)
    diagnosis = judge_call(call, frame or sys._getframe(1), choices=choices)
    return rehearsed(diagnosis, call, choices) if rehearse and diagnosis.verdict == "fit" else diagnosis


def rehearsed(diagnosis: Diagnosis, call: FitCall, choices: Choices) -> Diagnosis:
    """Return the diagnosis with what a short run of the network showed; its variables are restored."""
    started = time.perf_counter()
    found = [in_own_modules(each, diagnosis.case.frame) for each in rehearse_call(call, diagnosis.case.train)]
    return with_more(diagnosis, found, choices, time.perf_counter() - started)


def call_of_check(verb: Verb, model: Any, x: Any, y: Any, fit: Mapping[str, Any]) -> FitCall:
    """Return the call of fit in question.

    Raises:
        TypeError: fit has no such argument.
    """
    unknown = sorted(set(fit) - {*FACTS, *OTHER_ARGUMENTS, "validation_data"})
    if unknown:
        raise TypeError(f"Expected arguments of fit: {', '.join(FACTS)}. Received: {', '.join(unknown)}.")
    facts = {name: value for name, value in fit.items() if name in FACTS and value is not None}
    return FitCall(model, x, y, fit.get("validation_data"), facts, verb, arguments=dict(fit))


def judge_call(
    call: FitCall,
    frame: FrameType | None,
    *,
    choices: Choices | None = None,
    overrides: Mapping[str, Any] | None = None,
    started: float | None = None,
) -> Diagnosis:
    """Return the diagnosis of one call; a used-up generator is replaced in `call` by one that yields all again.

    Args:
        call: Its x and validation may be replaced.
        frame: Of the caller, for names and lines; None without source.
        choices: What the user accepts and ignores.
        overrides: loss, from_logits, num_classes of the command line; they win.
        started: time.perf_counter() to count the seconds from.

    Raises:
        NotUsableError: It is no Keras model, or there is nothing to judge.
    """
    started = time.perf_counter() if started is None else started
    keras_of(call.model)
    broken: list[Broken] = []
    later = isolated(broken, "tested_later", ("what is tested later",), lambda: tested_later(call, frame), None)
    if not validates(call):
        call.later = later

    def judged(call: FitCall) -> Diagnosis:
        return _judge(call, frame, choices, overrides, started, broken)

    diagnosis = judged(call)
    if later is None or call.later is not None or diagnosis.verdict != "fit" or not hasattr(call.x, "shape"):
        return diagnosis
    again = judged(replace(call, later=later))
    return again if _of_test(again) - _of_test(diagnosis) else diagnosis


def _of_test(diagnosis: Diagnosis) -> set[str]:
    """Return the codes of what is wrong with the data that the model is tested on."""
    graver = [each for each in diagnosis.findings if each.severity != "note"]
    return {each.rule.code for each in graver if each.split in ("test", "both")}


def _judge(
    call: FitCall,
    frame: FrameType | None,
    choices: Choices | None,
    overrides: Mapping[str, Any] | None,
    started: float,
    broken: list[Broken],
) -> Diagnosis:
    required = shape_taken(call.model, call.x)
    broken = [*broken]
    train = isolated(
        broken, "draw_train", ("the training data",), lambda: draw_train(call, required), Drawn(None, None)
    )
    test = isolated(broken, "draw_validation", ("the validation data",), lambda: draw_validation(call, required), None)
    contract = contract_of_live(call.model, example_shape(train, required))
    contract = _with_options(_without_output(contract) if call.is_inner else contract, overrides)
    for each in (train, test):
        if each is not None:
            each.inputs = named_in_order(each.inputs, [of.input_name for of in contract.inputs])
            each.targets = named_in_order(each.targets, [of.output_name for of in contract.outputs])
    cut = validation_start(call, train) if test is None else None
    origin = isolated(
        broken, "origin_of", ("names and lines",), lambda: origin_of(call, frame, train, test, cut), Origin()
    )
    return diagnose_drawn(
        call, contract, train, test, origin, choices=choices, frame=frame, started=started, broken=broken
    )


def diagnose_drawn(
    call: FitCall,
    contract: Contract,
    train: Drawn,
    test: Drawn | None,
    origin: Origin,
    *,
    choices: Choices | None = None,
    extra: Sequence[Finding] = (),
    broken: Sequence[Broken] = (),
    frame: FrameType | None = None,
    started: float,
) -> Diagnosis:
    """Return the diagnosis of what was drawn, in the source's own names."""
    nothing = train.images is None and train.labels is None and not train.findings
    if nothing and call.verb is Verb.CUSTOM_LOOP:
        train = replace(train, whole=False, source="step that makes them itself")
    elif nothing and not broken:
        raise NotUsableError(nothing_held(call.x, train.elements))
    splits, whole = splits_of(call, train, test)
    built = getattr(call.model, "built", True)  # while a case is judged, its model is
    facts = {**fit_facts(call, train), "may_repeat": origin.may_repeat, "built": built}
    case = Case(Path(), splits, contract, None, facts, call, frame)
    choices = choices or Choices()
    judged = run_checks(case, choices.ignore)
    judged.broken += broken
    of_call = [*extra]
    for part, find in (
        ("order", lambda: [*order_of_whole(whole, case)]),
        ("batches", lambda: _of_batches(call, train, test, case)),  # words what drawing found, too
        ("pipelines", lambda: [*_of_pipelines(call, train, test)]),
        ("the call", lambda: [*_of_call(call)]),
    ):
        of_call += isolated(judged.broken, part, (f"rules of {part}",), find, [])

    def said(finding: Finding) -> Finding:
        spoken = in_own_modules(named(in_pipeline_words(finding, call, frame), origin), frame)
        in_lines = in_layer_lines(spoken, call.model, frame, lambda fix: recompiled(fix, origin))
        return with_another_line(in_lines, frame)

    of_case = [in_own_words(case, each) for each in judged.findings]
    findings = with_each_line_once(finish([*of_case, *of_call], case, choices, said))
    seconds = time.perf_counter() - started
    unseen = ("The data were not judged: the loop that makes the batches was not found.",)
    return Diagnosis(findings, seconds, case, origin, broken=judged.broken, ignored=choices.ignore,
                     not_judged=unseen if nothing and not origin.path else ())  # fmt: skip


def _without_output(contract: Contract) -> Contract:
    """Return the contract of a network whose output is not what the loss takes: nothing is to be said of it."""
    return replace(
        contract, loss=None, from_logits=None, num_classes=None, label_encoding=None, output_units=None,
        output_rank=None, output_shape=None, output_tail=(),
    )  # fmt: skip


def _with_options(contract: Contract, overrides: Mapping[str, Any] | None) -> Contract:
    from deep_mnist.contract.contract import with_settings

    return with_settings(contract, **overrides) if overrides else contract


def _of_pipelines(call: FitCall, train: Drawn, test: Drawn | None) -> Iterator[Finding]:
    yield from train.findings
    yield from test.findings if test is not None else ()
    yield from without_end(call)
    if is_kind(call.x, "DatasetV2"):
        yield from judge_pipeline("train", call.x, train, shape_taken(call.model, call.x))
    elif not train.in_order or train.source == "array":
        pass
    elif runs_of(train.labels, train.batch_sizes) is not None and train.source != "keras sequence":
        yield _sorted_batches(train)
    if test is not None and is_kind(call.held_out, "DatasetV2"):
        yield from judge_pipeline("test", call.held_out, test, None)


def _of_batches(call: FitCall, train: Drawn, test: Drawn | None, case: Case) -> list[Finding]:
    found = batches_found("train", call.x, train, case)
    return found + (batches_found("test", call.held_out, test, case) if test is not None else [])


def _sorted_batches(train: Drawn) -> Finding:
    return BATCHES_SORTED.found(
        "train",
        expected="examples in random order",
        received=f"a {train.source} that yields labels in runs of one class",
        fix="DataLoader(..., shuffle=True)"
        if "Loader" in train.source
        else "Shuffle the examples before they are grouped.",
    )


def _of_call(call: FitCall) -> Iterator[Finding]:
    if call.verb in COMPILED and not is_compiled(call.model):
        yield NOT_COMPILED.found(
            expected="a compiled model",
            received="fit before compile()",
            fix='model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])',
        )
