"""The metrics of compile(), made anew: the user's own keep their state, and Keras its counters of names.

Of Keras 3 alone; what is compiled in tf_keras, or cannot be made again from its configuration, is not judged.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.own_code import own_names

INTERNAL = re.compile(r"\{\{.*?\}\} ?| ?\[Op:.*")  # of TensorFlow's messages
COUNTERS = "object_name_uids"  # of keras's global state: how often each name was given
OVERRIDES = (
    "train_step",
    "test_step",
    "fit",
    "compute_metrics",
    "get_metrics_result",
    "make_train_function",
    "metrics",
)


class MetricsError(Exception):
    """Keras refuses the metrics of compile() for these outputs."""


@dataclass(frozen=True)
class OutputMetric:
    """One metric of one output.

    Attributes:
        metric: A Keras metric without state; None where the user's could not be made again.
        stated: As the user gave it: a name, a function or an object.
        logged: Its name in the logs of fit.
        output: Number of the output.
    """

    metric: Any
    stated: Any
    logged: str
    output: int = 0

    @property
    def is_kerass(self) -> bool:
        """Whether its code is Keras's own, and not a function or class of the user's."""
        kind = type(self.stated)
        if isinstance(self.stated, str):
            return True
        if hasattr(self.stated, "update_state"):
            own = getattr(self.stated, "_fn", None)
            return kind.__module__.startswith("keras.") and (own is None or _of_keras(own))
        return _of_keras(self.stated)

    @property
    def kind(self) -> str:
        """Its class's name, such as "BinaryAccuracy"."""
        return type(self.metric).__name__

    @property
    def title(self) -> str:
        """As it stands in the source: "accuracy", AUC(), my_metric."""
        if isinstance(self.stated, str):
            return f'"{self.stated}"'
        if hasattr(self.stated, "update_state"):
            return expression_of(self.stated) or f"{type(self.stated).__name__}()"
        return str(getattr(self.stated, "__name__", type(self.stated).__name__))


@dataclass(frozen=True)
class Compiled:
    """What compile() was given as metrics, for a model with these outputs.

    Attributes:
        output_names: In order.
        metrics: All of them, of each output.
        losses: Names of the losses that fit logs.
    """

    output_names: tuple[str, ...]
    metrics: tuple[OutputMetric, ...] = ()
    losses: tuple[str, ...] = field(default=("loss",))


def _of_keras(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("keras.")


def is_of_keras_3(model: Any) -> bool:
    """Whether Keras 3 compiled the model, in a form that is read here."""
    return hasattr(model, "_compile_metrics") and hasattr(model, "_loss_tracker") and "keras" in sys.modules


def trains_in_own_way(model: Any) -> bool:
    """Whether a class of the user's decides what a step does or what it logs."""
    return not own_names(model).isdisjoint(OVERRIDES)


@contextmanager
def names_kept() -> Iterator[None]:
    """Within the block, objects of Keras may be made without a change of the names of later ones."""
    state = getattr(sys.modules.get("keras.src.backend.common.global_state"), "get_global_attribute", None)
    counters = state(COUNTERS) if state is not None else None
    before = dict(counters) if counters is not None else None
    try:
        yield
    finally:
        counters = state(COUNTERS) if state is not None else None
        if counters is not None:
            counters.clear()
            counters.update(before or {})


def stated_metrics(model: Any) -> tuple[Any, Any]:
    """Return metrics and weighted_metrics as compile() was given them."""
    compiled = getattr(model, "_compile_metrics", None)
    return getattr(compiled, "_user_metrics", None), getattr(compiled, "_user_weighted_metrics", None)


def compiled_of(model: Any, labels: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Compiled:
    """Return the model's metrics made anew for labels and outputs of these shapes.

    Args:
        model: Compiled, of Keras 3; not changed.
        labels, outputs: One array for each output.

    Raises:
        MetricsError: Keras refuses them.
    """
    names = tuple(getattr(model, "output_names", None) or ())
    many = len(outputs) > 1
    losses = ("loss", *(f"{name}_loss" for name in names)) if many else ("loss",)
    stated = stated_metrics(model)
    if not any(stated):
        return Compiled(names, (), losses)
    from keras.src.trainers.compile_utils import CompileMetrics

    originals: dict[int, Any] = {}
    with names_kept():
        anew = CompileMetrics(*(_anew(each, originals) for each in stated), output_names=list(names) or None)
        y_true, y_pred = (list(each) if many else each[0] for each in (labels, outputs))
        try:
            anew.build(y_true, y_pred)
        except (ValueError, TypeError, KeyError) as error:
            raise MetricsError(str(error)) from error
    return Compiled(names, tuple(_named(anew, stated, originals, many)), losses)


def _anew(stated: Any, originals: dict[int, Any]) -> Any:
    """Return metrics as stated, each object made again from its configuration; `originals` tells of which."""
    if isinstance(stated, Mapping):
        return {key: _anew(each, originals) for key, each in stated.items()}
    if isinstance(stated, list | tuple):
        return type(stated)([_anew(each, originals) for each in stated])
    if not hasattr(stated, "update_state") or isinstance(stated, type):  # of a class Keras makes the object
        return stated
    from keras.metrics import Mean

    try:
        made = type(stated).from_config(stated.get_config())
    except Exception:  # a user's class may ask for arguments that its configuration lacks
        made = Mean(name=stated.name)
        made.is_stand_in = True
    originals[id(made)] = stated
    return made


def _named(anew: Any, stated: tuple[Any, Any], originals: dict[int, Any], many: bool) -> Iterator[OutputMetric]:
    """Yield each metric with the name that it has in the logs, as Keras gives it."""
    counts: dict[str, int] = {}
    for weighted, lists in enumerate((anew._flat_metrics, anew._flat_weighted_metrics)):
        given = _flat(stated[weighted], anew.output_names, many)
        for output, each in enumerate(lists):
            for index, metric in enumerate(each.metrics if each is not None else ()):
                prefix = f"{each.output_name}_" if each.output_name else ""
                name = f"{prefix}{metric.name}"
                if name in counts and weighted:
                    name = f"{prefix}weighted_{metric.name}"
                seen = counts[name] = counts.get(name, 0) + 1
                logged = name if seen == 1 else f"{name}_{seen - 1}"
                source = originals.get(id(metric)) or _stated_at(given, output, index, metric)
                usable = None if getattr(metric, "is_stand_in", False) else metric
                yield OutputMetric(usable, source, logged, output)


def _flat(stated: Any, names: Sequence[str] | None, many: bool) -> list[list[Any]]:
    """Return what was stated for each output, as lists."""
    if not many:
        return [list(_leaves(stated))]
    if isinstance(stated, Mapping):
        return [list(_leaves(stated.get(name))) for name in names or ()]
    return [list(_leaves(each)) for each in stated or ()]


def _leaves(stated: Any) -> Iterator[Any]:
    if isinstance(stated, Mapping):
        for key in sorted(stated):
            yield from _leaves(stated[key])
    elif isinstance(stated, list | tuple):
        for each in stated:
            yield from _leaves(each)
    elif stated is not None:
        yield stated


def _stated_at(given: list[list[Any]], output: int, index: int, metric: Any) -> Any:
    held = given[output] if output < len(given) else []
    stated = held[index] if index < len(held) else metric
    return metric if isinstance(stated, type) and isinstance(metric, stated) else stated


def expression_of(metric: Any) -> str:
    """Return the expression that makes a metric of Keras's, "" where its arguments are no plain values."""
    kind = type(metric)
    if not kind.__module__.startswith("keras."):
        return ""
    try:
        with names_kept():
            stated, usual = metric.get_config(), kind.from_config({"name": metric.name, **_needed(metric)}).get_config()
    except Exception:  # arguments without a default that are not known here
        return ""
    needed = _needed(metric)
    shown = {
        key: value
        for key, value in stated.items()
        if key in needed or (value != usual.get(key) and key not in ("name", "dtype"))
    }
    if not re.fullmatch(rf"{_default_name(kind.__name__)}(_\d+)?", metric.name):
        shown["name"] = metric.name
    if not all(isinstance(each, str | int | float | bool | list | tuple | None) for each in shown.values()):
        return ""
    return f"keras.metrics.{kind.__name__}({', '.join(f'{key}={_quoted(value)}' for key, value in shown.items())})"


def _needed(metric: Any) -> dict[str, Any]:
    """Return the arguments that its class cannot do without."""
    config = metric.get_config()
    return {key: config[key] for key in ("num_classes", "target_class_ids", "specificity", "sensitivity",
                                         "precision", "recall") if key in config}  # fmt: skip


def _default_name(kind: str) -> str:
    from keras.src.utils.naming import to_snake_case

    return str(to_snake_case(kind))


def _quoted(value: Any) -> str:
    return repr(value).replace("'", '"')


def value_of(metric: Any, labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return the least number that a metric comes to on labels and outputs (n, …), its state begun anew."""
    from keras import ops

    metric.reset_state()
    metric.update_state(*map(ops.convert_to_tensor, (labels, predicted)))
    return float(np.min(np.asarray(metric.result(), np.float64)))


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without TensorFlow's own marks."""
    lines = [line for line in INTERNAL.sub("", str(error)).splitlines() if line.strip()]
    return lines[0].strip()[:160] if lines else "no message"
