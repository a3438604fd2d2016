"""The other forms of a version: made and measured each in a process of its own, published where they lose little.

    python -m components.publish.forms FORM TRAINED DATASET VERSION

writes the form into the folder VERSION and prints one JSON object: what it predicts of the golden requests there and of
the judged split. A converter that dies takes the form with it, not the champion.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.work import spared_collections
from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import Dataset, open_dataset
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.export import GOLDEN_FILE, TrainedNetwork, raw_images
from deep_mnist.forms.convert import convert
from deep_mnist.forms.execute import open_form
from deep_mnist.forms.form import FORMS, INSTALL, Form, forms_named
from deep_mnist.processes import run_module
from deep_mnist.registry.comparison import is_correct
from deep_mnist.registry.judged_split import open_split

CALIBRATION_EXAMPLES = 300
FORM_SECONDS = 900


def make_forms(
    names: Sequence[str], trained: Path, dataset: Path, folder: Path, accuracy: float
) -> list[dict[str, Any]]:
    """Write the named forms into a version's folder, those that lose too much taken away again, and say of each.

    Args:
        names: Of `deep_mnist.forms.form`.
        trained: Folder that train wrote.
        dataset: Folder that preprocess wrote.
        folder: Of the version, with the golden requests.
        accuracy: Of the model on the judged split, 0..1.

    Returns:
        For each form: name, file, published, reason ("" where published), and what was measured.
    """
    found = []
    for form in forms_named(names):
        measured = _made_in_fresh_process(form, trained, dataset, folder)
        reason = measured.pop("fault", "") or _loses(form, measured, accuracy)
        if reason:
            (folder / form.file).unlink(missing_ok=True)
        found.append({"name": form.name, "file": form.file, "published": not reason, "reason": reason, **measured})
        print(f"publish: {_sentence(found[-1], accuracy)}", flush=True)
    return found


def _made_in_fresh_process(form: Form, trained: Path, dataset: Path, folder: Path) -> dict[str, Any]:
    arguments = [form.name, *(str(path.resolve()) for path in (trained, dataset, folder))]
    root = Path(__file__).resolve().parents[2]
    try:
        done = run_module("components.publish.forms", arguments, folder=root, timeout=FORM_SECONDS)
        measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"fault": f"not made within {FORM_SECONDS} s"}
    except (IndexError, ValueError):
        return {"fault": f"its process ended with status {done.returncode}: {done.stderr.strip()[-300:]}"}
    return measured


def _loses(form: Form, measured: Mapping[str, Any], accuracy: float) -> str:
    """Say why a form is not as good as its tolerances ask; "" where it is."""
    if not measured["accuracy"] >= accuracy - form.loss - 1e-9:  # also true of NaN
        return f"accuracy {measured['accuracy']:.4f}, more than {form.loss:g} below the model's {accuracy:.4f}"
    if form.difference is not None and not measured["difference"] <= form.difference:
        return f"a probability differs from the model's by {measured['difference']:.2g}, more than {form.difference:g}"
    return ""


def _sentence(found: Mapping[str, Any], accuracy: float) -> str:
    if not found["published"]:
        return f"{found['name']} is not published: {found['reason']}"
    return (
        f"{found['name']} is published as {found['file']}: {found['bytes']} bytes, accuracy {found['accuracy']:.4f} "
        f"(the model: {accuracy:.4f}), {found['same']:.2%} of the golden requests of the same class"
    )


def make_and_measure(form: Form, trained: Path, dataset: Path, folder: Path) -> dict[str, Any]:
    """Write one form and return bytes, accuracy, same (share of golden classes), difference (greatest) and seconds."""
    began = time.monotonic()
    network, opened, path = TrainedNetwork.load(trained), open_dataset(dataset), folder / form.file
    convert(network, form, path, _examples(opened))
    split, golden, run = open_split(opened), np.load(folder / GOLDEN_FILE, allow_pickle=False), open_form(form, path)
    predicted, expected = run(golden["images"]), golden["probabilities"]
    return {
        "bytes": path.stat().st_size,
        "accuracy": float(is_correct(run(split.images), split.labels).mean()),
        "same": float((predicted.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        "difference": float(np.abs(predicted - expected).max(initial=0.0)),
        "seconds": round(time.monotonic() - began, 1),
    }


def _examples(dataset: Dataset) -> np.ndarray:
    """Return some hundred training images, spread over the split, as `serving_default` takes them."""
    stored = find_arrays(dataset.folder)["train_images"].open()
    rows = take(stored, sample_indices(len(stored), CALIBRATION_EXAMPLES))
    return rows if dataset.record is None or dataset.record.prepared else raw_images(rows, dataset.record)


def main(arguments: list[str]) -> int:
    """Make one form; whatever goes wrong is the form's own fault."""
    name, *paths = arguments
    try:
        with spared_collections():
            measured = make_and_measure(FORMS[name], *map(Path, paths))
    except ImportError as error:
        measured = {"fault": f"Expected the package {error.name}. Received: it is not installed. Fix: {INSTALL}"}
    except Exception as error:  # converters raise nearly every kind on operations that they do not know
        lines = str(error).strip().splitlines() or [""]
        measured = {"fault": f"{type(error).__name__}: {lines[0][:300]}"}
    print(json.dumps(measured), flush=True)
    return int("fault" in measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
