"""What can be wrong with any file, and with a contract.json beside the data."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

from tests.support.bad_folders.mutation import Change


def _first(folder: Path) -> Path:
    return min(
        each
        for each in folder.rglob("*")
        if (each.is_file() and "train" in str(each.relative_to(folder))) or each.is_file()
    )


def _as_folder(folder: Path) -> None:
    path = _first(folder)
    path.unlink()
    path.mkdir()


def _as_link(target: str, folder: Path) -> None:
    path = _first(folder)
    path.unlink()
    path.symlink_to(target)


def _all_gone(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


FILES: list[tuple[str, Change]] = [
    ("an empty file", lambda folder: _first(folder).write_bytes(b"")),
    ("one byte", lambda folder: _first(folder).write_bytes(b"\0")),
    ("text", lambda folder: _first(folder).write_text("not what its name says\n")),
    ("a web page", lambda folder: _first(folder).write_text("<!DOCTYPE html><html><body>404</body></html>")),
    ("a pointer of Git LFS", lambda folder: _first(folder).write_text("version https://git-lfs.github.com/spec/v1\n")),
    (
        "half of a file",
        lambda folder: _first(folder).write_bytes(_first(folder).read_bytes()[: _first(folder).stat().st_size // 2]),
    ),
    ("a file twice", lambda folder: _first(folder).write_bytes(_first(folder).read_bytes() * 2)),
    ("zeros", lambda folder: _first(folder).write_bytes(b"\0" * _first(folder).stat().st_size)),
    ("gzipped once more", lambda folder: _first(folder).write_bytes(gzip.compress(_first(folder).read_bytes()))),
    ("a folder in its place", _as_folder),
    ("a link to nowhere", partial(_as_link, "nowhere")),
    ("a link to itself", lambda folder: _as_link(_first(folder).name, folder)),
    ("a link to a device", partial(_as_link, "/dev/null")),
    ("nothing in the folder", _all_gone),
]

CONTRACTS = (
    "",
    "{",
    "[]",
    "null",
    '"x"',
    "{}",
    '{"nothing": 1}',
    '{"input_shape": 7}',
    '{"input_shape": ["a"]}',
    '{"input_shape": [-1, 0]}',
    '{"num_classes": "ten"}',
    '{"num_classes": -3}',
    '{"num_classes": 1e400}',
    '{"layout": "sideways"}',
    '{"input_dtype": "object"}',
    '{"input_range": [1, 0]}',
    '{"input_range": "all"}',
    '{"input_range": [0, NaN]}',
    '{"label_encoding": 5}',
    '{"accept": 3}',
    '{"accept": [{"field": "x"}]}',
    '{"accept": [{"field": "files.x", "because": "y"}]}',
    '{"fit": []}',
    "[" * 2000,
    '{"loss": {"a": 1}}',
    '{"class_names": 3}',
)


def write_contract(text: str, folder: Path) -> None:
    (folder / "contract.json").write_text(text)
