"""What signatures by keys and by identities share: the file, the error, the package and how a folder is hashed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deep_mnist.registry.pointer import RegistryError

SIGNATURE_FILE = "model.sig"


class SignatureError(RegistryError):
    """A version that is not signed by whom it must be, or is not what was signed; a key or token that is unusable."""

    fix = "see docs/signing.md"


def package() -> Any:
    """Return the package model_signing, its modules imported.

    Raises:
        SignatureError: It is not installed.
    """
    try:
        import model_signing
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise SignatureError(
            f"Expected the package model-signing, as a key or an identity is configured. Received: {error}. "
            "Fix: make .venv/signing, or pip install 'deep-mnist[signing]'"
        ) from None
    return model_signing


def hashing_config() -> Any:
    """Return how model_signing reads a version's folder: every file but the signature, links not followed."""
    config = package().hashing.Config()
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=False)
    return config.set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)


@contextmanager
def text_as_file(text: str, suffix: str) -> Iterator[Path]:
    """Yield the path of a file with a text, readable by its owner alone, for libraries that take nothing else."""
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as stream:
        stream.write(text)
        stream.flush()
        yield Path(stream.name)
