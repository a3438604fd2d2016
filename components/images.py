"""Component -> image reference, chosen when the pipeline is compiled.

DEEP_MNIST_IMAGES   "registry/prefix" of built images; unset, the names serve runs as local processes.
DEEP_MNIST_TAG      one tag for all of them, unique to commit and content; never `latest`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

COMPONENTS = (
    "download",
    "preprocess",
    "validate",
    "prepare",
    "compare",
    "inspect",
    "rehearse",
    "train",
    "select",
    "evaluate",
    "publish",
    "notify",
)
# Which target of docker/Dockerfile a component runs in.
IMAGE_OF = {
    "download": "data",
    "preprocess": "data",
    "validate": "light",
    "prepare": "data",
    "compare": "data",
    "inspect": "train-cpu",
    "rehearse": "train-cpu",
    "select": "data",
    "train": "train",
    "evaluate": "tensorflow",
    "publish": "tensorflow",
    "notify": "data",
}
# A step that runs others' code and packages: its digest counts theirs too.
RUNS_CODE_OF = {"inspect": ("train",), "rehearse": ("train",), "prepare": ("download", "preprocess", "validate")}


def image(component: str) -> str:
    """Return the image reference of a component.

    KFP's cache key holds the image's name and not its content, so the tag is a digest of the code
    the component runs: changed code never returns an old result.

    Raises:
        ValueError: The component is unknown.
    """
    if component not in COMPONENTS:
        raise ValueError(f"Expected one of {COMPONENTS}. Received: {component!r}")
    prefix = os.environ.get("DEEP_MNIST_IMAGES", "python-deep-mnist")
    tag = os.environ.get("DEEP_MNIST_TAG") or code_digest(component)[:16]
    return f"{prefix}/{IMAGE_OF[component]}:{tag}"


def image_references(*, gpu: bool) -> dict[str, str]:
    """Return component -> image; training without a GPU takes the image that lacks the CUDA libraries."""
    references = {component: image(component) for component in COMPONENTS}
    if not gpu:
        references["train"] = references["train"].replace("/train:", "/train-cpu:")
    return references


def provenance(images: Callable[[str], str] = image) -> str:
    """Return, as JSON, the image and the code digest of every component, for the model card.

    It is computed where the whole tree is, when the pipeline is compiled: an image holds only its own components.
    """
    return json.dumps({name: {"image": images(name), "code": code_digest(name)} for name in COMPONENTS}, sort_keys=True)


@cache
def code_digest(component: str) -> str:
    """Hex SHA-256 over the files a component runs: its folder, the library, its lock."""
    root = Path(__file__).resolve().parents[1]
    paths = [*(root / "deep_mnist").rglob("*"), *(root / "components").glob("*.py")]
    for name in (component, *RUNS_CODE_OF.get(component, ())):
        paths += [*(root / "components" / name).rglob("*"), *(root / "requirements").glob(f"{name}*.txt")]
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
