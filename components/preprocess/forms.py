"""The forms of raw data, and the record of what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing

Arrays = dict[str, np.ndarray]


def is_raw(arrays: Arrays) -> bool:
    """Return whether arrays are uint8 images (n, rows, columns) with integer labels (n,), split by split."""
    images = [array for name, array in arrays.items() if name.endswith("_images")]
    labels = [array for name, array in arrays.items() if name.endswith("_labels")]
    paired = {name.partition("_")[0] for name in arrays if name.endswith("_images")} == {
        name.partition("_")[0] for name in arrays if name.endswith("_labels")
    }
    return (
        {"train_images", "train_labels"} <= set(arrays)
        and paired
        and all(image.dtype == np.uint8 and image.ndim == 3 and len(image) for image in images)
        and all(label.dtype.kind in "iu" and label.ndim == 1 for label in labels)
        and all(len(arrays[n]) == len(arrays[n.replace("_images", "_labels")]) for n in arrays)
    )


def forms(arrays: Arrays) -> str:
    """Return dtype and shape of each array, for a sentence."""
    return ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())


def as_it_is(arrays: Arrays) -> Contract:
    """Return the contract that raw data fulfil by themselves."""
    images = arrays["train_images"]
    return Contract(
        input_shape=tuple(images.shape[1:]),
        layout="rows_columns",
        input_dtype="uint8",
        input_range=(0.0, 255.0),
        label_encoding="sparse",
        num_classes=_classes(arrays),
    )


def _classes(arrays: Arrays) -> int:
    return 1 + max(int(array.max(initial=0)) for name, array in arrays.items() if name.endswith("_labels"))


def record_of_raw(arrays: Arrays, contract: Contract, digests: Mapping[str, str], **chosen: Any) -> Preprocessing:
    """Return the record of raw data that become what a contract asks for; `chosen` are fields of the record."""
    low, high = contract.input_range
    floats = contract.input_dtype != "uint8"
    scale = (float(high) - float(low)) / 255.0 if floats else 1.0
    return Preprocessing(
        layout=contract.layout,
        image_shape=shape_for(contract.layout, arrays["train_images"].shape[1:]),
        dtype="float32" if floats else "uint8",
        scale=scale,
        offset=float(low) if floats else 0.0,
        label_encoding=contract.label_encoding or "sparse",
        num_classes=contract.num_classes or _classes(arrays),
        source_digests=digests,
        **chosen,
    )


def shape_for(layout: str, raw_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape one image is stored in: the contract's layout around the raw rows and columns."""
    rows, columns = raw_shape
    if layout == "flat":
        return (rows * columns,)
    if layout == "channels_last":
        return (rows, columns, 1)
    if layout == "channels_first":
        return (1, rows, columns)
    return (rows, columns)


def convert_labels(labels: np.ndarray, record: Preprocessing) -> np.ndarray:
    """Integers (n,) -> int64 (n,), or float32 one-hot (n, num_classes).

    Labels outside 0..num_classes-1 cannot be one-hot encoded; they stay integers, for validate to name.
    """
    integers = labels.astype(np.int64)
    fits = not len(integers) or (integers.min() >= 0 and integers.max() < record.num_classes)
    if record.label_encoding == "one_hot" and fits:
        return np.eye(record.num_classes, dtype=np.float32)[integers]
    return integers


def record_as_prepared(contract: Contract, digests: Mapping[str, str], **chosen: Any) -> Preprocessing:
    """Return the record of data that are passed on unchanged; `chosen` are fields of the record."""
    return Preprocessing(
        layout=contract.layout,
        image_shape=tuple(side or 0 for side in contract.input_shape or ()),
        dtype=contract.input_dtype,
        scale=1.0,
        offset=0.0,
        label_encoding=contract.label_encoding or "sparse",
        num_classes=contract.num_classes or 0,
        prepared=True,
        source_digests=digests,
        **chosen,
    )
