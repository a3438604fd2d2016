"""Reads a SavedModel's signature. The one reader that imports TensorFlow, for its messages; it runs no graph."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import Contract, ContractError
from deep_mnist.contract.layouts import layout_of_shape

MAX_GRAPH_BYTES = 1 << 30  # protobuf's own limit is 2 GB
PASSING_ON = ("Identity", "StatefulPartitionedCall", "PartitionedCall", "NoOp", "Cast")
ACTIVATION_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu",
                         "ArgMax": "argmax", "LogSoftmax": "log_softmax"}  # fmt: skip
LINEAR_OPERATIONS = ("BiasAdd", "MatMul", "AddV2")


def contract_of_saved_model(folder: Path) -> Contract:
    """Return the contract stated by a SavedModel's `serving_default` signature (and Keras 2's metadata, if any).

    Raises:
        ContractError: The folder holds no SavedModel with such a signature, or TensorFlow cannot be imported.
    """
    if stated := _keras_metadata(folder):
        from deep_mnist.contract.derive import contract_of_model

        return contract_of_model(folder.name, stated, stated.get("compile_config"), None)
    graph = _meta_graph(folder)
    signature = graph.signature_def["serving_default"]
    if len(signature.inputs) < 1 or len(signature.outputs) < 1:
        raise ContractError(
            f"Expected a serving_default signature in {folder}. Received: none. Fix: Use model.export()."
        )
    source, result = (next(iter(each.values())) for each in (signature.inputs, signature.outputs))
    shape, output = _shape(source), _shape(result)
    activation = _activation(graph)
    unknown = ["loss: a SavedModel's signature holds none", "input scaling: a SavedModel's signature does not tell"]
    return Contract(
        name=folder.name,
        input_shape=shape[1:] if shape else None,
        layout=layout_of_shape(shape[1:]) if shape else "unknown",
        input_dtype="uint8" if source.dtype == 4 else "float32",  # DT_UINT8 of tensorflow/core/framework/types.proto
        input_range=(0.0, 255.0) if source.dtype == 4 else (0.0, 1.0),
        scales_inside=source.dtype == 4,
        pixel_scale=1 / 255 if source.dtype == 4 else 1.0,
        output_units=output[-1] if output and len(output) > 1 else None,
        output_rank=len(output) if output else None,
        num_classes=output[-1] if output and len(output) > 1 else None,
        output_tail=(activation or "unknown",),
        unknown=tuple(unknown if activation else [*unknown, "output_activation: not a known last operation"]),
    )


def _meta_graph(folder: Path) -> Any:
    saved_model_pb2 = _messages("tensorflow.core.protobuf.saved_model_pb2", folder)
    path = folder / "saved_model.pb"
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise ContractError(f"Expected saved_model.pb of at most {MAX_GRAPH_BYTES} bytes. Received: more.")
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError lies in a module that differs between its versions
        raise ContractError(f"Expected a SavedModel in {path}. Received: {error}.") from error
    for graph in saved.meta_graphs:
        if "serving_default" in graph.signature_def:
            return graph
    raise ContractError(f"Expected a serving_default signature in {folder}. Received: none. Fix: Use model.export().")


def _messages(module: str, folder: Path) -> Any:
    """Return a module of TensorFlow's that holds the classes of a file's protocol buffers."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ContractError(
            f"Expected TensorFlow, which alone reads the SavedModel {folder}. Received: {error}. "
            "Fix: pip install tensorflow, or name the .keras file that it was exported from."
        ) from error


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    if tensor.tensor_shape.unknown_rank:
        return None
    return tuple(None if each.size < 0 else each.size for each in tensor.tensor_shape.dim)


def _activation(graph: Any) -> str | None:
    """Return the activation among the last operations of the function that the signature calls."""
    functions = {each.signature.name: each for each in graph.graph_def.library.function}
    named = [node.attr["f"].func.name for node in graph.graph_def.node if node.op.endswith("PartitionedCall")]
    for function in (functions[name] for name in named if name in functions):
        found = _last_activation(function, functions, 0)
        if found:
            return found
    return None


def _last_activation(function: Any, functions: dict[str, Any], depth: int) -> str | None:
    nodes = {node.name: node for node in function.node_def}
    pending = [name.split(":")[0] for name in function.ret.values()]
    while pending and depth < 20:
        node = nodes.get(pending.pop())
        if node is None:
            continue
        if node.op in ACTIVATION_OPERATIONS:
            return ACTIVATION_OPERATIONS[node.op]
        if node.op in LINEAR_OPERATIONS:
            return "linear"
        if node.op.endswith("PartitionedCall"):
            inner = functions.get(node.attr["f"].func.name)
            found = _last_activation(inner, functions, depth + 1) if inner else None
            if found:
                return found
        elif node.op in PASSING_ON:
            pending += _operands(node.input)
    return None


def _operands(names: Iterable[str]) -> list[str]:
    return [name.split(":")[0] for name in names if not name.startswith("^")]


def _keras_metadata(folder: Path) -> dict[str, Any] | None:
    """Return the model's configuration that Keras 2 wrote as JSON into keras_metadata.pb."""
    path = folder / "keras_metadata.pb"
    if not path.is_file() or path.stat().st_size > MAX_GRAPH_BYTES:
        return None
    saved_metadata_pb2 = _messages("tensorflow.python.keras.protobuf.saved_metadata_pb2", folder)
    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString(path.read_bytes())
        root = json.loads(next(node.metadata for node in metadata.nodes if node.node_path == "root"))
    except Exception:  # damaged metadata: the signature still tells the shapes
        return None
    if not isinstance(root.get("config"), dict) or "layers" not in root["config"]:
        return None
    return {
        "class_name": root.get("class_name"),
        "config": root["config"],
        "compile_config": root.get("training_config"),
    }
