"""What is told where a path or an option cannot be judged: expected, received, and what helps instead."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.command.kinds import MODELS, PROGRAMS, Kind

WHAT = "a folder or file of data, a Python script, a notebook or a Keras model"
ARRAYS = 'np.savez("data.npz", x_train=…, y_train=…, x_test=…, y_test=…), and name that file'
WHOLE = 'model.save("model.keras"), or give the script that builds and trains the network'
# Kind -> what was received, and the fix.
NOT_JUDGED = {
    Kind.WEIGHTS: ("weights alone, which do not say which layers they are of", WHOLE),
    Kind.TFLITE: ("a TFLite model, which was converted and is not trained any more",
                  "give the .keras file that it was converted from, or the script that trains it"),
    Kind.ONNX: ("an ONNX model, which was exported and is not trained any more",
                "give the Keras model that it was exported from, or the script that trains it"),
    Kind.TORCH: ("a file of PyTorch's, whose loading would run code", "give a script that trains a Keras model"),
    Kind.ARRAY: ("a single array, without what belongs to it",
                 "put train_images.npy and train_labels.npy into one folder, and name the folder"),
    Kind.HDF5_DATA: ("an HDF5 file without a Keras model", ARRAYS),
    Kind.PICKLE: ("a pickle, whose loading would run code", ARRAYS),
    Kind.ARCHIVE: ("a zip archive, which is neither a Keras model nor arrays; nothing in it is run",
                   "unpack it, and name the folder of data or the script in it"),
    Kind.NO_ZIP: ("a file that is no intact zip, as every .keras and .npz is: it was cut off or is something else",
                  "save it again, or download it again"),
    Kind.TABS: ("a table with tabs between its columns, where commas are read",
                'pandas.read_csv(path, sep="\\t").to_csv("table.csv", index=False), a label and pixels in each line'),
    Kind.COMPILED: ("compiled Python", "name its source, the .py file"),
    Kind.IMAGE: ("a single image", "put the images of each class into a folder of its own; name the folder above"),
    Kind.EMPTY: ("an empty file", "write or download it again"),
    Kind.NOT_A_NOTEBOOK: ("an .ipynb without a list of cells that can be read", "save the notebook again"),
    Kind.NO_FILE: ("neither a folder nor a regular file", "write what it yields to a file"),
    Kind.UNKNOWN: ("a file of another kind", f"name {WHAT}; a script has imports, and its name ends in .py"),
}  # fmt: skip
ONLY_PROGRAMS = {"train": "--train goes on with a script's training", "all": "--all judges every fit of a script"}


def refuse_kind(path: Path, kind: Kind) -> None:
    """Refuse a path that nothing can be said of.

    Raises:
        NotUsableError: It is such a path.
    """
    if kind is Kind.MISSING:
        raise NotUsableError(f"Expected {WHAT} at {path}. Received: {_missing(path)}")
    if kind in NOT_JUDGED:
        received, fix = NOT_JUDGED[kind]
        raise NotUsableError(f"Expected {WHAT} at {path}. Received: {received}. Fix: {fix}.")


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"nothing of this name; the folder {folder} does not exist. Fix: correct the path."
    import difflib

    near = difflib.get_close_matches(path.name, [each.name for each in folder.iterdir()], n=2)
    module = Path(*path.name.split("."))
    if not near and (module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()):
        return f"nothing of this name. Fix: python -m deep_mnist.doctor -m {path.name}"
    found = " or ".join(str(folder / name) for name in near)
    return f"nothing of this name in {folder.resolve()}. Fix: {found or 'correct the path'}."


def refuse_options(options: argparse.Namespace, kind: Kind | None, arguments: Sequence[str] = ()) -> None:
    """Refuse options that mean nothing of what was given.

    Args:
        options: Of the command.
        kind: What the target is; None of a module.
        arguments: After --.

    Raises:
        NotUsableError: There are such options; all of them are named.
    """
    program = kind is None or kind in PROGRAMS
    found = list(_of_program(options, kind) if program else _of_files(options, kind))
    if options.cell is not None and kind is not Kind.NOTEBOOK:
        found.append("--cell is for a notebook.")
    if arguments and not program:
        found.append("arguments after --, which are a program's.")
    if found:
        name = options.module or options.target
        raise NotUsableError(f"Expected options for {kind or 'a module'}. Received: {name} with {' '.join(found)}")


def _of_program(options: argparse.Namespace, kind: Kind | None) -> Iterator[str]:
    target = f"-m {options.module}" if kind is None else str(options.target)
    for name in ("model", "contract", "data"):
        if getattr(options, name) is not None:
            yield (
                f"--{name}, which a program has of its own. Fix: leave it out; where it is the program's own argument: "
                f"python -m deep_mnist.doctor {target} -- --{name} {getattr(options, name)}"
            )


def _of_files(options: argparse.Namespace, kind: Kind | None) -> Iterator[str]:
    for name, does in ONLY_PROGRAMS.items():
        if getattr(options, name):
            yield f"--{name}: {does}. Fix: leave it out, or give the script that trains."
    if kind not in MODELS and options.data is not None:
        yield "--data, which is for a model. Fix: name the data as they are, with --model for the network."
    if kind in MODELS:
        if options.model is not None or options.contract is not None:
            yield "a second network. Fix: leave out --model and --contract."
        if options.rehearse and options.data is None:
            yield "--rehearse, which runs the network on data. Fix: add --data FOLDER."
