"""Functions that a network runs over the rows of its batch, watched while it is run, and made to keep to each row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers, is_of_a_library, names_in
from deep_mnist.doctor.evidence.live.own_step import patched

ROWS, FEWER = 7, 4  # of the batches compared: no usual size of another axis
REDUCTIONS = ("reduce_mean", "reduce_max", "reduce_min", "reduce_sum", "reduce_prod", "mean", "max", "min", "amax",
              "amin", "sum", "prod", "norm")  # fmt: skip
SCORES = ("softmax", "log_softmax")
SHAPING = ("transpose", "reshape")
PRODUCT = "tensordot"  # of all axes: one number for the whole batch
FUNCTIONS = (*REDUCTIONS, *SCORES, *SHAPING, "l2_normalize", PRODUCT)
AXES_AT = {"norm": 2, PRODUCT: 2}  # among the arguments; of the others 1
OPERATIONS = {
    "Mean": "mean",
    "Max": "max",
    "Min": "min",
    "Sum": "sum",
    "Prod": "prod",
    "Norm": "norm",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Transpose": "transpose",
}  # of functional graphs
AXIS_NAMES = ("axis", "perm", "axes", "shape", "newshape")
ROUNDING = {
    "round",
    "rint",
    "floor",
    "quantize",
    "fake_quant_with_min_max_vars",
}  # by the range of a whole tensor, on purpose


@dataclass(frozen=True)
class Site:
    """Where a function runs over the rows.

    Attributes:
        name: Of the function.
        keywords: That make it keep to each row, {} of a transpose and a reshape.
        shape: Of what it was given.
        perm: Of a transpose that keeps to each row, or that brings the rows in front of a reshape.
        code, line: Of the user's own that calls it; code None of an operation of a functional graph.
        operation: Of the graph.
    """

    name: str
    keywords: dict[str, Any]
    shape: tuple[int, ...]
    perm: tuple[int, ...] = ()
    code: Any = None
    line: int = 0
    operation: Any = None

    @property
    def place(self) -> Any:
        return id(self.operation) if self.operation is not None else (self.code, self.line, self.name)


@dataclass
class RowsWatch:
    """What calls of such functions a run makes, and those that are to keep to each row."""

    kept: set[Any] = field(default_factory=set)
    sites: dict[Any, Site] = field(default_factory=dict)

    def function(self, name: str) -> Callable[[Any], Any]:
        def wrap(own: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                frame = sys._getframe(1)
                site = None if is_of_a_library(frame) else _site(name, args, kwargs, frame)
                if site is not None:
                    self.sites.setdefault(site.place, site)
                    if site.place in self.kept:
                        return _kept(own, site, args, kwargs)
                return own(*args, **kwargs)

            return call

        return wrap

    def operation(self, own: Any) -> Any:
        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            site = _site_of_graph(operation, args)
            if site is not None:
                self.sites.setdefault(site.place, site)
            if site is None or site.place not in self.kept:
                return own(operation, *args, **kwargs)
            before = {name: getattr(operation, name) for name in site.keywords}
            vars(operation).update(site.keywords)
            try:
                return own(operation, *args, **kwargs)
            finally:
                vars(operation).update(before)

        return call


def _site(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], frame: Any) -> Site | None:
    """Return a call that runs over the rows of a batch, None for any other."""
    given = args[0] if args else next(iter(kwargs.values()), None)
    at = AXES_AT.get(name, 1)
    stated = [*args[at : at + 1], *(kwargs[each] for each in AXIS_NAMES if each in kwargs)]
    shape = tuple(getattr(given, "shape", None) or ())
    perm, keywords = _perm(name, stated, shape), _keywords(name, stated, shape)
    if not perm and (not keywords or names_in(frame.f_code) & ROUNDING):
        return None
    return Site(name, keywords, shape, perm, frame.f_code, frame.f_lineno)


def _site_of_graph(operation: Any, args: tuple[Any, ...]) -> Site | None:
    kind = type(operation).__name__
    if kind not in OPERATIONS or not type(operation).__module__.startswith(OF_KERAS) or not args:
        return None
    name = OPERATIONS[kind]
    axis = getattr(operation, "axes" if name == "transpose" else "axis", None)
    stated = [] if axis is None else [axis]
    shape = tuple(getattr(args[0], "shape", None) or ())
    perm, keywords = _perm(name, stated, shape), _keywords(name, stated, shape)
    return Site(name, keywords or {"axes": perm}, shape, perm, operation=operation) if perm or keywords else None


def _keywords(name: str, stated: Sequence[Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what keeps a function to each row of what it is given; {} where it does, or where that is not known."""
    rank, axis = len(shape), stated[0] if stated else None
    if rank < 2 or shape[0] not in (ROWS, FEWER) or name in SHAPING:
        return {}
    if name in SCORES:
        over_steps = rank > 2 and shape[-1] == 1
        return {"axis": 1 if over_steps else -1} if isinstance(axis, int) and axis in (0, -rank) else {}
    if axis is not None and not (name == PRODUCT and _sums_all(axis, rank)):
        return {}
    if name == "l2_normalize":
        return {"axis": -1}
    return {"axis": -1 if rank == 2 else tuple(range(1, rank)), "keepdims": True}


def _sums_all(axes: Any, rank: int) -> bool:
    """Whether a product sums over every axis of both that it is given."""
    every = list(range(rank))
    listed = [list(each) for each in axes if isinstance(each, list | tuple)] if isinstance(axes, list | tuple) else []
    return bool(axes == rank) or (len(listed) == 2 and listed[0] == listed[1] and sorted(listed[0]) == every)


def _perm(name: str, stated: Sequence[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return in which order a transpose leaves the rows in front, or brings them there before a reshape; () of none."""
    rank = len(shape)
    if name == "transpose":
        first = rank > 2 and shape[0] in (ROWS, FEWER) and (not stated or stated[0] is None)
        return (0, *range(rank - 1, 0, -1)) if first else ()
    into = list(stated[0]) if name == "reshape" and stated and isinstance(stated[0], list | tuple) else []
    for rows in (ROWS, FEWER) if into else ():
        is_first = (isinstance(into[0], int) and into[0] == -1) or rows == into[0]
        if shape.count(rows) == 1 and shape[0] != rows and is_first:
            at = shape.index(rows)
            return (at, *(each for each in range(rank) if each != at))
    return ()


def _kept(own: Any, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if site.name == "transpose":
        return own(args[0], site.perm)
    if site.perm:
        return own(sys.modules["tensorflow"].raw_ops.Transpose(x=args[0], perm=site.perm), *args[1:], **kwargs)
    if site.name == PRODUCT:
        return sys.modules["tensorflow"].reduce_sum(args[0] * args[1], **site.keywords)
    return own(*args[: AXES_AT.get(site.name, 1)], **{**kwargs, **site.keywords})


@contextmanager
def watching(watch: RowsWatch, model: Any) -> Iterator[RowsWatch]:
    """Within the block the calls of such functions of a model write to the watch."""
    tf, keras = sys.modules["tensorflow"], sys.modules["keras"]
    owners = (tf, tf.math, tf.nn, tf.linalg, keras.ops, keras.backend)
    with ExitStack() as stack:
        for owner in owners:
            for name in (each for each in FUNCTIONS if each in vars(owner)):
                stack.enter_context(patched(owner, name, watch.function(name)))
        stack.enter_context(patched(keras.Operation, "__call__", watch.operation))
        stack.enter_context(patched(keras.layers.Layer, "__call__", watch.operation))
        for kind in {type(each) for each in all_layers(model)}:
            if hasattr(vars(kind).get("call"), "python_function"):  # of a tf.function
                stack.enter_context(patched(kind, "call", lambda own: own.python_function))
        yield watch
