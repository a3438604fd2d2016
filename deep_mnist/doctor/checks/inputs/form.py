"""Checks of the form of inputs: their number and dtype. Their axes are judged in `shape.py`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.chunks import extent
from deep_mnist.doctor.evidence.live.text_inputs import takes_text
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import IMAGES, Follows, Need, On, Rule, Scope, check

NONE = Rule(
    code="I010",
    name="inputs-none",
    field="images.count",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="A split holds no example.",
    why="There is nothing to learn from or to measure with.",
)
TEXT = Rule(
    code="I020",
    name="inputs-are-text",
    field="images.dtype",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The inputs are text or raw bytes, and not numbers.",
    why="Text cannot become a tensor of numbers.",
    follows=(
        Follows(rules=("I220", "I221", "I222", "I223", "I224", "I225", "I226", "I228", "I229"), on=On.SAME_OR_TRAIN),
    ),
)
COMPLEX = Rule(
    code="I021",
    name="inputs-are-complex",
    field="images.dtype",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The inputs are complex numbers, as a Fourier transform leaves them.",
    why="The imaginary part is dropped or refused.",
)
BOOLEAN = Rule(
    code="I022",
    name="images-are-boolean",
    field="images.dtype",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    summary="The pixels are true or false, as a comparison leaves them.",
    why="Layers compute in float32; raw TensorFlow refuses booleans.",
)
SIGNED = Rule(
    code="I023",
    name="images-read-as-signed-bytes",
    field="images.dtype",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    summary="Bytes 0..255 were read as int8, so that 128..255 became -128..-1.",
    why="Bright pixels turn into the darkest ones.",
)
INTEGERS = Rule(
    code="I024",
    name="images-integers-without-rescaling",
    field="images.dtype",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    inputs=IMAGES,
    follows=(Follows(rules=("I192", "D045"), on=On.SAME_OR_TRAIN),),
    summary="The pixels are integers, and the network has no layer that scales them.",
    why="Raw TensorFlow refuses integers; Keras casts them to 0..255, two hundred times too large.",
)
DOUBLE = Rule(
    code="I025",
    name="inputs-in-double-precision",
    field="images.dtype",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.IMAGES,),
    summary="The inputs are float64, which layers cast to float32.",
    why="Twice the memory and time to move, cast again at every batch; raw TensorFlow refuses doubles.",
)

LITTLE = 1 << 24  # bytes that Keras casts at every fit without anybody noticing


@check(NONE)
def check_count(case: Case, split: Split) -> Iterator[Finding]:
    """Yield a split without examples."""
    images = split.images
    if images is not None and (images.ndim == 0 or len(images) == 0):
        yield NONE.found(
            split.name,
            expected=f"at least one {case.example}",
            received=f"none, shape {images.shape}",
            fix=_fix_of_none(case, split),
        )


def _fix_of_none(case: Case, split: Split) -> str:
    train = case.train.images
    if case.record is not None and split.name == "validation" and train is not None and len(train):
        return f"Give more {case.example}s: of {len(train)} none was left to hold out; or hold out a larger fraction."
    return "Make the split non-empty: check the path and the split's fraction."


@check(TEXT, COMPLEX, BOOLEAN, SIGNED, INTEGERS, DOUBLE)
def check_dtype(case: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one finding on the dtype of a split's inputs."""
    images, contract, name = split.images, case.contract, f"{split.name}_images"
    if images is None:
        return
    kind, dtype, as_float = images.dtype.kind, images.dtype, f'{name} = {name}.astype("float32")'
    if kind in "USV":
        if case.call is not None and takes_text(case.call.model):
            return
        yield TEXT.found(split.name, expected="numbers", received=f"{dtype} (text or raw bytes)", fix=as_float)
    elif kind == "c":
        fix = f'{name} = {name}.real.astype("float32")'
        yield COMPLEX.found(split.name, expected="real numbers", received=str(dtype), fix=fix)
    elif kind == "b" and not contract.scales_inside:
        yield BOOLEAN.found(split.name, expected="float32", received="booleans", fix=as_float)
    elif _are_signed_bytes(images):
        received = "signed bytes below 0: 128..255 were read as -128..-1"
        fix = f"{name} = {name}.view(np.uint8)"
        yield SIGNED.found(split.name, expected="unsigned bytes 0..255", received=received, fix=fix)
    elif kind in "iu" and not _takes_integers(contract) and not _is_board(images):
        received = f"{dtype} into a network without a Rescaling layer"
        yield INTEGERS.found(split.name, expected="float32, scaled", received=received, fix=f"{as_float} / 255")
    elif kind == "f" and dtype.itemsize > 4 and (case.call is None or images.nbytes > LITTLE):
        yield DOUBLE.found(split.name, expected="float32", received=str(dtype), fix=as_float)


def _are_signed_bytes(images: np.ndarray) -> bool:
    return images.dtype == np.int8 and bool(images.size) and extent(images)[0] < 0


def _is_board(images: np.ndarray) -> bool:
    """Whether integers are -1, 0 and 1 alone, as a board's cells: there is no scale to put right."""
    low, high = extent(images) if images.size else (0, 0)
    return -1 <= low and high <= 1


def _takes_integers(contract: Contract) -> bool:
    return contract.scales_inside or contract.normalizes_input or not contract.scaling_is_known
