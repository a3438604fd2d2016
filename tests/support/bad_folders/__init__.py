"""Folders of data that are wrong in every way: each mutation takes a sound folder of one format and breaks it.

`mutations(seed)` lists some hundred written ones and, for every file of every format, random damage: bytes turned over,
cut off, repeated, put in. The same seed gives the same list.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.support.bad_folders.arrays import ARRAYS
from tests.support.bad_folders.files import CONTRACTS, FILES, write_contract
from tests.support.bad_folders.mutation import BASES, Change, Mutation
from tests.support.bad_folders.packed import GZIP, IDX, NPZ
from tests.support.bad_folders.pictures import CIFAR, CLASSES
from tests.support.bad_folders.tables import CSV, PARQUET


def mutations(seed: int, damages: int = 4) -> list[Mutation]:
    """Return the written mutations, then `damages` random ones for each file of each format."""
    written = [Mutation(base, name, change) for base, name, change in _written()]
    return written + [each for base in BASES for each in _damaged(base, seed, damages)]


def _damaged(base: str, seed: int, count: int) -> Iterator[Mutation]:
    files = {"npy": 4, "idx": 4, "idx.gz": 4, "npz": 1, "csv": 2, "parquet": 2, "classes": 3, "cifar": 2}[base]
    for number in range(files * count):
        yield Mutation(base, f"damage {number}", partial(_damage, random.Random(f"{seed} {base} {number}")))


def _damage(random: random.Random, folder: Path) -> None:
    path = random.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
    data = bytearray(path.read_bytes())
    # Half of the damage is where formats keep their heads, or their ends.
    place = random.choice((random.randrange(min(len(data), 160)), random.randrange(len(data)), len(data) - 1))
    kind = random.randrange(6)
    if kind == 0:
        data[place] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[place : place + 4] = random.randbytes(4)
    elif kind == 2:
        del data[place:]
    elif kind == 3:
        data[place:place] = random.randbytes(random.choice((1, 2, 8, 100)))
    elif kind == 4:
        data[place:place] = data[place : place + random.randrange(1, 200)]
    else:
        data[place : place + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))


def _written() -> Iterator[tuple[str, str, Change]]:
    yield from (("npy", name, change) for name, change in ARRAYS)
    for name, change in FILES:
        yield from ((base, name, change) for base in BASES)
    for base in ("npy", "csv", "classes"):
        yield from ((base, f"contract.json {text[:40]!r}", partial(write_contract, text)) for text in CONTRACTS)
    yield from (("idx", name, change) for name, change in IDX)
    yield from (("idx.gz", name, change) for name, change in GZIP)
    yield from (("npz", name, change) for name, change in NPZ)
    yield from (("csv", name, change) for name, change in CSV)
    yield from (("parquet", name, change) for name, change in PARQUET)
    yield from (("classes", name, change) for name, change in CLASSES)
    yield from (("cifar", name, change) for name, change in CIFAR)
