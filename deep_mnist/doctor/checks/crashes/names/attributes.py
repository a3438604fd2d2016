"""Old code: a name or an argument that the installed libraries do not have, and the line with today's in its place."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.names.arguments import RENAMED_OF_FIT
from deep_mnist.doctor.checks.crashes.names.imports import explain_import
from deep_mnist.doctor.checks.crashes.names.libraries import as_written, library_of, version_of
from deep_mnist.doctor.checks.crashes.names.successors import exists, successor
from deep_mnist.doctor.checks.crashes.rules import NAME_GONE
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding

ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
LEGACY = re.compile(r"`(\w+)` is not available with Keras 3")
OWN = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
TF1 = re.compile(r"\bSession\(|\.placeholder\(|\.train\.\w+Optimizer\(|\.app\.run\(|\.get_variable\(")
OPTIMIZERS = "`keras.optimizers.legacy` is not supported"
ONE_INTERFACE = "import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()"
LEGACY_KERAS = 'import os; os.environ["TF_USE_LEGACY_KERAS"] = "1"'
OF_ONE_UNIT = '({model}.predict({arguments}) > 0.5).astype("int32")'  # for predict_classes
METHODS = {
    "predict_classes": "{model}.predict({arguments}).argmax(axis=-1)",
    "predict_proba": "{model}.predict({arguments})", "fit_generator": "{model}.fit({arguments})",
    "evaluate_generator": "{model}.evaluate({arguments})", "predict_generator": "{model}.predict({arguments})",
    "set_lr": "{model}.optimizer.learning_rate = {arguments}",
    "get_output_at": "{model}.output", "get_input_at": "{model}.input", "get_value": "{model}[{arguments}]",
    "has_key": "{arguments} in {model}", "iteritems": "{model}.items()",
    "itervalues": "{model}.values()", "iterkeys": "{model}.keys()", "get_shape_at": "{model}.output.shape",
    "to_yaml": "{model}.to_json()",
    "next": "next({model})",
    "output_shape": "{model}.output.shape", "validation_data": "the data given to the callback by its own __init__",
    "_get_distribution_strategy": "a callback of the installed Keras: from keras.callbacks import TensorBoard",
    "get_initial_value": "{model}", "lr": "{model}.learning_rate", "make_one_shot_iterator": "iter({model})",
    "make_initializable_iterator": "iter({model})", "output_types": "{model}.element_spec",
    "output_shapes": "{model}.element_spec", "value": "{model}", "set_shape": "tf.ensure_shape({model}, {arguments})",
    "total_loss": "{model}.compute_loss(…)", "targets": "the labels given to fit",
    "sample_weights": "sample_weight of fit", "metrics_tensors": "{model}.metrics",
    "uses_learning_phase": "the argument training of call()", "_make_predict_function": "nothing: leave the line out",
    "make_predict_function": "nothing: leave the line out", "inbound_nodes": "{model}._inbound_nodes",
    "name": "{model}", "as_numpy_dtype": "{model}",  # of a dtype, which Keras 3 gives as its name
    "reset_states": '[each.reset_state() for each in {model}.layers if hasattr(each, "reset_state")]',
}  # fmt: skip


def explain_name(crash: Crash) -> Finding | None:
    """Name what is gone, and the line with its successor."""
    if isinstance(crash.error, ImportError) and crash.user is not None and OPTIMIZERS in crash.text:
        return NAME_GONE.found(
            expected="an optimizer of Keras 3",
            received=f"one of keras.optimizers.legacy, at {crash.place}",
            fix=crash.user.text.replace("optimizers.legacy", "optimizers"),
        )
    if isinstance(crash.error, ImportError):
        return explain_import(crash)
    if not isinstance(crash.error, AttributeError) or crash.user is None:
        return None
    if LEGACY.search(crash.text) is not None:
        return _needs_legacy(crash)
    if (match := ATTRIBUTE.search(crash.text)) is not None:
        return _attribute(crash, match.group(1), match.group(2))
    if (match := OWN.search(crash.text)) is not None:
        return _method(crash, match.group(2))
    return None


# --- attributes of modules -----------------------------------------------------------------------------------


def _attribute(crash: Crash, module: str, name: str) -> Finding | None:
    step = crash.user
    if step is None:
        return None
    chain, whole = _chain(step, module, name)
    new = successor(whole) or (successor(f"{as_written(module)}.{name}") if whole.count(".") > 1 else None)
    is_legacy = whole.startswith(LEGACY_ROOMS)
    new = None if is_legacy else new
    one = ONE_INTERFACE if is_legacy or _is_tensorflow_1(step, module) else None
    if new is None and one is None:
        return None
    if one is not None and (whole.startswith(LEGACY_ROOMS) or _uses_legacy(step)):
        version = ".".join(library_of("tensorflow").split()[-1].split(".")[:2])
        one = f"{LEGACY_KERAS}; {one}"
        if not version_of("tf-keras"):
            one += f"  # and pip install tf-keras~={version}.0, for tf.layers and cells"
    if one is not None and (new is None or "compat.v1" in new or not exists(new)):
        fix = one if "  # " in one else f"{one}  # in the place of import tensorflow as tf: TensorFlow 1's interface"
        if "contrib" in whole:
            fix = f"{one}  # and {new} for {chain}: compat.v1 has no contrib" if new else fix
    else:
        fix = _keras_itself(step, chain) or _other_module(step, chain) or _with_call(step, chain, new or "")
    return NAME_GONE.found(
        expected=f"what was {chain}",
        received=f"none of this name in the installed {library_of(module)}, at {crash.place}",
        fix=fix,
    )


LEGACY_ROOMS = ("tensorflow.layers.", "tensorflow.nn.rnn_cell.", "tensorflow.nn.dynamic_rnn")


def _uses_legacy(step: TraceStep) -> bool:
    """Whether a program of TensorFlow 1 uses layers or cells, which TensorFlow takes from tf_keras."""
    return re.search(r"\btf\.(layers\.|nn\.rnn_cell\.)", ast.unparse(step.tree)) is not None


def _is_tensorflow_1(step: TraceStep, module: str) -> bool:
    text = ast.unparse(step.tree)
    return module.partition(".")[0] == "tensorflow" and TF1.search(text) is not None


def _chain(step: TraceStep, module: str, name: str) -> tuple[str, str]:
    """Return the attribute as the user writes it, `tf.contrib.layers.flatten`, and its whole dotted name."""
    best = ""
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Attribute) and node.lineno <= step.line <= (node.end_lineno or node.lineno):
            text = ast.unparse(node)
            if (
                re.fullmatch(r"[\w.]+", text)
                and f".{name}" in f"{text}."
                and f".{name}." in f"{text}."
                and len(text) > len(best)
            ):
                best = text
    if not best:
        return f"{module}.{name}", f"{as_written(module)}.{name}"
    root, _, rest = best.partition(".")
    value = step.named(root)
    home = as_written(value.__name__) if isinstance(value, ModuleType) else root
    return best, f"{home}.{rest}"


def _keras_itself(step: TraceStep, chain: str) -> str:
    """Return the import of Keras in the place of tensorflow's, where what tf.keras lacks is there by the same name."""
    root = chain.partition(".")[0]
    home = step.frame.f_globals.get(root)
    if root != "keras" or getattr(home, "__name__", "") == "keras" or not exists(chain):
        return ""
    return _imported(step, root, "import keras")


def _imported(step: TraceStep, root: str, line: str) -> str:
    """Return an import in the place of the only one that gives the program a name."""
    text = ProgramText(step.frame, step.file)
    imports = [each for each in text.nodes if isinstance(each, ast.Import | ast.ImportFrom)]
    found = [each for each in imports if [name.asname or name.name for name in each.names] == [root]]
    return text.in_place(line, found[0]) if len(found) == 1 else line


def _other_module(step: TraceStep, chain: str) -> str:
    """Return an import by which all that the program takes of a module is there, where one module has it all."""
    root, _, leaf = chain.partition(".")
    home = step.frame.f_globals.get(root)
    if "." in leaf or not isinstance(home, ModuleType) or not as_written(home.__name__).endswith("keras.backend"):
        return ""
    used = {
        node.attr for node in ast.walk(step.tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == root
    }
    for package, name in (("keras", "ops"), ("tensorflow.keras", "backend")):
        if all(exists(f"{package}.{name}.{each}") for each in used):
            return _imported(step, root, f"from {package} import {name} as {root}")
    return ""


def _with_call(step: TraceStep, chain: str, new: str) -> str:
    """Return the user's line with the new name, in the user's own names for modules."""
    shown = _in_own_names(step, new)
    if " " in new:
        return f"{new}, in the place of {chain}"
    line = step.text
    if chain in line and len(line) < 120:
        try:
            ast.parse(line)
            text = line.replace(chain, shown)
            if "image_data_format" in shown:
                text = re.sub(r"""(['"])th\1""", '"channels_first"', re.sub(r"""(['"])tf\1""", '"channels_last"', text))
        except SyntaxError:
            text = f"{shown}  # in the place of {chain}"
    else:
        text = f"{shown}  # in the place of {chain}"
    needed = _import_for(step, shown)
    return f"{needed}{text}"


def _in_own_names(step: TraceStep, new: str) -> str:
    """Return a dotted name through a module that the user has imported."""
    new = f"tensorflow{new[2:]}" if new.startswith("tf.") else new
    names: Mapping[str, Any] = {**step.frame.f_globals, **step.held}
    best = ""
    for name, value in names.items():
        if isinstance(value, ModuleType) and not name.startswith("_"):
            home = as_written(value.__name__)
            if new.startswith(f"{home}.") and len(home) > len(best):
                best, shown = home, f"{name}{new[len(home) :]}"
    if best:
        return shown
    return f"tf{new[len('tensorflow') :]}" if new.startswith("tensorflow.") and "tf" in names else new


def _import_for(step: TraceStep, shown: str) -> str:
    top = shown.partition(".")[0]
    names = {**step.frame.f_globals, **step.held}
    if "." not in shown or top in names:
        return ""
    module = shown.rpartition(".")[0]
    while module and not exists(module):
        module = module.rpartition(".")[0]
    return f"import {module}; " if module else ""


# --- methods and attributes of objects -----------------------------------------------------------------------


def _method(crash: Crash, name: str) -> Finding | None:
    step = crash.user
    held = getattr(crash.error, "obj", None)
    if name not in METHODS or step is None or not _is_of_a_kind(held, name):
        return None
    node = next(_attributes_at(step, name), None)
    if node is None or (isinstance(held, str) and not ast.unparse(node.value).endswith("dtype")):
        return None
    owner, fix = ast.unparse(node.value), todays(node, step.tree, held)
    return NAME_GONE.found(
        expected=f"what was {owner}.{name}",
        received=f"none of this name in {library_of(type(held).__module__)}, at {crash.place}",
        fix=fix,
    )


def todays(node: ast.Attribute, tree: ast.AST, held: Any) -> str:
    """Return what stands for an attribute of what was held, or for the call of it, today; "" where it is not known."""
    call = next((each for each in ast.walk(tree) if isinstance(each, ast.Call) and each.func is node), None)
    arguments = ", ".join(ast.unparse(each) for each in [*call.args, *_keywords(call)]) if call is not None else ""
    one_unit = node.attr == "predict_classes" and (getattr(held, "output_shape", None) or (0,))[-1] == 1
    return (OF_ONE_UNIT if one_unit else METHODS.get(node.attr, "")).format(
        model=ast.unparse(node.value), arguments=arguments
    )


def _is_of_a_kind(held: Any, name: str) -> bool:
    """Whether the method was one of the object's class: of a library, not of the user's own."""
    if held is None:
        return True
    top = type(held).__module__.partition(".")[0]
    kinds = {each.__module__.partition(".")[0] for each in type(held).__mro__}
    if name in ("has_key", "iteritems", "itervalues", "iterkeys"):
        return isinstance(held, dict) or top == "pandas"
    if name in ("name", "as_numpy_dtype"):
        return isinstance(held, str)
    if name == "next":
        return hasattr(held, "__next__")
    return bool(kinds & {"keras", "tf_keras", "tensorflow"})


def _keywords(call: ast.Call) -> Iterator[ast.keyword]:
    """Yield the keywords that the methods of today take."""
    for each in call.keywords:
        if each.arg not in RENAMED_OF_FIT:
            yield each
        elif (new := RENAMED_OF_FIT[each.arg]) is not None:
            yield ast.keyword(new, each.value)


def _attributes_at(step: TraceStep, name: str) -> Iterator[ast.Attribute]:
    for node in ast.walk(step.tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr == name
            and node.lineno <= step.line <= (node.end_lineno or node.lineno)
        ):
            yield node


# --- what only the legacy Keras has ----------------------------------------------------------------------------


def _needs_legacy(crash: Crash) -> Finding:
    """tf.layers and tf.nn.rnn_cell, which TensorFlow takes from tf_keras."""
    step = crash.user
    return legacy_finding(step.text if step is not None else "", f"it as part of tf_keras, at {crash.place}")


def legacy_finding(expected: str, received: str) -> Finding:
    """Return the finding whose fix is the one line that gives a whole program the Keras that it is written for."""
    version = str(getattr(sys.modules.get("tensorflow"), "__version__", "2.16"))
    wanted = ".".join(version.split(".")[:2])
    has = version_of("tf-keras")
    need = f"  # above import tensorflow; needs: pip install tf-keras~={wanted}.0"
    if has and has.startswith(f"{wanted}."):
        need = "  # above import tensorflow"
    return NAME_GONE.found(expected=expected, received=received, fix=LEGACY_KERAS + need)
