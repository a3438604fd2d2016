"""What a network demands of its data: the contract, read from a Keras model without TensorFlow.

    contract = load_contract(Path("mine.keras"))     # or a Keras .json, a hand-written .yaml, a SavedModel folder
    contract = resolve_contract("fast", "")          # a built-in network, from deep_mnist/contract/builtin/fast.yaml

What a model does not tell is None (or "unknown") here and named in `Contract.unknown`; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from deep_mnist.contract.field_readers import (
    read_bool,
    read_choice,
    read_mapping,
    read_optional,
    read_range,
    read_shape,
    read_strings,
)
from deep_mnist.contract.layers import Architecture
from deep_mnist.contract.layouts import LAYOUTS, layout_of_shape
from deep_mnist.contract.losses import BINARY_LOSSES, ONE_HOT_LOSSES, SPARSE_LOSSES, loss_name

MAX_TEXT_BYTES = 32 << 20  # of a configuration; ResNet-152's is below 1 MB


class ContractError(ValueError):
    """A model or contract file that cannot be read; the message says what was expected."""

    fix = "save the model again with model.save, or write its contract by hand"


@dataclass(frozen=True)
class NormLayer:
    """A BatchNormalization, and where the layout puts the channels it should work on.

    Attributes:
        layer: Name.
        axis: What it is set to, counted from 0 with the batch axis.
        channel_axis: Where the layers before it put the channels; None when no layer tells.
        rank: Of its input, batch axis counted.
    """

    layer: str
    axis: int
    channel_axis: int | None
    rank: int


@dataclass(frozen=True)
class Contract:
    """What a network demands of its data, and what it makes of it.

    Attributes:
        name: File or network name.
        input_shape: One example's shape without the batch axis, None where any length goes; None when unknown.
        layout: "channels_last", "channels_first", "rows_columns" (no channel axis), "flat" or "unknown".
        input_dtype: What to feed: "uint8" for a network that scales 0..255 inside, else "float32".
        input_range: Lowest and highest pixel to feed.
        scales_inside: A Rescaling or Normalization layer (or a division) stands before the first weights.
        pixel_scale, pixel_offset: What those layers make of a pixel: pixel * scale + offset.
        normalizes_input: Batch or layer normalization meets the pixels, or what the first weights make of them.
        convention: Mode of preprocess_input ("caffe", "torch", "tf") that keras.applications documents for the
            network that the input meets first.
        normalization: "adapted", "not adapted" or "unknown": the state of a Normalization layer, None without one.
        loss, from_logits: Of the compile configuration, None when the model was saved without one.
        ignored_class: A label that the loss leaves out: of what is no class, such as an outline or padding.
        num_classes: Number of classes.
        label_encoding: "sparse" (integers 0..num_classes-1), "one_hot", or None when no loss tells.
        output_units, output_rank: Width of the output and its rank, batch axis counted.
        output_shape: One prediction's shape without the batch axis, None where a length is unknown.
        output_tail: Activations (and argmax and the like) from the last weights to the output, in order.
        output_dtype: Compute dtype of the last layer, such as "float32".
        first_layer: Class name of the first layer with weights (or of an unknown layer) that the input meets.
        vocabulary: Rows of the smallest Embedding that the input meets as it is; None without one.
        metrics: Names of the compile configuration's metrics.
        optimizer: {"name", "learning_rate", "momentum", "clipped"} of the compile configuration, {} without one.
        architecture: What of the layers decides whether training can work.
        norm_layers: Every BatchNormalization.
        input_faults: What is wrong between the declared input and the first layers' data_format.
        lambda_layers: Names of the layers that hold Python code.
        inputs, outputs: Of a network with multiple, the contract of each (() of a network with one). The contract
            itself is that of the first input and of the first output with a loss.
        input_name, output_name: As the network calls what this contract is of, "" where there is one of it.
        fit: What is known of the call to fit: {"shuffle": bool, "validation_split": float}.
        adjusts_rank: Keras adds, or drops, a last axis of length 1 that the data lack, or have too many: its functional
            and sequential models do.
        preparation: "contract", or "none" for a network that is fed raw data as it is (the seed's Example 1).
        unknown: What could not be derived, each as one phrase.
        conflicts: Where two sources contradict each other, each as one phrase.
        model_digest: SHA-256 of the file of a user's own network, "" for a built-in one.
    """

    name: str = "contract"
    input_shape: tuple[int | None, ...] | None = None
    layout: str = "unknown"
    input_dtype: str = "float32"
    input_range: tuple[float, float] = (0.0, 1.0)
    scales_inside: bool = False
    pixel_scale: float = 1.0
    pixel_offset: float = 0.0
    normalizes_input: bool = False
    normalization: str | None = None
    convention: str | None = None
    loss: str | None = None
    from_logits: bool | None = None
    ignored_class: int | None = None
    num_classes: int | None = None
    label_encoding: str | None = None
    output_units: int | None = None
    output_rank: int | None = None
    output_shape: tuple[int | None, ...] | None = None
    output_tail: tuple[str, ...] = ()
    output_dtype: str = "float32"
    first_layer: str | None = None
    vocabulary: int | None = None
    metrics: tuple[str, ...] = ()
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    architecture: Architecture = field(default_factory=Architecture)
    norm_layers: tuple[NormLayer, ...] = ()
    input_faults: tuple[str, ...] = ()
    lambda_layers: tuple[str, ...] = ()
    inputs: tuple[Contract, ...] = ()
    outputs: tuple[Contract, ...] = ()
    input_name: str = ""
    output_name: str = ""
    fit: Mapping[str, Any] = field(default_factory=dict)
    adjusts_rank: bool = False
    preparation: str = "contract"
    unknown: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    model_digest: str = ""

    @property
    def output_activation(self) -> str | None:
        """The last activation, "linear" when there is none, None when the output is unknown."""
        if self.output_tail:
            return self.output_tail[-1]
        return None

    @property
    def units_are_classes(self) -> bool:
        """Whether output units may stand for classes; under a loss of one's own they may be an embedding."""
        softmax = (self.output_activation or "").startswith("softmax")
        return self.loss is None or self.loss in (*SPARSE_LOSSES, *ONE_HOT_LOSSES, *BINARY_LOSSES) or softmax

    @property
    def scaling_is_known(self) -> bool:
        """Whether what the first layers do to a pixel could be derived."""
        return not any(each.startswith("input scaling") for each in self.unknown)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def to_yaml(self) -> str:
        """Return the checked-in form: what equals its default is left out."""
        import yaml

        defaults = Contract().to_dict()
        stated = {key: value for key, value in self.to_dict().items() if key == "name" or value != defaults[key]}
        stated.setdefault("preparation", self.preparation)
        return yaml.safe_dump(stated, sort_keys=False, default_flow_style=None, width=110)

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Contract:
        """Return the contract stated by plain values; what is left out follows from the rest or stays unknown.

        Raises:
            ContractError: A field is not one of ours or has an impossible value.

        >>> contract = Contract.from_dict({"input_shape": [28, 28, 1], "output_units": 10})
        >>> contract.input_shape, contract.layout, contract.num_classes
        ((28, 28, 1), 'channels_last', 10)
        """
        return _from_dict(stated)


def with_settings(
    contract: Contract, *, loss: str | None = None, from_logits: bool | None = None, num_classes: int | None = None
) -> Contract:
    """Return the contract with what the user states of fit, which wins over the model's own compile configuration.

    >>> with_settings(Contract(output_units=10), loss="categorical_crossentropy").label_encoding
    'one_hot'
    """
    stated: dict[str, Any] = {"loss": loss and loss_name(loss), "from_logits": from_logits, "num_classes": num_classes}
    if loss is not None and from_logits is None and contract.from_logits is None:
        stated["from_logits"] = False  # what a loss given by its name means to Keras
    changes: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
    changed = replace(contract, **changes)
    unknown = tuple(each for each in contract.unknown if not _is_stated(each, stated))
    return replace(changed, label_encoding=encoding_of(changed), unknown=unknown)


def encoding_of(contract: Contract) -> str | None:
    """Return the label encoding that the loss expects: "sparse", "one_hot", or None where it does not tell.

    >>> encoding_of(Contract(loss="sparse_categorical_crossentropy")), encoding_of(Contract(loss="huber"))
    ('sparse', 'one_hot')
    """
    if contract.loss in SPARSE_LOSSES:
        return "sparse"
    if contract.loss in BINARY_LOSSES:
        return "sparse" if contract.output_units == 1 else "one_hot" if contract.output_units else None
    return "one_hot" if contract.loss in ONE_HOT_LOSSES else contract.label_encoding if contract.loss is None else None


def _is_stated(unknown: str, stated: Mapping[str, Any]) -> bool:
    return any(value is not None and unknown.startswith(name) for name, value in stated.items())


# --- plain values ------------------------------------------------------------------------------


def _from_dict(stated: Mapping[str, Any]) -> Contract:
    known = {each.name for each in fields(Contract)}
    extra = sorted(str(name) for name in set(stated) - known - {"output_activation"})
    if extra:
        raise ContractError(f"Expected contract fields among {sorted(known)}. Received: {', '.join(extra)[:200]}.")
    values = {name: value for name, value in stated.items() if name in known}
    if "output_activation" in stated and "output_tail" not in stated:
        values["output_tail"] = (stated["output_activation"],)
    try:
        contract = Contract(**{name: _READERS[name](value) for name, value in values.items()})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ContractError(f"Expected the types of a contract. Received: {str(error)[:200]}.") from error
    return _completed(contract, set(values))


def _completed(contract: Contract, stated: set[str]) -> Contract:
    """Fill in what follows from the rest."""
    changes: dict[str, Any] = {}
    if contract.input_shape is not None and "layout" not in stated:
        changes["layout"] = layout_of_shape(contract.input_shape)
    if "scales_inside" in stated and contract.scales_inside and "pixel_scale" not in stated:
        low, high = contract.input_range if "input_range" in stated else (0.0, 255.0)
        changes |= {"input_range": (low, high), "pixel_scale": 1 / (high - low), "pixel_offset": -low / (high - low)}
    elif "input_range" not in stated and contract.scales_inside and abs(contract.pixel_scale) < 1 / 32:
        changes["input_range"] = (0.0, 255.0)
    contract = replace(contract, **changes)
    if "input_dtype" not in stated and contract.input_range == (0.0, 255.0):
        contract = replace(contract, input_dtype="uint8")
    if contract.num_classes is None and (contract.output_units or 0) > 1 and contract.units_are_classes:
        contract = replace(contract, num_classes=contract.output_units)
    if contract.label_encoding is None:
        contract = replace(contract, label_encoding=encoding_of(contract))
    if contract.input_shape is None and "unknown" not in stated:
        contract = replace(contract, unknown=(*contract.unknown, "input_shape: not stated"))
    return contract


_READERS: dict[str, Any] = {
    "name": str,
    "input_shape": read_shape,
    "layout": read_choice(*LAYOUTS),
    "input_dtype": read_choice("uint8", "float32"),
    "input_range": read_range,
    "scales_inside": read_bool,
    "pixel_scale": float,
    "pixel_offset": float,
    "normalizes_input": read_bool,
    "normalization": read_choice("adapted", "not adapted", "unknown", None),
    "convention": read_choice("caffe", "torch", "tf", None),
    "loss": lambda value: None if value is None else loss_name(read_optional(str)(value)),
    "from_logits": read_optional(bool),
    "ignored_class": read_optional(int),
    "num_classes": read_optional(int),
    "label_encoding": read_choice("sparse", "one_hot", None),
    "output_units": read_optional(int),
    "output_rank": read_optional(int),
    "output_shape": read_shape,
    "output_tail": read_strings,
    "output_dtype": str,
    "first_layer": read_optional(str),
    "vocabulary": read_optional(int),
    "metrics": read_strings,
    "optimizer": read_mapping,
    "architecture": lambda value: Architecture.from_dict(read_mapping(value)),
    "norm_layers": lambda value: tuple(NormLayer(**each) for each in value),
    "input_faults": read_strings,
    "lambda_layers": read_strings,
    "inputs": lambda value: tuple(_from_dict(read_mapping(each)) for each in value),
    "outputs": lambda value: tuple(_from_dict(read_mapping(each)) for each in value),
    "input_name": str,
    "output_name": str,
    "fit": read_mapping,
    "adjusts_rank": read_bool,
    "preparation": read_choice("contract", "none"),
    "unknown": read_strings,
    "conflicts": read_strings,
    "model_digest": str,
}
