"""Whether a call of a model is one of a step that trains it: tapes are also there for pictures and attacks."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.fit_call import FitCall
from deep_mnist.doctor.capture.intercept import inside
from deep_mnist.doctor.evidence.live.loop_text import comes_to_a_tape
from deep_mnist.doctor.evidence.live.own_code import is_of_a_library
from deep_mnist.doctor.evidence.live.own_step import OwnStep, StepRecord, equals, is_recording
from deep_mnist.doctor.evidence.live.restoring import is_small

MOST_FRAMES = 40
AUTOGRAPH = "__autograph_generated_file"


def in_step(training: Any) -> bool:
    """Whether a call of a model is that of a step of training: data are augmented with training=True as well."""
    frame = sys._getframe(2)
    if training is True:
        return is_recording() or (_trains(frame) and comes_to_a_tape(users_of(list(frames_around(frame)))))
    return training is None and is_recording() and _trains(frame)


def can_learn(model: Any) -> bool:
    """Whether a layer of a model has weights of the kind that training changes, frozen or not."""
    kinds = ("_trainable_variables", "_trainable_weights")  # of Keras 3, and of tf_keras
    return any(getattr(layer, kind, None) for layer in model._flatten_layers() for kind in kinds)


def _trains(frame: FrameType | None) -> bool:
    """Whether the code around a call applies gradients: else the tape may be there for a picture of them.

    The code that autograph made of the user's counts, and functions and methods that it names.
    """
    users = [each for each in frames_around(frame) if not is_of_a_library(each) or AUTOGRAPH in each.f_code.co_filename]
    return any(_applies(code) for each in users for code in (each.f_code, *_named_code(each)))


def _applies(code: CodeType) -> bool:
    return not {"apply_gradients", "minimize"}.isdisjoint(code.co_names)


def _named_code(frame: FrameType) -> Iterator[CodeType]:
    """Yield the code of the user's functions in reach, and of methods of self, that a frame's code names."""
    owner = frame.f_locals.get("self")
    for name in frame.f_code.co_names:
        found = frame.f_locals.get(name, frame.f_globals.get(name, getattr(type(owner), name, None)))
        function: Any = getattr(found, "python_function", found)
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        if isinstance(code, CodeType):
            yield code


@contextlib.contextmanager
def outside_of_graphs() -> Iterator[None]:
    """Within the block nothing is captured, and tensors have their numbers, also while a tf.function is traced."""
    scope = getattr(sys.modules.get("tensorflow"), "init_scope", contextlib.nullcontext)
    with inside(), scope():
        yield


def trains_another(call: FitCall) -> bool:
    """Whether a step asks its tape for gradients of other variables alone, as that of a picture or an attack does."""
    record = _record(call.step)
    asked = [each for of_call in record.asked for each in of_call] if record is not None else []
    own = {id(each) for each in call.model.variables}
    return bool(asked) and not any(id(each) in own for each in asked)


def is_given_to_loss(step: OwnStep | None, labels: Any) -> bool:
    """Whether labels are what a loss of Keras compares with, as far as a run of the step tells."""
    record = _record(step)
    given = record.compared if record is not None else []
    return not given or any(equals(each, labels) for each in given)


def makes_no_scores(call: FitCall) -> bool:
    """Whether a batch without labels of its own is made into what no loss of Keras is given: noise by a generator."""
    record = _record(call.step) if call.y is None and isinstance(call.x, sys.modules["tensorflow"].Tensor) else None
    given = record.compared if record is not None else []
    made = record.made if record is not None else []
    return bool(given and made) and not any(equals(one, each) for one in made for each in given)


def is_scored_by_another(step: OwnStep | None) -> bool:
    """Whether losses of Keras compare what another network makes, as of an encoder's output, and not what this one."""
    record = _record(step)
    given = record.compared if record is not None else []
    if record is None or any(equals(one, each) for one in record.made for each in given):
        return False
    return any(equals(one, each) for one in record.made_by_others for each in given)


def compares_constants(step: OwnStep | None, targets: Any) -> bool:
    """Whether losses of Keras compare with constants alone, of another form than the targets: as for a discriminator.

    Args:
        step: That is run for it.
        targets: The TensorSpec of a dataset's second element.
    """
    if not hasattr(targets, "shape") or targets.shape.rank is None or targets.shape[1:].num_elements() == 1:
        return False  # labels may be made rows of the step's own
    record = _record(step)
    given = [np.asarray(each) for each in (record.compared if record is not None else [])]
    form = tuple(targets.shape[1:].as_list())
    pairs = list(zip(given[::2], given[1::2], strict=True))  # of y_true and y_pred
    return bool(pairs) and all(
        form not in (true.shape[1:], predicted.shape[1:]) and min(np.ptp(true), np.ptp(predicted)) == 0
        for true, predicted in pairs
    )


def _record(step: OwnStep | None) -> StepRecord | None:
    """Return what a step did, None where it cannot be run."""
    if step is None or "keras" not in sys.modules or not is_small(step.model):
        return None
    return step.first


def frames_around(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that called it; of a replica's thread also those of the program, which waits for it."""
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        yield frame
        if frame.f_back is None and is_of_replica(frame):
            yield from frames_around(sys._current_frames().get(threading.main_thread().ident or 0))
        frame = frame.f_back


def is_of_replica(frame: FrameType) -> bool:
    """Whether a frame is the first of a thread in which a strategy runs one replica's step."""
    return type(frame.f_locals.get("self")).__name__ == "_MirroredReplicaThread"


def users_of(frames: Sequence[FrameType]) -> list[FrameType]:
    return [frame for frame in frames if not is_of_a_library(frame)]
