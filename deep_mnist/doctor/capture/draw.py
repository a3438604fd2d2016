"""Turn what fit receives into arrays: whole where it is arrays, else a bounded sample, and say which.

A kind of data is known by its class's name and methods, so that none of TensorFlow, torch, JAX or pandas is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.rules import IMAGES_IN_A_LIST, LABELS_IN_A_LIST
from deep_mnist.doctor.evidence.live.text_inputs import listed_texts
from deep_mnist.doctor.finding import Finding

SAMPLE = 2048  # examples drawn of a pipeline; the statistical checks use at most some hundreds
SAMPLE_BYTES = 256 << 20
SAMPLE_ELEMENTS = 256  # batches, or examples of what is not batched
LAST_RESORT_SECONDS = 300.0  # what yields nothing for so long ends the drawing, and the report says so


@dataclass
class Drawn:
    """What was taken of one split.

    Attributes:
        images, labels: Arrays, examples on the first axis; None where there is nothing to take.
        total: Examples there are, None when unknown.
        source: Kind of data, such as "tf.data.Dataset".
        whole: Every example was taken.
        steps: Batches in one epoch by the data's own word, None where it gives none; never counted from a sample.
        in_order: The examples lie as training meets them before fit shuffles.
        inputs, targets: All arrays of a network with multiple inputs or outputs, by name, or by number in their
            order; {} where there is one. `images` and `labels` are then the first's.
        findings: On the pipeline itself.
        elements: Of an iterator, what was taken of it: (x, y) of each batch.
        batch_sizes: Examples of each batch that was taken, [] where it was not taken as training meets it.
        replay: What fit must be given in the place of x, since drawing has used it up; None when x is as before.
    """

    images: np.ndarray | None
    labels: np.ndarray | None
    total: int | None = None
    source: str = "array"
    whole: bool = True
    in_order: bool = True
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list, repr=False)
    replay: Any = None
    steps: int | None = None
    batch_sizes: list[int] = field(default_factory=list)

    def sentence(self, split: str) -> str:
        """Return what was judged of this split, for the report; "" when it was all of it."""
        if self.whole:
            return ""
        count = 0 if self.images is None else len(self.images)
        return f"{split}: {count} of {self.total or 'an unknown number of'} examples of a {self.source} were judged"


def is_kind(value: Any, *names: str) -> bool:
    """Whether a class of one of these names is among the value's classes."""
    return any(each.__name__ in names for each in type(value).__mro__)


def is_pipeline(value: Any) -> bool:
    """Whether x holds images and labels together."""
    if is_kind(value, "DatasetV2", "PyDataset", "Sequence", "DataLoader"):
        return True
    return isinstance(value, Iterator) and not hasattr(value, "shape")


def as_array(value: Any) -> np.ndarray | None:
    """Return an array or tensor of any library as numpy's, without a copy where its library allows that; else None."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return np.asarray(value.detach().cpu().numpy())
    for method in ("to_numpy", "numpy"):
        if callable(getattr(value, method, None)):
            array = np.asarray(getattr(value, method)())
            return _numbers_of_frame(value) if array.dtype.kind == "O" and _holds_numbers(value) else array
    if hasattr(value, "__array__") and hasattr(value, "shape"):
        try:
            return np.asarray(value)
        except (NotImplementedError, TypeError):  # a symbol of a graph has no numbers
            return None
    return None


def _holds_numbers(value: Any) -> bool:
    """Whether every column of a data frame or series is of numbers or booleans, though of different dtypes."""
    dtypes: Any = getattr(value, "dtypes", None)
    kinds = [getattr(each, "kind", "O") for each in (dtypes if hasattr(dtypes, "__iter__") else [dtypes])]
    return bool(kinds) and all(each in "biuf" for each in kinds)


def _numbers_of_frame(value: Any) -> np.ndarray:
    """Return a frame of several dtypes as Keras casts it: float32, what is missing NaN."""
    return np.asarray(value.to_numpy(dtype="float32", na_value=np.nan))


def draw_arrays(split: str, x: Any, y: Any, inputs: int, outputs: int = 1) -> Drawn:
    """Return arrays given as x and y, whatever library they are of; lists are read and reported.

    Args:
        split: "train" or "test", for the findings.
        inputs, outputs: How many the model has: a list or dict of so many arrays is one for each.
    """
    findings: list[Finding] = []
    if inputs == 1 and _holds_multiple_inputs(x, y):  # of a model that does not tell how many it has
        inputs = len(x)
    images, labels = _one(split, "images", x, inputs, findings), _one(split, "labels", y, outputs, findings)
    total = None if images is None or not images.ndim else len(images)
    all_inputs, targets = items_of(x) if inputs > 1 else {}, items_of(y) if outputs > 1 else {}
    return Drawn(images, labels, total, inputs=all_inputs, targets=targets, findings=findings)


def _holds_multiple_inputs(x: Any, y: Any) -> bool:
    """Whether x holds one array for each input: as many examples in each as there are labels."""
    items, labels = items_of(x), as_array(y)
    if len(items) < 2 or labels is None or not labels.ndim or len(labels) == len(items):
        return False
    return all(each.ndim and len(each) == len(labels) for each in items.values())


def items_of(value: Any) -> dict[str, np.ndarray]:
    """Return the arrays in a dictionary by name, in a list or tuple, or in nested ones, by number; {} where none."""
    if as_array(value) is not None:
        return {}
    if nested := leaves_of(value):
        return {str(number): each for number, each in enumerate(nested)}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple | list) else ()
    arrays = {str(name): as_array(each) for name, each in items}
    found = {name: each for name, each in arrays.items() if each is not None}
    return found if len(found) == len(arrays) else {}


def leaves_of(value: Any) -> list[np.ndarray]:
    """Return the arrays of lists, tuples and dictionaries within one another in Keras's order; [] of any other value.

    Keras takes dictionaries in the order of their keys: of those that state another order, nothing is told.
    """
    found: list[np.ndarray] = []
    waiting, is_nested = [value], False
    while waiting:
        each = waiting.pop()
        array = as_array(each)
        if array is not None:
            found.append(array)
        elif isinstance(each, dict) and list(each) == sorted(each, key=str):
            waiting += reversed(each.values())
        elif isinstance(each, tuple | list):
            waiting += reversed(each)
        else:
            return []
        is_nested |= array is None and each is not value
    return found if is_nested else []


def _one(split: str, part: str, value: Any, inputs: int, findings: list[Finding]) -> np.ndarray | None:
    if value is None:
        return None
    array = as_array(value)
    if array is not None:
        return array
    if inputs > 1 and len(leaves := leaves_of(value)) == inputs:
        return leaves[0]
    if isinstance(value, dict) and value:
        return _one(split, part, next(iter(value.values())), 1, findings)
    if not isinstance(value, Sequence) or isinstance(value, str) or not len(value):
        return None
    held = all(as_array(each) is not None for each in value[:8])
    if held and len(value) == max(1, inputs):
        return as_array(value[0])
    texts = listed_texts(value) if part == "images" else None
    listed = _stacked(value) if texts is None else texts.reshape(-1)
    name = f"{split}_{part}"
    shape = "of different shapes" if listed is None else f"of shape {listed.shape[1:]}" if listed.ndim > 1 else ""
    items = "items" if texts is None else "texts"
    flat = ".reshape(-1)" if texts is not None and texts.ndim > 1 else ""
    findings.append(
        (IMAGES_IN_A_LIST if part == "images" else LABELS_IN_A_LIST).found(
            split,
            expected="one array of numbers" if texts is None else "one array of texts, Python's objects on one axis",
            received=f"a Python {type(value).__name__} of {len(value)} {items} {shape}".rstrip(),
            fix=f"{name} = np.array({name})" if texts is None else f"{name} = np.array({name}, dtype=object){flat}",
        )
    )
    return listed


def _stacked(values: Sequence[Any]) -> np.ndarray | None:
    """Return a list's items as one array of numbers, None when they have no common shape."""
    try:
        array = np.array([each if (found := as_array(each)) is None else found for each in values])
    except (ValueError, TypeError):
        return None
    return array if array.dtype.kind in "fiub" else None


# --- batches ----------------------------------------------------------------------------------------


def parts_of(element: Any) -> tuple[Any, Any]:
    """Return (x, y) of what a pipeline yields: (x, y), (x, y, weights) or x alone; of multiple inputs the first."""
    if isinstance(element, tuple | list):
        x, y = (element[0] if element else None), (element[1] if len(element) > 1 else None)
    else:
        x, y = element, None
    return _first(x), _first(y)


def _first(value: Any) -> Any:
    if not isinstance(value, list) and (leaves := leaves_of(value)):
        return leaves[0]
    while isinstance(value, dict | tuple | list) and value:
        if isinstance(value, list | tuple) and as_array(value[0]) is None and not isinstance(value[0], dict):
            break
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value


def array_of(value: Any) -> np.ndarray | None:
    """Return what an element holds as an array, None where it is none."""
    if value is None:
        return None
    array = as_array(value)
    if array is None:
        try:
            array = np.asarray(value)
        except ValueError:
            return None
    return array
