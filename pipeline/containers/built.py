"""The images that were built, as build/images.json lists them, and whether they are of the code as it stands."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from components.images import IMAGE_OF, image_references
from pipeline.containers.engine import ContainersError

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def built_images() -> dict[str, str]:
    """Return target -> reference of the images that were built from the files as they stand.

    Raises:
        ContainersError: None were built, or the files have changed since.
    """
    try:
        built = json.loads((BUILD / "images.json").read_text())
    except (OSError, ValueError):
        raise ContainersError("Expected images. Received: none were built. Fix: Build them: make images") from None
    if built["content"] != content_digest():
        raise ContainersError(
            "Expected images of the code as it stands. Received: older ones. Fix: Build them: make images"
        )
    return {target: each["reference"] for target, each in built["images"].items()}


def content_digest(root: Path = ROOT) -> str:
    """Return the hex SHA-256 over every file that enters an image, and over the recipe."""
    folders = [root / "components", root / "deep_mnist"]
    entering = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
    paths = [*entering, *(root / "requirements").glob("*.txt"), *(root / "docker").glob("Dockerfile*")]
    paths.append(root / "docker" / "slim.py")
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def tag_of(content: str, base: str) -> str:
    """Return commit and digest, such as "5658ca6b1f2e-0a1b2c3d4e5f"; the base image counts as content."""
    digest = hashlib.sha256(f"{content} {base}".encode()).hexdigest()
    return f"{commit() or 'no-commit'}-{digest[:12]}"


def commit() -> str:
    """Return the first 12 digits of the checked-out commit, or "" outside of a repository."""
    shown = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return shown.stdout.strip()


def image_reference(component: str, *, gpu: bool = False) -> str:
    """Return the image of a component that `make images` built from the code as it stands.

    With DEEP_MNIST_IMAGES set (a registry's prefix), the image of that name instead.

    Raises:
        ContainersError: There is none, or the code has changed since.
    """
    if os.environ.get("DEEP_MNIST_IMAGES"):
        return image_references(gpu=gpu)[component]
    target = IMAGE_OF[component]
    if target == "train" and not gpu:
        target = "train-cpu"
    images = built_images()
    if target not in images:
        raise ContainersError(
            f"Expected the image {target!r}. Received: {sorted(images)}. Fix: Build it: make images GPU=1"
        )
    return images[target]
