"""TensorFlow 1 style: graphs and sessions, as Deep MNIST for Experts was written.

The first Session.run that trains stands for fit, whether placeholders, iterators, queues or constants bring the
examples; what Keras would tell is read from the graph. TensorFlow is not imported: the session brings it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from deep_mnist.contract.contract import with_settings
from deep_mnist.doctor.acceptance import Choices
from deep_mnist.doctor.capture.custom_loop import whole_of_batch
from deep_mnist.doctor.capture.draw import as_array, draw_arrays
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import inside
from deep_mnist.doctor.capture.live_call import diagnose_drawn
from deep_mnist.doctor.capture.words.origin import Origin, origin_of
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.diagnosis import Broken, Diagnosis
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.finish import finish
from deep_mnist.doctor.judge import isolated
from deep_mnist.doctor.tensorflow1 import queues
from deep_mnist.doctor.tensorflow1.clone import Clone, NotCopiedError, calls_python, cloned
from deep_mnist.doctor.tensorflow1.graph_contract import contract_of_graph
from deep_mnist.doctor.tensorflow1.graph_faults import faults_of
from deep_mnist.doctor.tensorflow1.graph_walk import Loss, ancestors, loss_of, trains
from deep_mnist.doctor.tensorflow1.names import Names
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.steps.rehearsal import REHEARSAL_BUDGET
from deep_mnist.doctor.tensorflow1.steps.trial import BUDGET
from deep_mnist.doctor.tensorflow1.supervision import SOURCES

# A run of these hands examples on to an iterator or a queue; nothing is computed of them.
PREPARES = ("MakeIterator", "QueueEnqueueV2", "QueueEnqueueManyV2")
MOST_DRAWN = 4  # elements of an iterator that are looked at


@dataclass
class FedRun:
    """A Session.run that feeds examples, or trains on those that the graph brings itself.

    Attributes:
        graph: Of the session.
        fed: Tensor -> value, as given to placeholders, or as drawn from iterators and queues.
        fetches: Requested operations.
        images, labels: The tensors of the images and of their labels, None where there is none.
        loss: Found in the graph, None where it has none that is known.
        session: None where the graph alone is judged.
    """

    graph: Any
    fed: Mapping[Any, Any]
    fetches: list[Any]
    images: Any = None
    labels: Any = None
    loss: Loss | None = None
    session: Any = None

    @property
    def is_training(self) -> bool:
        return any(trains(operation) for operation in self.fetches)

    @property
    def reads_only(self) -> bool:
        """Whether it can be made and trains nothing."""
        return not self.is_training and queues.never_filled(self) is None

    @property
    def is_judged(self) -> bool:
        """Whether there is anything to judge: examples, training, or a queue that would never be filled."""
        shown = self.images is not None and not any(each.type in PREPARES for each in ancestors(self.fetches))
        return shown or self.is_training or queues.never_filled(self) is not None


@dataclass(frozen=True)
class JudgedRun:
    """What came of judging a run.

    Attributes:
        diagnosis: Of it.
        fails: The run itself raises, in TensorFlow's own words: it is better made than judged.
    """

    diagnosis: Diagnosis
    fails: bool = False


def session_run(session: Any, fetches: Any, feed_dict: Mapping[Any, Any] | None) -> FedRun:
    """Return what a run of a session does."""
    graph = session.graph
    fed = {key: value for name, value in (feed_dict or {}).items() if (key := _element(graph, name)) is not None}
    required = [each for name in _flat(fetches) if (each := _element(graph, name)) is not None]
    run = FedRun(graph, fed, [getattr(each, "op", each) for each in required], session=session)
    return with_roles(run)


def fed_run(graph: Any, fetches: Any, feed_dict: Mapping[Any, Any]) -> FedRun | None:
    """Return what a run would feed to a graph without a session, None when it feeds no examples."""
    fed = {graph.as_graph_element(key): value for key, value in feed_dict.items()}
    required = [graph.as_graph_element(each) for each in _flat(fetches)]
    run = with_roles(FedRun(graph, fed, [getattr(each, "op", each) for each in required]))
    return run if run.images is not None else None


def with_roles(run: FedRun) -> FedRun:
    """Return the run with its images, labels and loss, as far as what it feeds tells."""
    examples = {key: array for key, value in run.fed.items() if (array := examples_of(value)) is not None}
    if not examples:
        return run
    images = max(examples, key=lambda key: int(np.prod(examples[key].shape[1:])))
    count = len(examples[images])
    others = [key for key, array in examples.items() if key is not images and array.ndim <= 2]
    labels = next((key for key in others if len(examples[key]) == count), others[0] if others else None)
    run = replace(run, images=images, labels=labels, loss=loss_of(run.graph))
    met = SessionCase(run, Names(None)).supervision
    if met is None:
        return run
    told = [each for each in examples if each.op in ancestors([met.labels.op], control=False)]
    shown = [
        each
        for each in examples
        if each.op in ancestors([met.output.op], control=False) and not any(each is one for one in told)
    ]
    if len(told) != 1:
        return run
    images = max(shown, key=lambda key: int(np.prod(examples[key].shape[1:])), default=told[0])
    return replace(run, images=images, labels=told[0])


def _element(graph: Any, name: Any) -> Any:
    try:
        return graph.as_graph_element(name)
    except (TypeError, ValueError, KeyError):  # a structure, or one that TensorFlow refuses in its own words
        return None


def examples_of(value: Any) -> np.ndarray | None:
    """Return what is fed as an array of examples, None where it is a single number, or none."""
    array = as_array(value)
    if array is None and isinstance(value, list | tuple):
        try:
            array = np.asarray(value)
        except ValueError:
            return None
    return array if array is not None and array.ndim and array.dtype.kind in "fiub" else None


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _flat(each)
    elif value is not None:
        yield value


# --- the judgement ---------------------------------------------------------------------------------


def judge_run(
    run: FedRun,
    frame: FrameType | None,
    *,
    choices: Choices | None = None,
    overrides: Mapping[str, Any] | None = None,
    earlier: Sequence[FedRun] = (),
    rehearse: bool = False,
    goes_on: bool = False,
) -> JudgedRun:
    """Return the diagnosis of a run: its graph against what is fed, and some of its steps in a copy of the session.

    Args:
        run: As found.
        frame: Of the caller, for names and lines.
        choices, overrides: As in `judge_call`.
        earlier: Runs before it that only read.
        goes_on: The run is made afterwards: then no generator of the user's may be called for a copy.
        rehearse: Take as many steps as a rehearsal does, not only those that cost next to nothing.

    Raises:
        NotUsableError: There is nothing to judge.
    """
    started = time.perf_counter()
    with inside(), np.errstate(all="ignore"):
        stuck = queues.never_filled(run)
        if stuck is not None:
            return JudgedRun(_without_arrays([queues.finding(stuck, Names(frame))], choices, started))
        with _copy_of(run, goes_on) as clone:
            run = with_drawn(run, clone) if clone is not None and run.images is None else run
            case = SessionCase(run, Names(frame), clone)
            budget = REHEARSAL_BUDGET if rehearse else BUDGET
            extra, fails = faults_of(case, frame, earlier, budget)
            if run.images is None:
                return JudgedRun(_without_arrays(extra, choices, started), fails)
            return JudgedRun(_with_arrays(case, frame, extra, choices, overrides, started), fails)


@contextmanager
def _copy_of(run: FedRun, goes_on: bool) -> Iterator[Clone | None]:
    """Give a copy of the run's session, None where there is none to be had."""
    if run.session is None or queues.filled_by_hand(run) or (goes_on and calls_python(run.graph)):
        yield None
        return
    try:
        copy = cloned(run.session)
        clone = copy.__enter__()
    except NotCopiedError:
        yield None
        return
    try:
        yield clone
    finally:
        copy.__exit__(None, None, None)


def _with_arrays(
    case: SessionCase,
    frame: FrameType | None,
    extra: list[Finding],
    choices: Choices | None,
    overrides: Mapping[str, Any] | None,
    started: float,
) -> Diagnosis:
    run = case.run
    x, y = run.fed[run.images], run.fed[run.labels] if run.labels is not None else None
    output = run.loss.scores if run.loss is not None else run.images
    call = FitCall(output, x, y, None, {"shuffle": True}, Verb.SESSION_RUN, direct=False)
    call = whole_of_batch(call, frame)
    train = draw_arrays("train", examples_of(call.x), examples_of(call.y), 1)
    contract = with_settings(contract_of_graph(case), **(overrides or {}))
    broken: list[Broken] = []
    lines = ("names and lines",)
    origin = isolated(broken, "origin", lines, lambda: origin_of(call, frame, train, None, None), Origin())
    return diagnose_drawn(
        call, contract, train, None, origin, choices=choices, extra=extra, started=started, broken=broken
    )


def _without_arrays(extra: list[Finding], choices: Choices | None, started: float) -> Diagnosis:
    """Return the diagnosis of a graph whose examples cannot be had."""
    from deep_mnist.contract.contract import Contract

    case, choices = Case(Path(), {"train": Split("train")}, Contract(name="graph")), choices or Choices()
    findings = finish(extra, case, choices)
    return Diagnosis(findings, time.perf_counter() - started, case, ignored=choices.ignore)


def with_drawn(run: FedRun, clone: Clone) -> FedRun:
    """Return the run with some elements of its iterators and queues among what it feeds."""
    reached = ancestors(run.fetches)
    tensors = [one for each in reached if each.type in SOURCES for one in each.outputs if _holds_numbers(one)]
    if not tensors:
        return run
    errors = (sys.modules["tensorflow"].errors.OpError, ValueError, TypeError, RuntimeError)
    drawn: list[list[Any]] = []
    try:
        while len(drawn) < MOST_DRAWN:
            drawn.append(
                clone.run([each.name for each in tensors], {key.name: value for key, value in run.fed.items()})
            )
    except errors:  # it ends, or cannot be begun in a copy
        if not drawn:
            return run
    columns = {tensor: _joined([row[place] for row in drawn], tensor) for place, tensor in enumerate(tensors)}
    return with_roles(replace(run, fed={**run.fed, **columns}))


def _holds_numbers(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool)


def _joined(values: list[Any], tensor: Any) -> Any:
    """Return batches one after another where the tensor's first axis may be of any length, else the first."""
    free = tensor.shape.rank and tensor.shape.as_list()[0] is None
    same = len({np.shape(each)[1:] for each in values}) == 1 and np.ndim(values[0]) > 0
    return np.concatenate(values) if free and same else values[0]
