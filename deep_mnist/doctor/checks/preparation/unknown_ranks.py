"""Check for a dataset whose elements lost their shapes, as those of tf.numpy_function and tf.io.parse_tensor do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

RANK_UNKNOWN = Rule(
    code="P142",
    name="dataset-without-shapes",
    field="images.shape",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A dataset does not tell the rank of what it yields: tf.py_function, tf.numpy_function or "
    "tf.io.parse_tensor made it, and nothing set its shape.",
    why="Keras stops in the first step: as_list() is not defined on an unknown TensorShape, or the length of its shape "
    "cannot be taken.",
)


@check(RANK_UNKNOWN)
def check_ranks(case: Case) -> Iterator[Finding]:
    """Yield datasets of unknown rank that a network of Keras's own classes is given in a graph."""
    call = case.call
    if call is None or call.verb != "fit" or not _runs_in_a_graph(call.model):
        return
    for data, split in ((call.x, case.train), (call.validation, case.test)):
        spec = getattr(data, "element_spec", None) if is_dataset(data) else None
        if split is None or not isinstance(spec, tuple) or len(spec) != 2:
            continue
        lost = [name for name, each in zip(("x", "y"), spec, strict=True) if _is_unknown(each)]
        if lost == ["y"] and not isinstance(getattr(call.model, "loss", None), str):  # one's own may take any shape
            continue
        if lost:
            yield RANK_UNKNOWN.found(
                split.name,
                expected="elements whose number of axes the dataset tells",
                received=f"{' and '.join(lost)} of unknown shape in its element_spec",
                fix=_fix(case, split, lost),
            )


def _runs_in_a_graph(model: Any) -> bool:
    """Whether a network is of Keras 3's own classes alone, and a graph of TensorFlow is made of its step."""
    keras = sys.modules.get("keras")
    modern = type(model).__module__.startswith("keras.")
    return keras is not None and modern and keras.config.backend() == "tensorflow" and not model.run_eagerly


def _is_unknown(spec: Any) -> bool:
    shape = getattr(spec, "shape", None)
    return shape is not None and getattr(shape, "rank", 0) is None


def _fix(case: Case, split: Split, lost: list[str]) -> str:
    """Return the map that states the shapes that were drawn, for the part of each batch that lost its own."""
    tensorflow, _ = alias_of(case.frame, "tensorflow", "tf")
    shapes = {"x": getattr(split.images, "shape", None), "y": getattr(split.labels, "shape", None)}
    if any(shapes[each] is None for each in lost):
        return "State the shapes by tf.ensure_shape right behind the function that lost them."
    stated = {each: (None, *(shapes[each] or ())[1:]) for each in lost}
    parts = [f"{tensorflow}.ensure_shape({each}, {stated[each]})" if each in lost else each for each in ("x", "y")]
    name = f"{split.name}_images"
    return f"{name} = {name}.map(lambda x, y: ({', '.join(parts)}))"
