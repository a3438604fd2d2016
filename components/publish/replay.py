"""Golden requests: sent to the exported model, in a process that knows nothing but its folder.

    python -m components.publish.replay FOLDER

prints one JSON object, and exits 1 when the export predicts otherwise than the model it was made from, when it takes
what it must not, or when a known mistake of preparation (scaled twice or never, rows and columns exchanged) would do
better than the preparation inside.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.work import spared_collections
from deep_mnist.export import GOLDEN_FILE, GOLDEN_REQUESTS, GOLDEN_TOLERANCE, TrainedNetwork
from deep_mnist.processes import run_module
from deep_mnist.registry.judged_split import JudgedSplit

# A mistaken preparation must be better by this many standard deviations of a share to be called better.
SURE = 3.0
REPLAY_SECONDS = 600


class ReplayError(RuntimeError):
    """The exported model is not the model that was judged."""

    fix = "rerun publish; where it fails again, report it with the step's log"


def write_golden_requests(network: TrainedNetwork, split: JudgedSplit, folder: Path) -> Path:
    """Write at most 256 images of the split, evenly spread, with predictions for them, to FOLDER/golden_requests.npz.

    The file holds images (raw uint8 (n, rows, columns), or as prepared), labels int64 (n,), probabilities float32
    (n, classes), fed (what the network took) and raw, a bool.
    """
    rows = np.unique(np.linspace(0, len(split.labels) - 1, GOLDEN_REQUESTS).astype(int))
    images = np.asarray(split.images[rows])
    path = folder / GOLDEN_FILE
    np.savez_compressed(
        path,
        images=images,
        labels=split.labels[rows],
        probabilities=network.predict(images, raw=split.raw).astype(np.float32),
        fed=network.fed(images, raw=split.raw),
        raw=np.bool_(split.raw),
    )
    return path


def replay_in_fresh_process(folder: Path) -> dict[str, Any]:
    """Return {"requests", "largest_difference", "accuracy"} of the replay.

    Raises:
        ReplayError: With every fault found.
    """
    root = Path(__file__).resolve().parents[2]
    try:
        done = run_module("components.publish.replay", [str(folder)], folder=root, timeout=REPLAY_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ReplayError(f"Expected a replay within {REPLAY_SECONDS} s. Received: none.") from error
    lines = done.stdout.strip().splitlines()
    try:
        proof = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise ReplayError(f"Expected the replay's result. Received: {done.stderr[-2000:]}") from None
    if done.returncode or proof["faults"]:
        raise ReplayError(
            "Expected an export that predicts as the model does. Received:\n  " + "\n  ".join(proof["faults"])
        )
    return proof


def replay(folder: Path) -> dict[str, Any]:
    """Load the SavedModel and send it every request; collect every fault."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signatures = {name: _called(loaded.signatures[name], tf) for name in ("serving_default", "network")}
    golden = np.load(folder / GOLDEN_FILE, allow_pickle=False)
    differences, faults = [], []
    for request, predicted in _requests(signatures, golden):
        difference = float(np.abs(predicted["probabilities"] - golden["probabilities"]).max(initial=0.0))
        differences.append(difference)
        flipped = predicted["class"] != golden["probabilities"].argmax(axis=1)
        if not difference <= GOLDEN_TOLERANCE:  # also true of NaN
            faults.append(
                f"Expected {request} to predict as the model does, within {GOLDEN_TOLERANCE:g}. Received: a difference "
                f"of {difference:.3g}, another class for {int(flipped.sum())} of {len(flipped)}."
            )
    faults += _probes(signatures, golden) if bool(golden["raw"]) else []
    correct = signatures["serving_default"](golden["images"])["class"] == golden["labels"]
    return {
        "requests": len(golden["labels"]),
        "largest_difference": max(differences),
        "accuracy": float(correct.mean()),
        "faults": faults,
    }


Signature = Callable[[np.ndarray], dict[str, np.ndarray]]


def _called(signature: Any, tf: Any) -> Signature:
    def call(images: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in signature(images=tf.constant(images)).items()}

    return call


def _requests(signatures: dict[str, Signature], golden: Any) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Request predictions in every form and batch size that the signatures promise."""
    images, raw = golden["images"], signatures["serving_default"]
    yield "serving_default", raw(images)
    yield (
        "serving_default, one image at a time for 16,",
        _joined(
            [raw(images[i : i + 1]) for i in range(min(16, len(images)))] + [raw(images[16:])] * (len(images) > 16)
        ),
    )
    if golden["raw"]:
        yield "serving_default with a channel axis", raw(images[..., np.newaxis])
    yield "network", signatures["network"](golden["fed"])


def _joined(predictions: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([predicted[name] for predicted in predictions]) for name in predictions[0]}


def _probes(signatures: dict[str, Signature], golden: Any) -> Iterator[str]:
    """Yield a fault for each wrong request that is taken and each wrong preparation that does better."""
    yield from _refusals(signatures["serving_default"], golden["images"])
    labels, fed, network = golden["labels"], golden["fed"], signatures["network"]
    share = float((network(fed)["class"] == labels).mean())
    mistakes = {"the image's rows and columns exchanged": _transposed(golden)}
    if fed.dtype.kind == "f":
        mistakes["pixels scaled by 1/255 once more"] = fed / np.float32(255)
        mistakes["pixels scaled by 1/255 once less"] = fed * np.float32(255)
    spread = SURE * (max(share * (1 - share), 1e-2) / len(labels)) ** 0.5
    for mistake, images in mistakes.items():
        other = float((network(images)["class"] == labels).mean())
        if other > share + spread:
            yield (
                f"Expected the recorded preparation to serve the network best. Received: {share:.3f} correct with it, "
                f"{other:.3f} with {mistake}. Check the preprocessing record and train again."
            )


def _transposed(golden: Any) -> np.ndarray:
    fed, (rows, columns) = golden["fed"], golden["images"].shape[1:]
    if rows != columns:
        return fed
    return fed.reshape(len(fed), rows, columns).transpose(0, 2, 1).reshape(fed.shape)


def _refusals(raw: Signature, images: np.ndarray) -> Iterator[str]:
    """Yield a fault for each request that must be refused and is not."""
    wrong = {
        "float32 pixels in [0, 1], scaled already": (images / 255).astype(np.float32),
        "images without a batch axis": images[0],
        "images with the channel axis first": images[:, np.newaxis],
        "images of other sides": images[:, :, 1:],
        "images with three channels": np.repeat(images[..., np.newaxis], 3, axis=-1),
    }
    for what, request in wrong.items():
        try:
            raw(request)
        except Exception:  # whichever way TensorFlow refuses
            continue
        yield f"Expected serving_default to refuse {what}. Received: a prediction."


def main(folder: str) -> int:
    with spared_collections():
        proof = replay(Path(folder))
    print(json.dumps(proof), flush=True)
    return 1 if proof["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
