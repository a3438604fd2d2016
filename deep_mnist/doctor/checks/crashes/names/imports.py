"""Old code: an import line whose modules or names the installed libraries do not have, and the line that they have."""

from __future__ import annotations

import ast
import re
import sys

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.names.libraries import as_written, library_of
from deep_mnist.doctor.checks.crashes.names.successors import exists, successor
from deep_mnist.doctor.checks.crashes.rules import NAME_GONE, PACKAGE_MISSING
from deep_mnist.doctor.checks.crashes.source_code import calls_named
from deep_mnist.doctor.evidence.live.source_text import keyword_of
from deep_mnist.doctor.finding import Finding

FROM = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")

PACKAGES = {
    "cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image",
    "tensorflow_datasets": "tensorflow-datasets", "keras_tuner": "keras-tuner", "tensorflow_addons": "tf-keras",
    "tensorflow_hub": "tensorflow-hub", "tf_slim": "tf-slim", "Crypto": "pycryptodome", "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil", "mpl_toolkits": "matplotlib", "imageio": "imageio", "kerastuner": "keras-tuner",
    "serial": "pyserial", "tensorflow_probability": "tensorflow-probability[tf]",
    "tensorflow_model_optimization": "tensorflow-model-optimization", "keras_contrib": "tf-keras",
    "tf_keras": "tf-keras", "keras": "tensorflow", "pkg_resources": '"setuptools<81"', "distutils": "setuptools",
    "imblearn": "imbalanced-learn", "umap": "umap-learn", "skopt": "scikit-optimize", "faiss": "faiss-cpu",
    "tensorflow_text": "tensorflow-text", "tensorflow_io": "tensorflow-io", "speech_recognition": "SpeechRecognition",
    "Bio": "biopython", "docx": "python-docx", "fitz": "pymupdf", "dotenv": "python-dotenv", "git": "gitpython",
    "attr": "attrs", "zmq": "pyzmq", "jwt": "pyjwt", "OpenSSL": "pyopenssl", "surprise": "scikit-surprise",
    "pandas_datareader": "pandas-datareader", "ale_py": "ale-py", "usb": "pyusb",
}  # fmt: skip
NAMED_AS_IMPORTED = (
    "h5py", "jax", "matplotlib", "nltk", "numpy", "pandas", "plotly", "requests", "scipy", "seaborn", "tensorflow",
    "torch", "torchvision", "tqdm", "transformers",
)  # fmt: skip
PACKAGES |= {each: each for each in NAMED_AS_IMPORTED}

BESIDE = ".py beside the script, where it is a part of the program"


def explain_import(crash: Crash) -> Finding | None:
    error = crash.error
    module = getattr(error, "name", None) or ""
    match = FROM.search(crash.text)
    node = _import_line(crash)
    if isinstance(node, ast.ImportFrom) and (found := _wrapped(crash, node)) is not None:
        return found
    if match is not None:
        name, module = match.groups()
        return _from(crash, module, [name], node)
    if _is_not_installed(module, node):
        return _package(module)
    if isinstance(node, ast.ImportFrom) and node.module and (node.module == module or node.module.startswith(module)):
        found = _from(crash, node.module, [each.name for each in node.names], node)
        if found is not None:
            return found
    new = _successor_of_module(node, module)
    if new is not None:
        asked = next((each for each in node.names), None) if isinstance(node, ast.Import) else None
        alias = asked.asname or asked.name.rpartition(".")[2] if asked is not None else module.rpartition(".")[2]
        return NAME_GONE.found(
            expected=f"what was {module}",
            received=f"none of this name in the installed {library_of(module)}",
            fix=f"import {new} as {alias}" if exists(new) else f"{new}, in the place of {module}",
        )
    return _package(module)


def _wrapped(crash: Crash, node: ast.ImportFrom) -> Finding | None:
    """Return the finding on a wrapper for scikit-learn that is made of a build function: scikeras takes the same."""
    if crash.user is None or not (node.module or "").endswith("wrappers.scikit_learn"):
        return None
    shown = [each.asname or each.name for each in node.names]
    calls = [each for name in shown for each in calls_named(crash.user, name)]
    made = [(each.lineno, _of_scikeras(each)) for each in calls if keyword_of(each, "build_fn") or each.args]
    if not made:
        return None
    imported = ast.unparse(ast.ImportFrom("scikeras.wrappers", node.names, 0))
    rest = "; ".join(f"in line {line}: {text}" for line, text in made)
    return NAME_GONE.found(
        expected=f"{', '.join(shown)} of the package scikeras, which takes a build function",
        received=f"{node.module}, which the installed {library_of('keras')} does not have; its own wrappers take "
        "no build function, no epochs, and give the network one-hot labels",
        fix=f"{imported}  # pip install scikeras; and {rest}",
    )


def _of_scikeras(call: ast.Call) -> str:
    """Return a call of the old wrapper as scikeras takes it: the build function as its model."""
    named = [ast.keyword("model" if each.arg == "build_fn" else each.arg, each.value) for each in call.keywords]
    return ast.unparse(ast.Call(call.func, call.args, named))


def _is_not_installed(module: str, node: ast.AST | None) -> bool:
    """Whether a whole package is missing, and nothing that the line asks of it has become another package's."""
    if not module or "." in module:
        return False
    asked = [module]
    if isinstance(node, ast.Import | ast.ImportFrom):
        home = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        asked += [f"{home}{each.name}" for each in node.names]
    successors = (successor(each) for each in asked if each.partition(".")[0] == module)
    return all(new is None or new.partition(".")[0] == module for new in successors)


def _successor_of_module(node: ast.AST | None, module: str) -> str | None:
    asked = next((each.name for each in node.names), "") if isinstance(node, ast.Import) else ""
    return successor(asked) or successor(module) if asked else successor(module)


def _package(module: str) -> Finding | None:
    top = module.partition(".")[0]
    if not top:
        return None
    if top in sys.modules and module != top:
        return NAME_GONE.found(
            expected=f"what was {module}",
            received=f"none of this name in the installed {library_of(module)}",
            fix=f"Look for it in the documentation of {library_of(module)}, or install the program's own version.",
        )
    return PACKAGE_MISSING.found(
        expected=f"the module {module}",
        received="none of this name in this environment",
        fix=f"pip install {PACKAGES[top]}" if top in PACKAGES else f"pip install {top}  # or put {top}{BESIDE}",
    )


def _from(crash: Crash, module: str, names: list[str], node: ast.AST | None) -> Finding | None:
    """Return the finding on `from module import names`, one import line for each module of today."""
    asked = (
        [(each.name, each.asname) for each in node.names]
        if isinstance(node, ast.ImportFrom)
        else [(each, None) for each in names]
    )
    lines: dict[str, list[str]] = {}
    sentences, gone = [], []
    for name, alias in asked:
        whole = f"{module}.{name}"
        new = whole if exists(whole) else _merging(crash, name) or successor(as_written(whole))
        if new != whole:
            gone.append(name)
        if new is None:
            sentences.append(f"{name}: no successor in the installed {library_of(module)}")
        elif not exists(new):
            sentences.append(f"{name}: {new}")
        else:
            home, _, leaf = new.rpartition(".")
            shown = alias or name
            lines.setdefault(home, []).append(leaf if leaf == shown else f"{leaf} as {shown}")
    if not gone or (not lines and all("no successor" in each for each in sentences)):
        return None
    fix = "; ".join(
        f"from {home} import {', '.join(found)}" if home else f"{', '.join(found)}" for home, found in lines.items()
    )
    note = f"  # {'; '.join(sentences)}" if sentences and fix else "; ".join(sentences)
    return NAME_GONE.found(
        expected=f"{', '.join(gone)} of {module}",
        received=f"none of this name in the installed {library_of(module)}",
        fix=fix + note,
    )


MERGES = {
    "concat": "concatenate",
    "sum": "add",
    "mul": "multiply",
    "ave": "average",
    "max": "maximum",
    "dot": "dot",
    "cos": "dot",
}


def _merging(crash: Crash, name: str) -> str | None:
    """Return the function for merge(…, mode="…") and Merge by the one mode that the program uses."""
    step = crash.user
    if name not in ("merge", "Merge") or step is None:
        return None
    modes = set()
    for node in ast.walk(step.tree):
        if isinstance(node, ast.keyword) and node.arg == "mode" and isinstance(node.value, ast.Constant):
            modes.add(MERGES.get(str(node.value.value), ""))
    modes -= {""}
    return f"keras.layers.{modes.pop()}" if len(modes) == 1 else None


def _import_line(crash: Crash) -> ast.AST | None:
    step = crash.user
    if step is None:
        return None
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno <= step.line <= (
            node.end_lineno or node.lineno
        ):
            return node
    return None
