"""A path is read by what it is: by its content, and by its name only where that does not tell."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep_mnist.doctor.command.kinds import PROGRAMS, Kind, kind_of
from tests.support.digits import write_idx_folder
from tests.support.doors import onnx_bytes, write_notebook
from tests.support.image_files import write_digits_shard, write_table
from tests.support.keras_models import classifier, write_keras

Write = Callable[[Path], object]


def zipped(*names: str) -> Write:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "raise SystemExit('run')")

    return write


def hdf5(*groups: str, **attributes: str) -> Write:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as stored:
            stored.attrs.update(attributes)
            for group in groups:
                stored.create_group(group)

    return write


def idx(path: Path) -> None:
    write_idx_folder(path.parent / "idx", train=10, test=10)
    path.write_bytes(gzip.decompress((path.parent / "idx" / "train-images-idx3-ubyte.gz").read_bytes()))


FILES: dict[str, tuple[Kind, Write]] = {
    "model.py": (Kind.KERAS, lambda path: write_keras(path, classifier(), "mse")),
    "program.keras": (Kind.SCRIPT, lambda path: path.write_text("import keras")),
    "cut.keras": (Kind.NO_ZIP, lambda path: path.write_bytes(b"PK\x03\x04" + bytes(90))),
    "page.keras": (Kind.NO_ZIP, lambda path: path.write_text("<html>")),
    "table.tsv": (Kind.TABS, lambda path: path.write_text("label\tpixel0\n1\t0\n")),
    "archive.py": (Kind.ARCHIVE, zipped("__main__.py")),
    "both.keras": (Kind.KERAS, zipped("__main__.py", "config.json")),
    "arrays.bin": (Kind.NPZ, lambda path: np.savez(path.open("wb"), x_train=np.zeros(3))),
    "torch.keras": (Kind.TORCH, zipped("archive/data.pkl")),
    "model.dat": (Kind.HDF5, hdf5(model_config="{}")),
    "weights.dat": (Kind.WEIGHTS, hdf5("layers")),
    "arrays.h5": (Kind.HDF5_DATA, hdf5("images")),
    "converted.keras": (Kind.TFLITE, lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(90))),
    "exported.bin": (Kind.ONNX, lambda path: path.write_bytes(onnx_bytes())),
    "cut.onnx": (Kind.UNKNOWN, lambda path: path.write_bytes(onnx_bytes()[:-3])),
    "one.npy": (Kind.ARRAY, lambda path: np.save(path, np.zeros(3))),
    "images": (Kind.ARRAY, idx),
    "rows.dat": (Kind.PARQUET, lambda path: write_digits_shard(path.with_suffix(".parquet"), 9) and path.hardlink_to(
        path.with_suffix(".parquet"))),
    "rows.csv": (Kind.CSV, lambda path: write_table(path, 9)),
    "numbers.txt": (Kind.UNKNOWN, lambda path: path.write_text("5,0,0\n7,1,0\n")),
    "settings.txt": (Kind.UNKNOWN, lambda path: path.write_text("rate = 3\n")),
    "script": (Kind.SCRIPT, lambda path: path.write_text("#!/usr/bin/env python3\nprint(1)\n")),
    "python2.py": (Kind.SCRIPT, lambda path: path.write_text("print 'x'\n")),
    "compiled.py": (Kind.COMPILED, lambda path: path.write_bytes(
        __import__("importlib.util").util.MAGIC_NUMBER + bytes(60))),
    "pickle.py": (Kind.PICKLE, lambda path: path.write_bytes(pickle.dumps([1, 2], 4))),
    "notebook.py": (Kind.NOTEBOOK, lambda path: write_notebook(path, ["x = 1"])),
    "torn.ipynb": (Kind.NOT_A_NOTEBOOK, lambda path: path.write_text('{"cells": [')),
    "network.txt": (Kind.KERAS_JSON, lambda path: path.write_text(json.dumps(classifier()))),
    "contract.yaml": (Kind.CONTRACT, lambda path: path.write_text("input_shape: [28, 28, 1]\n")),
    "photo.py": (Kind.IMAGE, lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))),
    "nothing.txt": (Kind.EMPTY, lambda path: path.touch()),
    "letter.txt": (Kind.UNKNOWN, lambda path: path.write_text("Dear reader, import these goods.\n")),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_its_content_says(tmp_path, name):
    """A model named .py is a model, a program named .keras a program, and an archive is never a program."""
    kind, write = FILES[name]
    write(tmp_path / name)

    assert kind_of(tmp_path / name) is kind


def test_a_script_with_an_archive_behind_it_is_no_script(tmp_path):
    """Python would run the archive's __main__, not the lines that a reader sees."""
    zipped("__main__.py")(tmp_path / "archive")
    (tmp_path / "train.py").write_bytes(b"import keras\n" + (tmp_path / "archive").read_bytes())

    assert kind_of(tmp_path / "train.py") not in PROGRAMS


def test_folders_pipes_and_nothing(tmp_path):
    """A folder is data even where it holds a __main__.py, a SavedModel's is a model, and what is no file is none."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").touch()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()

    assert kind_of(tmp_path / "package") is Kind.FOLDER
    assert kind_of(tmp_path / "saved") is Kind.SAVED_MODEL
    assert kind_of(Path("/dev/null")) is Kind.NO_FILE
    assert kind_of(tmp_path / "package" / "__main__.py" / "below") is Kind.MISSING
