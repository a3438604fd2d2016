"""What a graph demands of the images and labels that are fed to it, as a contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deep_mnist.contract.contract import Contract, encoding_of
from deep_mnist.contract.layouts import layout_of_shape
from deep_mnist.doctor.tensorflow1.graph_walk import Loss, ancestors, behind, consumers, shaped_from
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.supervision import Supervision

LEAVES_VALUES = ("Reshape", "Identity", "Cast", "ExpandDims", "Squeeze", "Pad", "StopGradient")
OWN_LOSS = "own"  # of which no check knows what labels it takes
RAW_PIXEL_STEP = 1 / 32  # a factor below this takes 0..255 in, not 0..1


def contract_of_graph(case: SessionCase) -> Contract:
    """Return what the graph demands of the images and labels that are fed.

    Args:
        case: Of a run with images.
    """
    run, met = case.run, case.supervision if is_classified(case) else None
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
    direct = met is None or run.labels is None or shaped_from(met.labels) is shaped_from(run.labels)
    if met is not None and not direct:
        return _with_made_labels(contract, met)
    if met is not None and (run.loss is None or met.kind in ("sigmoid", "difference")):
        return _with_supervision(contract, case, met)
    return _with_loss(contract, run.loss if is_classified(case) else None, met)


def _with_made_labels(contract: Contract, met: Supervision) -> Contract:
    """Return the contract of a graph that makes one-hot rows of class numbers; of other labels it makes, no loss."""
    made = ancestors([met.labels.op], control=False)
    if met.kind != "softmax" or not any(each.type == "OneHot" for each in made):
        unknown = (*contract.unknown, "loss: the graph makes its labels of what is fed")
        return replace(contract, loss=OWN_LOSS, unknown=unknown)
    units = units_of(met.output)
    return replace(
        contract, loss="sparse_categorical_crossentropy", from_logits=True, num_classes=units, output_units=units,
        output_rank=2, output_tail=("linear",), label_encoding="sparse",
    )  # fmt: skip


def _with_loss(contract: Contract, loss: Loss | None, met: Supervision | None) -> Contract:
    if loss is None:
        unknown = (*contract.unknown, "loss: no cross-entropy of TensorFlow's is in the graph")
        return replace(contract, loss=OWN_LOSS, unknown=unknown)
    units = units_of(loss.scores)
    if units == 1:  # a rule of its own says so
        return replace(contract, loss=OWN_LOSS, unknown=(*contract.unknown, "loss: a softmax of one unit"))
    named = met is not None and met.takes_logits  # what is wrong with its output has rules of its own
    with_loss = replace(
        contract,
        loss=loss.name,
        from_logits=loss.from_logits,
        num_classes=units,
        output_units=units,
        output_rank=2 if units is not None else None,
        output_tail=("softmax",) if loss.softmax and not named else ("linear",),
    )
    return replace(with_loss, label_encoding=encoding_of(with_loss))


def _with_supervision(contract: Contract, case: SessionCase, met: Supervision) -> Contract:
    """Return the contract with a loss of one unit, of several labels at once, or of numbers."""
    output = case.value(met.output)
    shape = list(output.shape) if output is not None else met.output.shape.as_list() if met.output.shape.rank else []
    is_number = met.kind == "difference"
    return replace(
        contract,
        loss="mean_squared_error" if is_number else "binary_crossentropy",
        from_logits=None if is_number else met.takes_logits,
        output_units=shape[-1] if len(shape) > 1 else 1,
        output_rank=max(2, len(shape)),
        output_tail=("sigmoid",) if met.kind == "product" else ("linear",),
    )


def units_of(tensor: Any) -> int | None:
    """Return the length of a tensor's last axis, None where the graph does not tell."""
    shape = tensor.shape
    return shape.as_list()[-1] if shape.rank else None


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


# --- values ----------------------------------------------------------------------------------------


def are_labels(labels: Any) -> bool:
    """Whether values lie in 0..1, as classes and probabilities do."""
    known = labels is not None and labels.size > 0 and labels.dtype.kind in "fiub"
    return bool(known and 0 <= labels.min() and labels.max() <= 1)


def is_classified(case: SessionCase) -> bool:
    """Whether what a logarithm is multiplied with can be labels: not amounts, as the returns of a policy are."""
    met = case.supervision
    return met is None or met.kind != "product" or case.clone is None or are_labels(case.value(met.labels))
