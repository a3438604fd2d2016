"""The options of one training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from components.train.device import memory_bytes
from components.train.networks import Recipe, find_network

RESIDENT_BYTES = 4 << 30  # a training split larger than this, or than
RESIDENT_SHARE = 1 / 3  # of the memory, is streamed from its files
CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class TrainRequest:
    """The options of one training; the parameters of the step.

    Attributes:
        network: Name of a built-in network; unused when `model` is given.
        model: Path, file://, gs:// or s3:// address of a user's own `.keras`, or "".
        model_digest: SHA-256 that the user's file must have, or "".
        epochs: Passes over the training split; 0 means the network's own number.
        seed: Seed of the weights, the order and the augmentation.
        require_gpu: Stop unless a GPU does the work.
        checkpoints: Store address for checkpoints, or "" for none.
        checkpoint_seconds: Between two checkpoints.
        nodes: Processes or pods that train together.
        resident_bytes: A training split up to this size is kept on the device; 0 decides by the memory.
    """

    network: str = "fast"
    model: str = ""
    model_digest: str = ""
    epochs: int = 0
    seed: int = 0
    require_gpu: bool = False
    checkpoints: str = ""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    resident_bytes: int = 0
    nodes: int = 1

    def limit(self) -> int:
        """Return up to how many bytes a training split is kept on the device."""
        return self.resident_bytes or min(RESIDENT_BYTES, int(memory_bytes() * RESIDENT_SHARE))


def recipe_of(request: TrainRequest, device: str) -> Recipe:
    """Return the built-in network's recipe, or the plain one for a user's model, with the requested epochs."""
    recipe = Recipe() if request.model else find_network(request.network).sized_for(device).recipe
    if request.epochs < 0:
        raise ValueError(f"Expected epochs of 0 (the network's own) or more. Received: {request.epochs}.")
    return replace(recipe, epochs=request.epochs or recipe.epochs)
