"""TensorFlow 1 style: graphs, sessions and feed_dict, as Deep MNIST for Experts was written.

The first Session.run that feeds placeholders stands for fit; what Keras would tell is read from the graph. TensorFlow
is not imported: the session brings it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract, encoding_of, with_settings
from deep_mnist.contract.layouts import layout_of_shape
from deep_mnist.doctor.acceptance import Choices
from deep_mnist.doctor.capture.custom_loop import whole_of_batch
from deep_mnist.doctor.capture.draw import as_array, draw_arrays
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import ImportWatch, caller, inside, is_inside
from deep_mnist.doctor.capture.live_call import diagnose_drawn
from deep_mnist.doctor.capture.origin import origin_of
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.graph_faults import faults_of
from deep_mnist.doctor.tensorflow1.graph_walk import Loss, behind, consumers, loss_of, trains

SESSION_MODULE = "tensorflow.python.client.session"
LEAVES_VALUES = ("Reshape", "Identity", "Cast", "ExpandDims", "Squeeze", "Pad", "StopGradient")
RAW_PIXEL_STEP = 1 / 32  # a factor below this takes 0..255 in, not 0..1


@dataclass
class FedRun:
    """A Session.run that feeds placeholders.

    Attributes:
        graph: Of the session.
        fed: Placeholder -> value, as given.
        fetches: Requested operations.
        images, labels: The placeholders of the images and of their labels, None where there is none.
        loss: Found in the graph, None where it has none that is known.
    """

    graph: Any
    fed: Mapping[Any, Any]
    fetches: list[Any]
    images: Any
    labels: Any
    loss: Loss | None

    @property
    def is_training(self) -> bool:
        return any(trains(operation) for operation in self.fetches)


# Called before a run with it, the caller's frame, and the run itself; what it returns is the run's result.
BeforeRun = Callable[[FedRun, FrameType | None, Callable[[], Any]], Any]


def watch_sessions(before: BeforeRun) -> tuple[ImportWatch, Callable[[], None]]:
    """Return a watch that puts `before` before every run that feeds placeholders, and what takes it away."""
    undo: list[Callable[[], None]] = []

    def patch(module: ModuleType) -> None:
        session = module.BaseSession
        own = session.run

        @functools.wraps(own)
        def run(self: Any, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
            def resume() -> Any:
                return own(self, fetches, feed_dict, *args, **kwargs)

            fed = None if is_inside() or not feed_dict else fed_run(self.graph, fetches, feed_dict)
            if fed is None:
                return resume()
            return before(fed, caller(sys._getframe(1)), resume)

        session.run = run
        undo.append(lambda: setattr(session, "run", own))

    def remove() -> None:
        while undo:
            undo.pop()()

    return ImportWatch({SESSION_MODULE: patch}), remove


def fed_run(graph: Any, fetches: Any, feed_dict: Mapping[Any, Any]) -> FedRun | None:
    """Return what a run feeds, None when it feeds no examples."""
    try:
        fed = {graph.as_graph_element(key): value for key, value in feed_dict.items()}
        required = [graph.as_graph_element(each) for each in _flat(fetches)]
    except (TypeError, ValueError, KeyError):  # TensorFlow will refuse it in its own words
        return None
    examples = {key: array for key, value in fed.items() if (array := _examples(value)) is not None}
    if not examples:
        return None
    images = max(examples, key=lambda key: int(np.prod(examples[key].shape[1:])))
    count = len(examples[images])
    others = [key for key, array in examples.items() if key is not images and array.ndim <= 2]
    labels = next((key for key in others if len(examples[key]) == count), others[0] if others else None)
    operations = [getattr(each, "op", each) for each in required]
    return FedRun(graph, fed, operations, images, labels, loss_of(graph))


def _examples(value: Any) -> np.ndarray | None:
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


def judge_run(
    run: FedRun,
    frame: FrameType | None,
    *,
    choices: Choices | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """Return the diagnosis of a run: its graph against what is fed.

    Args:
        run: As found.
        frame: Of the caller, for names and lines.
        choices, overrides: As in `judge_call`.

    Raises:
        NotUsableError: There is nothing to judge.
    """
    started = time.perf_counter()
    with inside():
        x, y = run.fed[run.images], run.fed[run.labels] if run.labels is not None else None
        output = run.loss.scores if run.loss is not None else run.images
        call = FitCall(output, x, y, None, {"shuffle": True}, Verb.SESSION_RUN, direct=False)
        call = whole_of_batch(call, frame)
        train = draw_arrays("train", _examples(call.x), _examples(call.y), 1)
        contract = with_settings(contract_of_graph(run), **(overrides or {}))
        extra: list[Finding] = list(faults_of(run, frame))
        origin = origin_of(call, frame, train, None, None)
        return diagnose_drawn(call, contract, train, None, origin, choices=choices, extra=extra, started=started)


def contract_of_graph(run: FedRun) -> Contract:
    """Return what the graph demands of the images and labels that are fed."""
    shape = run.images.shape
    example = tuple(shape.as_list()[1:]) if shape.rank is not None and shape.rank > 1 else None
    unknown = [] if example is not None else ["input_shape: the placeholder has no shape"]
    scale, offset, known = _scaling(run.images)
    if not known:
        unknown.append("input scaling: what the graph does to the pixels is not known")
    raw = 0 < abs(scale) < RAW_PIXEL_STEP
    contract = Contract(
        name="graph",
        input_shape=example,
        layout=layout_of_shape(example) if example is not None else "unknown",
        input_range=(0.0, 255.0) if raw else (0.0, 1.0),
        input_dtype="uint8" if raw else "float32",
        scales_inside=scale != 1.0 or offset != 0.0,
        pixel_scale=scale,
        pixel_offset=offset,
        unknown=tuple(unknown),
    )
    return _with_loss(contract, run.loss)


def _with_loss(contract: Contract, loss: Loss | None) -> Contract:
    if loss is None:
        unknown = (*contract.unknown, "loss: no cross-entropy of TensorFlow's is in the graph")
        return replace(contract, unknown=unknown)
    shape = loss.scores.shape
    units = shape.as_list()[-1] if shape.rank else None
    with_loss = replace(
        contract,
        loss=loss.name,
        from_logits=loss.from_logits,
        num_classes=units,
        output_units=units,
        output_rank=2 if units is not None else None,
        output_tail=("softmax",) if loss.softmax else ("linear",),
    )
    return replace(with_loss, label_encoding=encoding_of(with_loss))


def _scaling(placeholder: Any) -> tuple[float, float, bool]:
    """Return scale and offset that a pixel gets before the first weights, and whether they are known."""
    scale, offset, tensor = 1.0, 0.0, placeholder
    for _ in range(32):
        followers = [each for each in consumers(tensor) if each.type not in ("Shape", "Size", "Rank")]
        kinds = {each.type for each in followers}
        if kinds & {"MatMul", "BatchMatMulV2", "Conv2D", "Einsum"} or not followers:
            return scale, offset, True
        if len(followers) != 1:
            return scale, offset, kinds <= {"ImageSummary", "MatMul", *LEAVES_VALUES}
        operation = followers[0]
        if operation.type not in LEAVES_VALUES:
            number = _other_constant(operation, tensor)
            if number is None or operation.type not in ("RealDiv", "Div", "Mul", "Sub", "Add", "AddV2"):
                return scale, offset, False
            if operation.type in ("RealDiv", "Div", "Mul"):
                factor = number if operation.type == "Mul" else 1 / number if number else 1.0
                scale, offset = scale * factor, offset * factor
            else:
                offset += -number if operation.type == "Sub" else number
        tensor = operation.outputs[0]
    return scale, offset, False


def _other_constant(operation: Any, tensor: Any) -> float | None:
    others = [each for each in operation.inputs if each is not tensor]
    return behind(others[0]) if len(others) == 1 else None
