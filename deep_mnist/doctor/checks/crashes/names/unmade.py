"""A name that nothing has made: an import that is missing, a name that is misspelled, one that a function keeps."""

from __future__ import annotations

import ast
import builtins
import difflib
import sys

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.names.successors import exists
from deep_mnist.doctor.checks.crashes.rules import NAME_UNMADE
from deep_mnist.doctor.checks.crashes.values.nothing import made_by
from deep_mnist.doctor.evidence.live.source_text import ProgramText, code_behind
from deep_mnist.doctor.finding import Finding

ALIASES = {
    "np": "import numpy as np", "numpy": "import numpy", "tf": "import tensorflow as tf", "pd": "import pandas as pd",
    "tensorflow": "import tensorflow", "pandas": "import pandas", "keras": "import keras", "cv2": "import cv2",
    "plt": "import matplotlib.pyplot as plt", "sns": "import seaborn as sns", "sklearn": "import sklearn",
    "Image": "from PIL import Image", "tqdm": "from tqdm import tqdm", "tfds": "import tensorflow_datasets as tfds",
    "K": "from keras import backend as K", "nn": "from tensorflow import nn", "Path": "from pathlib import Path",
    "deepcopy": "from copy import deepcopy", "defaultdict": "from collections import defaultdict",
}  # fmt: skip
SKLEARN = {
    "model_selection": ("train_test_split", "KFold", "StratifiedKFold", "GridSearchCV", "cross_val_score"),
    "preprocessing": ("StandardScaler", "MinMaxScaler", "RobustScaler", "LabelEncoder", "OneHotEncoder",
                      "LabelBinarizer", "MultiLabelBinarizer"),
    "metrics": ("confusion_matrix", "classification_report", "accuracy_score", "f1_score", "mean_squared_error",
                "mean_absolute_error", "r2_score", "roc_auc_score", "roc_curve", "precision_score", "recall_score"),
    "utils.class_weight": ("compute_class_weight",),
}  # fmt: skip
ROOMS = (
    "layers", "models", "optimizers", "callbacks", "utils", "losses", "metrics", "initializers", "regularizers",
    "constraints", "datasets", "applications", "preprocessing.image", "preprocessing.sequence", "preprocessing.text",
)  # fmt: skip
CLOSE = 0.8  # of difflib's ratio, from which a name is one that is misspelled


def explain_unmade(crash: Crash) -> Finding | None:
    """Name what is used before anything made it, and what makes it."""
    name, step = getattr(crash.error, "name", None), crash.user
    if type(crash.error) is not NameError or not name or step is None:
        return None
    fix = _made_behind(name, step) or _imported(name, step) or _respelled(name, step) or _kept(name, step)
    return NAME_UNMADE.found(
        expected=f"{name}, made or imported before line {step.line}",
        received=f"nothing of this name, at {crash.place}",
        fix=fix or f"Make {name} before line {step.line}: nothing in this file does.",
    )


def _made_behind(name: str, step: TraceStep) -> str:
    """Return which later cell of the notebook makes a name, and where it belongs; "" where none does."""
    for cell in code_behind(step.file):
        tree = ProgramText(step.frame, cell).tree
        made = {each for statement in getattr(tree, "body", []) for each in made_by(statement)}
        if name not in made:
            continue
        here, there = (each.rpartition(", ")[2] for each in (step.file, cell))
        read = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
        if read <= {*made, *step.frame.f_globals, *dir(builtins)}:
            return f"{there.capitalize()} makes {name}: move it above {here}."
        return f"Make {name} above {here}, as {there} does below."
    return ""


def _imported(name: str, step: TraceStep) -> str:
    """Return the line that imports a name, of the package that the program imports from; "" of no known name."""
    if name in ALIASES:
        return ALIASES[name]
    if name in sys.stdlib_module_names and not name.startswith("_"):
        return f"import {name}"
    room = next((each for each, names in SKLEARN.items() if name in names), None)
    if room is not None:
        return f"from sklearn.{room} import {name}"
    package = "tensorflow.keras" if _imports(step, "tensorflow") and not _imports(step, "keras") else "keras"
    if name in ROOMS and exists(f"{package}.{name}"):
        return f"from {package} import {name}"
    homes = [f"{home}.{each}" for home in dict.fromkeys((package, "tensorflow.keras")) for each in ROOMS]
    found = next((home for home in homes if name[0] != "_" and exists(f"{home}.{name}")), None)
    return f"from {found} import {name}" if found is not None else ""


def _imports(step: TraceStep, package: str) -> bool:
    asked = [each for each in ast.walk(step.tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    named = [[each.module or ""] if isinstance(each, ast.ImportFrom) else [of.name for of in each.names]
             for each in asked]  # fmt: skip
    return any(each.partition(".")[0] == package for names in named for each in names)


def _respelled(name: str, step: TraceStep) -> str:
    """Return the line with the name that was meant, "" where none is close."""
    known = {*step.frame.f_locals, *step.frame.f_globals, *dir(builtins)}
    others = [each for each in known if not each.startswith("_") or name.startswith("_")]
    meant = next((each for each in others if each.lower() == name.lower()), None)
    found = [meant] if meant is not None else difflib.get_close_matches(name, others, 1, CLOSE)
    if not found:
        return ""
    text = step.text
    places = [each for each in ast.walk(step.tree) if isinstance(each, ast.Name) and each.id == name]
    own = [each for each in places if each.lineno == step.line]
    if own and own[0].end_lineno == own[0].lineno and text.count(name) == 1:
        return text.replace(name, found[0])
    return f"{found[0]}, in place of {name}"


def _kept(name: str, step: TraceStep) -> str:
    """Return what to do with a name that only functions set, "" where none does."""
    for function in ast.walk(step.tree):
        if isinstance(function, ast.FunctionDef) and any(
            isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
            for each in ast.walk(function)
        ):
            return (
                f"Let {function.name}() return {name}, and write {name} = {function.name}(…) before line {step.line}."
            )
    return ""
