"""What a path is: by its content first, by its name only where the content does not tell. Nothing of it is run."""

from __future__ import annotations

import ast
import io
import json
import stat
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

HEAD_BYTES = 4096
MAX_TEXT_BYTES = 64 << 20  # a notebook with its images
PYTHON_NAMES = (".py", ".pyw")
TABLE_NAMES = (".csv", ".csv.gz")
ZIP_NAMES = (".keras", ".npz")
OTHER_TABLES = (".tsv", ".tab")
YAML_NAMES = (".yaml", ".yml")


class Kind(StrEnum):
    """What a path may be, in the words of messages."""

    SCRIPT = "a Python script"
    NOTEBOOK = "a notebook"
    FOLDER = "a folder"
    NPZ = "an .npz of arrays"
    CSV = "a CSV"
    PARQUET = "a Parquet file"
    KERAS = "a .keras model"
    HDF5 = "an .h5 model"
    KERAS_JSON = "a Keras model's configuration"
    CONTRACT = "a contract"
    SAVED_MODEL = "a SavedModel"
    WEIGHTS = "weights alone"
    TFLITE = "a TFLite model"
    ONNX = "an ONNX model"
    TORCH = "a PyTorch file"
    ARRAY = "a single array"
    HDF5_DATA = "an HDF5 file without a Keras model"
    PICKLE = "a pickle"
    ARCHIVE = "a zip archive"
    NO_ZIP = "no intact zip file"
    TABS = "a table with tabs"
    COMPILED = "compiled Python"
    IMAGE = "a single image"
    EMPTY = "an empty file"
    NOT_A_NOTEBOOK = "an .ipynb that is no notebook"
    NO_FILE = "neither a folder nor a regular file"
    MISSING = "nothing"
    UNKNOWN = "a file of another kind"


PROGRAMS = (Kind.SCRIPT, Kind.NOTEBOOK)
DATA = (Kind.FOLDER, Kind.NPZ, Kind.CSV, Kind.PARQUET)
MODELS = (Kind.KERAS, Kind.HDF5, Kind.KERAS_JSON, Kind.CONTRACT, Kind.SAVED_MODEL)
# The suffix that readers know a kind by, for a file that bears another.
SUFFIXES = {
    Kind.NPZ: (".npz",), Kind.CSV: TABLE_NAMES, Kind.PARQUET: (".parquet",), Kind.KERAS: (".keras",),
    Kind.HDF5: (".h5", ".hdf5"), Kind.KERAS_JSON: (".json",), Kind.CONTRACT: (*YAML_NAMES, ".json"),
}  # fmt: skip
SIGNATURES = (
    (b"PAR1", Kind.PARQUET), (b"\x93NUMPY", Kind.ARRAY), (b"\x89PNG", Kind.IMAGE), (b"\xff\xd8\xff", Kind.IMAGE),
    (b"GIF8", Kind.IMAGE), (b"BM", Kind.IMAGE), (MAGIC_NUMBER, Kind.COMPILED), (b"\x80\x02", Kind.PICKLE),
    (b"\x80\x03", Kind.PICKLE), (b"\x80\x04", Kind.PICKLE), (b"\x80\x05", Kind.PICKLE),
)  # fmt: skip


def kind_of(path: Path) -> Kind:
    """Return what a path is.

    Raises:
        OSError: It cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Kind.MISSING
    if stat.S_ISDIR(mode):
        return Kind.SAVED_MODEL if (path / "saved_model.pb").is_file() else Kind.FOLDER
    if not stat.S_ISREG(mode):
        return Kind.NO_FILE
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    kind = _of_binary(path, head) or _of_text(path)
    return Kind.NO_ZIP if kind is Kind.UNKNOWN and path.name.lower().endswith(ZIP_NAMES) else kind


def _of_binary(path: Path, head: bytes) -> Kind | None:
    if zipfile.is_zipfile(path):  # also where Python source stands before the archive: Python would run the archive
        return _of_zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _of_hdf5(path)
    if head.startswith(b"PK\x03\x04"):
        return Kind.NO_ZIP
    if head[4:8] == b"TFL3":
        return Kind.TFLITE
    if head.startswith(b"\x1f\x8b"):
        return _of_gzip(path)
    if _is_idx(head):
        return Kind.ARRAY
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    return Kind.ONNX if _is_onnx(path) else None


def _of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return Kind.ARCHIVE
    if "config.json" in names:
        return Kind.KERAS
    if names and all(name.endswith(".npy") for name in names):
        return Kind.NPZ
    return Kind.TORCH if any(name.endswith("/data.pkl") for name in names) else Kind.ARCHIVE


def _of_hdf5(path: Path) -> Kind:
    import h5py

    try:
        with h5py.File(path, "r") as stored:
            if "model_config" in stored.attrs:
                return Kind.HDF5
            of_keras = "layer_names" in stored.attrs or {"layers", "_layer_checkpoint_dependencies"} & set(stored)
    except (OSError, ValueError, TypeError, RuntimeError, KeyError):
        return Kind.HDF5  # whose reader says what is damaged
    return Kind.WEIGHTS if of_keras or path.name.endswith(".weights.h5") else Kind.HDF5_DATA


def _of_gzip(path: Path) -> Kind:
    import gzip  # and bz2 and lzma with it

    try:
        with gzip.open(path) as stream:
            head = stream.read(8)
    except (OSError, EOFError, zlib.error):
        head = b""
    if _is_idx(head) or head.startswith(b"\x93NUMPY"):
        return Kind.ARRAY
    return Kind.CSV if path.name.lower().endswith(TABLE_NAMES) else Kind.UNKNOWN


def _is_idx(head: bytes) -> bool:
    return head[:2] == b"\0\0" and len(head) > 4 and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 4


def _is_onnx(path: Path) -> bool:
    """Whether the whole file is one protocol buffer with the fields of an ONNX ModelProto: 1 ir_version, 7 graph."""
    fields: set[int] = set()
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        while stream.tell() < size:
            key = _varint(stream)
            number, wire = key >> 3, key & 7
            if not 1 <= number <= 100 or wire not in (0, 2) or (number in (1, 7) and wire != (number == 7) * 2):
                return False
            value = _varint(stream)
            fields.add(number)
            stream.seek(value if wire == 2 else 0, io.SEEK_CUR)
            if value < 0 or stream.tell() > size:
                return False
    return {1, 7} <= fields


def _varint(stream: io.BufferedReader) -> int:
    value = 0
    for place in range(0, 63, 7):
        byte = stream.read(1)
        if not byte:
            return -1
        value |= (byte[0] & 0x7F) << place
        if byte[0] < 0x80:
            return value
    return -1


def _of_text(path: Path) -> Kind:
    name = path.name.lower()
    if name.endswith(TABLE_NAMES):  # a table's lines may read as Python too: a table is never run
        return Kind.CSV
    text = text_of(path)
    if text is None:
        return Kind.NOT_A_NOTEBOOK if name.endswith(".ipynb") else Kind.UNKNOWN
    stated = _object(text)
    if isinstance(stated.get("cells", stated.get("worksheets")), list):
        return Kind.NOTEBOOK
    if stated:
        return _of_fields(stated)
    if name.endswith(".ipynb"):
        return Kind.NOT_A_NOTEBOOK
    if name.endswith(YAML_NAMES):
        return Kind.CONTRACT
    if name.endswith(PYTHON_NAMES) or _names_python(text):
        return Kind.SCRIPT
    if not text.strip():
        return Kind.EMPTY
    if is_program(text):
        return Kind.SCRIPT
    return Kind.TABS if name.endswith(OTHER_TABLES) else Kind.UNKNOWN


def _of_fields(stated: Mapping[str, Any]) -> Kind:
    if "class_name" in stated or "config" in stated:
        return Kind.KERAS_JSON
    return Kind.CONTRACT if "input_shape" in stated or "loss" in stated else Kind.UNKNOWN


def text_of(path: Path) -> str | None:
    """Return a file's text in the encoding that it names as Python source does, None where it is none."""
    with path.open("rb") as stream:
        data = stream.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES or b"\0" in data:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return data.decode("latin-1") if path.name.lower().endswith(PYTHON_NAMES) else None


def _object(text: str) -> dict[str, Any]:
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return {}
    try:
        stated = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _names_python(text: str) -> bool:
    first = text.partition("\n")[0]
    return first.startswith("#!") and "python" in first


def is_program(text: str) -> bool:
    """Whether a text is Python that may train something: it imports. Numbers and settings can be read as Python too.

    >>> is_program("import os"), is_program("5,0,0"), is_program("rate = 3")
    (True, False, False)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(each, ast.Import | ast.ImportFrom) for each in ast.walk(tree))
