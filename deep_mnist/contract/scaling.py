"""What a network does to its pixels before the first weights: scale, shift, normalize, or something unknown.

Every branch from the input is followed. Layers and operations that multiply or add constants are composed;
what is not known ends the branch and is named. Nothing behind the first weights counts: it works on features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from deep_mnist.contract.contract import ContractError
from deep_mnist.contract.graph import Graph, Node, kind_of

Statistics = Callable[[], list[Any]]  # (mean, variance, adapted?) of each Normalization layer

# Layers and operations that leave a pixel's value as it is, or move it elsewhere.
VALUE_KEEPING = (
    "Reshape", "Flatten", "Permute", "Transpose", "ExpandDims", "Squeeze", "ZeroPadding1D", "ZeroPadding2D",
    "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D", "Resizing", "CenterCrop", "RandomCrop", "RandomFlip",
    "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness", "Dropout",
    "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "Identity", "Cast", "Concatenate", "Stack", "GetItem",
    "Flip", "Roll", "Moveaxis", "Swapaxes", "BroadcastTo", "Tile", "Pad", "Clip", "MaxPooling1D", "MaxPooling2D",
    "AveragePooling1D", "AveragePooling2D", "UpSampling1D", "UpSampling2D", "Repeat", "RepeatVector", "Masking",
    "Resize", "Mean", "Average", "Copy",
)  # fmt: skip
WEIGHTED = ("Conv", "Dense", "SeparableConv", "DepthwiseConv", "LocallyConnected", "LSTM", "GRU", "SimpleRNN",
            "Embedding", "MultiHeadAttention", "EinsumDense", "Bidirectional", "RNN", "TimeDistributed",
            "ConvLSTM", "GroupedQueryAttention", "Attention", "AdditiveAttention")  # fmt: skip
NORMALIZING = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization",
               "RMSNormalization", "SpectralNormalization", "LayerNorm")  # fmt: skip
HOMOGENEOUS = ("linear", "relu", "leaky_relu", "prelu")  # f(a x) = a f(x): a normalization behind undoes any scale
STEPS_TO_NORMALIZATION = 5
RAW_PIXEL_STEP = 1 / 32  # a factor below this takes 0..255 in, not 0..1
RAW_PIXEL_OFFSET = 10.0  # a shift beyond this likewise, such as ImageNet's means
# keras.applications by the names they give themselves, with the mode of their preprocess_input.
CONVENTIONS = {
    "resnet50v2": "tf", "resnet101v2": "tf", "resnet152v2": "tf", "resnet50": "caffe", "resnet101": "caffe",
    "resnet152": "caffe", "vgg16": "caffe", "vgg19": "caffe", "densenet": "torch", "mobilenetv3": "",
    "mobilenetv2": "tf", "mobilenet_": "tf", "inception_v3": "tf", "inception_resnet_v2": "tf", "xception": "tf",
    "nasnet": "tf",
}  # fmt: skip


@dataclass(frozen=True)
class Pixels:
    """A pixel's value on its way: pixel * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0
    scales: bool = False
    raw_range: bool = False
    normalization: str | None = None

    def then(self, scale: float, offset: float) -> Pixels:
        changed = self.scales or scale != 1.0 or offset != 0.0
        return replace(self, scale=self.scale * scale, offset=self.offset * scale + offset, scales=changed)

    @property
    def takes_raw(self) -> bool:
        """Whether the constants are those of 0..255."""
        small = 0 < abs(self.scale) < RAW_PIXEL_STEP
        shifted = abs(self.offset) > RAW_PIXEL_OFFSET and abs(self.scale) > RAW_PIXEL_STEP
        return self.scales and (self.raw_range or small or shifted)


@dataclass
class Scaling:
    """What stands between the input and the first weights.

    Attributes:
        pixels: What the first weights see.
        normalizes: Batch or layer normalization stands before them, or straight behind them.
        first_layer: Class name of the first layer that is no scaling.
        convention: Mode of preprocess_input ("caffe", "torch", "tf") when keras.applications' own network begins.
        unknown: What could not be derived.
    """

    pixels: Pixels = field(default_factory=Pixels)
    normalizes: bool = False
    first_layer: str | None = None
    convention: str | None = None
    unknown: list[str] = field(default_factory=list)


def read_scaling(name: str, graph: Graph, statistics: Statistics | None) -> Scaling:
    """Return what the network `name` does to the pixels of its first input."""
    found = Scaling()
    states: dict[str, Pixels] = {graph.inputs[0]: Pixels()}
    readings: list[tuple[str, Node, Pixels]] = []
    adapting = [key for key, each in graph.nodes.items() if kind_of(each) == "Normalization" and _is_adapted(each)]

    def stored(key: str) -> list[Any]:
        all_of_them = statistics() if statistics else []
        in_order = len(all_of_them) == len(adapting) and key in adapting  # that of the layers in the network
        return [all_of_them[adapting.index(key)]] if in_order else all_of_them

    for key, node in graph.nodes.items():
        sources = [states[source] for source in node.sources if source in states]
        if not sources:
            continue
        found.first_layer = found.first_layer or _reader(node)
        if kind_of(node).startswith(NORMALIZING) or _has_weights(node):
            readings.append((key, node, sources[0]))
        elif (passed := _passed(node, sources, found, partial(stored, key))) is not None:
            states[key] = passed
    if not readings and any(each.normalization == "not adapted" for each in states.values()):  # joined with features
        found.pixels = replace(found.pixels, normalization="not adapted")
    _conclude(found, readings, graph)
    found.convention = _convention(name, readings)
    return found


def _reader(node: Node) -> str | None:
    kind = kind_of(node)
    scaling = ("Rescaling", "Normalization", "TrueDivide", "Multiply", "Add", "Subtract", "InputLayer")
    return None if (kind in VALUE_KEEPING and "Pooling2D" not in kind) or kind in scaling else kind[:60]


def _has_weights(node: Node) -> bool:
    return kind_of(node).startswith(WEIGHTED)


def _conclude(found: Scaling, readings: list[tuple[str, Node, Pixels]], graph: Graph) -> None:
    states = {pixels for _, _, pixels in readings}
    if len(states) > 1 and not found.unknown:
        found.unknown.append("input scaling: the input feeds multiple branches, which scale it differently")
    if readings:
        found.pixels = readings[0][2]
        found.normalizes = all(_is_normalized(key, node, graph) for key, node, _ in readings)


def _is_normalized(key: str, node: Node, graph: Graph) -> bool:
    """Whether a normalization reads the pixels, or what the first weights make of them up to a factor."""
    if kind_of(node).startswith(NORMALIZING):
        return True
    for _ in range(STEPS_TO_NORMALIZATION):
        if _named_activation(node) not in HOMOGENEOUS:
            return False
        followers = [(name, each) for name, each in graph.nodes.items() if key in each.sources]
        if len(followers) != 1:
            return False
        key, node = followers[0]
        if kind_of(node) == "BatchNormalization" or kind_of(node).startswith(NORMALIZING):
            return True
        if not (
            kind_of(node) in VALUE_KEEPING or kind_of(node) in ("ReLU", "LeakyReLU", "PReLU", "Activation", "Relu")
        ):
            return False
    return False


def _named_activation(node: Node) -> str:
    stated = node.config.get("activation")
    return stated if isinstance(stated, str) else "linear" if stated is None else "other"


def _convention(name: str, readings: list[tuple[str, Node, Pixels]]) -> str | None:
    """The documented input of keras.applications' networks, known by the names they give themselves."""
    paths = [part.lower() for _, node, _ in readings[:1] for part in node.name.split("/")[:-1]] + [name.lower()]
    return next((mode or None for path in paths for begin, mode in CONVENTIONS.items() if path.startswith(begin)), None)


# --- one layer -----------------------------------------------------------------------------------


def _passed(node: Node, sources: list[Pixels], found: Scaling, statistics: Statistics) -> Pixels | None:
    """Return what a layer makes of the pixels, None where they are pixels no more."""
    kind, pixels = kind_of(node), sources[0]
    if len(sources) < len(node.sources):
        return None  # joined with features, as by a shortcut from the input
    if any(each != pixels for each in sources):
        found.unknown.append(f"input scaling: {node.name} joins branches that scale differently")
        return None
    if kind == "Rescaling":
        return pixels.then(_mean(node.config.get("scale", 1.0)), _mean(node.config.get("offset", 0.0)))
    if kind == "Normalization":
        return _normalized(node, pixels, found, statistics)
    if kind in ("TrueDivide", "Multiply", "Add", "Subtract") and node.constants and len(node.sources) == 1:
        if (computed := _computed(kind, node, pixels)) is not None:
            return computed
    elif kind in VALUE_KEEPING or (kind == "Activation" and node.config.get("activation") == "linear"):
        return pixels
    stated = "the Lambda layer {} holds Python code" if kind == "Lambda" else "layer {} is of the unrecognized class {}"
    found.unknown.append("input scaling: " + stated.format(node.name, kind[:60]))
    return None


def _computed(kind: str, node: Node, pixels: Pixels) -> Pixels | None:
    position, number = next(iter(node.constants.items()))
    if kind == "TrueDivide":
        return pixels.then(1 / number, 0.0) if position > 0 and number else None
    if kind == "Multiply":
        return pixels.then(number, 0.0)
    if kind == "Add":
        return pixels.then(1.0, number)
    return pixels.then(*((1.0, -number) if position > 0 else (-1.0, number)))


def _is_adapted(node: Node) -> bool:
    """Whether a Normalization layer's numbers come from adapt(), not from its arguments."""
    return node.config.get("mean") is None or node.config.get("variance") is None


def _normalized(node: Node, pixels: Pixels, found: Scaling, statistics: Statistics) -> Pixels | None:
    mean, variance, adapted = node.config.get("mean"), node.config.get("variance"), True
    if _is_adapted(node):
        try:
            stored = statistics()
        except ContractError as error:
            found.unknown.append(f"normalization: {error}")
            stored = []
        if len(stored) != 1:
            found.unknown.append("input scaling: the statistics of the Normalization layer could not be read")
            return None
        mean, variance, adapted = stored[0]
    pixels = replace(pixels, normalization="adapted" if adapted else "not adapted")
    if not adapted:
        return pixels
    center, deviation = _mean(mean), math.sqrt(max(_mean(variance), 1e-14))
    if node.config.get("invert"):
        return pixels.then(deviation, center)
    # Statistics of 0..255 data: no 0..1 data has a mean above 1 or a deviation above 0.5.
    raw = pixels.raw_range or (not pixels.scales and (abs(center) > 1.5 or deviation > 4))
    return replace(pixels.then(1 / deviation, -center / deviation), raw_range=raw)


def _mean(value: Any) -> float:
    """The mean of a number or of (nested) numbers, such as one scale a channel."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, Mapping):  # a serialized numpy array: {"class_name": "__numpy__", "config": {"value": …}}
        return _mean(value["config"]["value"])
    elif isinstance(value, str):
        raise ContractError(f"Expected numbers as scaling constants. Received: {value[:60]!r}.")
    else:
        flat = [_mean(each) for each in value]
        number = sum(flat) / len(flat) if flat else 0.0
    if not math.isfinite(number):
        raise ContractError(f"Expected finite scaling constants. Received: {number}.")
    return number
