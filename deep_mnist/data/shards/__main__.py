"""python -m deep_mnist.data.shards SOURCE ADDRESS [--shard-bytes N] [--seed N] [--workers N].

SOURCE is a folder of class folders with images, of tables of a label and pixels, or of Parquet files; ADDRESS a folder,
gs://… or s3://…. What is written is a dataset: make run DATASET=ADDRESS. Begun again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.raw import MissingPackageError
from deep_mnist.data.shards.from_files import shard_files
from deep_mnist.data.shards.shard_set import SHARD_BYTES
from deep_mnist.storage.store import StorageError


def main() -> int:
    """Write shards as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.data.shards", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("address")
    parser.add_argument("--shard-bytes", type=int, default=SHARD_BYTES)
    parser.add_argument("--seed", type=int, default=0, help="of the order of image files")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core")
    chosen = parser.parse_args()
    options = {"shard_bytes": chosen.shard_bytes, "seed": chosen.seed, "workers": chosen.workers}
    try:
        made = shard_files(chosen.source, chosen.address, **options)
    except (ArrayFileError, MissingPackageError, StorageError) as error:
        print(f"shards: {error}", file=sys.stderr, flush=True)
        return 2
    for split, shards in made.splits.items():
        print(f"shards: {split} {made.count(split)} examples in {len(shards)} shards at {chosen.address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
