"""python -m deep_mnist.registry.fetch STORE FOLDER: the champion's files, verified, as a server of models loads them.

    python -m deep_mnist.registry.fetch gs://bucket/registry /mnt/models --trusted-key trusted.pem --require-signature

Writes FOLDER/<version>, whole or not at all, and takes earlier versions in FOLDER away only after that. It is the init
container of manifests/components/signed-models. TensorFlow Serving loads FOLDER.
Exit status: 0 there, 2 not usable: no champion, or it is not what was promoted or signed; FOLDER is as it was.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from deep_mnist.registry.names import USUAL, only_name
from deep_mnist.registry.pointer import RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import add_trust_options, trust_of


def main(arguments: list[str] | None = None) -> int:
    """Print one line; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        trust = trust_of(options)
        trust.require_package()
        registry = Registry(options.store, only_name(options.store, options.model_name, USUAL), trust=trust)
        folder = fetch_champion(registry, options.folder)
    except (RegistryError, OSError) as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 2
    how = "signature verified" if registry.trust.required else "digests verified"
    print(f"fetch: {folder}: {registry.name} version {folder.name}, {how}", flush=True)
    return 0


def fetch_champion(registry: Registry, folder: Path) -> Path:
    """Write the champion's files to a subfolder named by its version, and return that.

    Raises:
        RegistryError: There is none, or its files are not those that were promoted or signed.
        StorageError: The registry cannot be read.
    """
    promotion = registry.champion()
    if promotion is None:
        raise RegistryError(f"Expected a champion of {registry.name}. Received: none. Fix: make run publishes one")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / str(promotion.version)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as scratch:
        partial = Path(scratch) / target.name
        partial.mkdir()
        registry.files.download(promotion, partial)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    for path in folder.iterdir():
        if path.name.isdecimal() and path != target:
            shutil.rmtree(path)
    return target


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.registry.fetch", description="Write the champion's verified files to a folder."
    )
    parser.add_argument("store", help="the registry: a folder, gs://bucket/prefix or s3://bucket/prefix")
    parser.add_argument("folder", type=Path, help="receives a subfolder named by the version")
    parser.add_argument("--model-name", default="", help="name in the registry (mnist, else the only one)")
    add_trust_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
