"""Files that would run a program, or write outside their folder, if they were read as their makers wish.

python -m tests.support.hostile FOLDER   writes the SavedModel, which TensorFlow has to write.
"""

from __future__ import annotations

import base64
import json
import marshal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.support.doors import write_notebook
from tests.support.keras_models import classifier, layer

ROOT = Path(__file__).resolve().parents[2]
MARK = "it_ran"  # what the program would leave in the working directory
PROGRAM = f"import pathlib; pathlib.Path('{MARK}').touch()"


class Payload:
    """Leaves the mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, (PROGRAM,)


def write_hostile(folder: Path) -> None:
    """Write one hostile file of each kind, and the mark's name into nothing else."""
    network = {**classifier(_lambda()), "compile_config": {"optimizer": "adam", "loss": "mse"}}
    with zipfile.ZipFile(folder / "evil.keras", "w") as bundle:
        bundle.writestr("config.json", json.dumps(network))
        bundle.writestr("__main__.py", PROGRAM)
        bundle.writestr(f"../{MARK}", "outside")
        bundle.writestr("model.weights.h5", b"")
    with h5py.File(folder / "evil.h5", "w") as stored:
        stored.attrs["model_config"] = json.dumps(network)
        stored["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")
    outputs = {"output_type": "display_data", "data": {"text/html": f"<script>{PROGRAM}</script>"}, "metadata": {}}
    notebook = json.loads(write_notebook(folder / "evil.ipynb", ["x = 1"]).read_text())
    notebook["cells"][1] |= {"outputs": [outputs], "metadata": {"init": PROGRAM}}
    notebook["metadata"] = {"kernelspec": {"name": f"../../{MARK}", "argv": ["sh", "-c", f"touch {MARK}"]}}
    notebook["cells"].append({"cell_type": "raw", "metadata": {}, "source": PROGRAM})
    (folder / "evil.ipynb").write_text(json.dumps(notebook))
    payload = np.array([Payload()], object)
    np.savez(folder / "evil.npz", x_train=payload, y_train=np.zeros(1))
    np.save(folder / "evil.npy", payload, allow_pickle=True)
    (folder / "arrays").mkdir()
    np.save(folder / "arrays" / "train_images.npy", payload, allow_pickle=True)
    np.save(folder / "arrays" / "train_labels.npy", np.zeros(1, np.int64))
    (folder / "evil.csv").write_text(f"{PROGRAM}\n=cmd|'touch {MARK}'!A0,1\n")
    (folder / "evil.parquet").write_bytes(b"PAR1" + PROGRAM.encode() * 40 + b"\xff\xff\xff\x7fPAR1")
    subprocess.run([sys.executable, "-m", __spec__.name, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (folder / "evil_saved" / "assets").mkdir(exist_ok=True)
    (folder / "evil_saved" / "assets" / "words.txt").symlink_to("/etc/passwd")
    (folder / "evil_saved" / "__main__.py").write_text(PROGRAM)


def _lambda() -> dict[str, Any]:
    code = base64.b64encode(marshal.dumps(compile(PROGRAM, "lambda", "exec"))).decode()
    return layer("Lambda", function={"class_name": "__lambda__", "config": {"code": code, "defaults": None}})


def write_saved_model(folder: Path) -> None:
    """Write a SavedModel whose signature calls a Python function."""
    import tensorflow as tf

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 28, 28, 1))])
        def serve(self, x: Any) -> Any:
            return tf.py_function(lambda value: exec(PROGRAM) or value, [x], tf.float32)

    network = Network()
    tf.saved_model.save(network, folder / "evil_saved", signatures={"serving_default": network.serve})


if __name__ == "__main__":
    write_saved_model(Path(sys.argv[1]))
