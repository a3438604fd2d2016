"""Arguments of an older Keras, TensorFlow or optimizer by their names of today, in the user's own line."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.rules import ARGUMENT_GONE
from deep_mnist.doctor.finding import Finding

UNEXPECTED = re.compile(r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'")
UNRECOGNIZED = re.compile(
    r"Unrecognized keyword arguments passed to (\w+): (\{.*)|(?:Argument\(s\) not recognized|not recognized): (\{.*)",
    re.S,
)
MISSING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required positional arguments?: '(\w+)'")

# By what is called: "" for every layer. None: it has no successor and is left out.
RENAMED_OF_LAYERS: dict[str, str | None] = {
    "init": "kernel_initializer", "output_dim": "units", "nb_filter": "filters", "nb_row": None, "nb_col": None,
    "border_mode": "padding", "subsample": "strides", "dim_ordering": "data_format",
    "W_regularizer": "kernel_regularizer", "b_regularizer": "bias_regularizer",
    "U_regularizer": "recurrent_regularizer", "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint",
    "U_constraint": "recurrent_constraint", "bias": "use_bias", "p": "rate", "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation", "dropout_W": "dropout", "dropout_U": "recurrent_dropout",
    "forget_bias_init": "unit_forget_bias", "filter_length": "kernel_size", "subsample_length": "strides",
    "pool_length": "pool_size", "stride": "strides", "sigma": "stddev", "batch_input_shape": "batch_shape",
    "input_length": None, "weights": None, "consume_less": None, "implementation": None, "mode": None,
    "atrous_rate": "dilation_rate", "length": "size", "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer", "depthwise_init": "depthwise_initializer", "fused": None, "renorm": None,
    "virtual_batch_size": None, "nb_feature": None, "ratio": "rate", "theta": "threshold", "output_mode": None,
    "experimental_run_tf_function": None, "time_major": None, "autocast": None, "inputs_shape": "shape",
    "alpha": "negative_slope", "lr_multiplier": None, "dynamic": None, "bias_initializer_": "bias_initializer",
}  # fmt: skip
RENAMED_OF_FIT: dict[str, str | None] = {
    "nb_epoch": "epochs", "samples_per_epoch": "steps_per_epoch", "nb_val_samples": "validation_steps",
    "nb_worker": None, "pickle_safe": None, "show_accuracy": None, "workers": None, "use_multiprocessing": None,
    "max_queue_size": None, "max_q_size": None, "generator": "x", "val_samples": "steps", "wait_time": None,
}  # fmt: skip
RENAMED_OF_OTHERS: dict[str, dict[str, str | None]] = {
    "Model": {"input": "inputs", "output": "outputs", **RENAMED_OF_FIT},
    "Functional": {"input": "inputs", "output": "outputs"},
    "ModelCheckpoint": {"period": None, "load_weights_on_restart": None, "options": None, "save_format": None},
    "ReduceLROnPlateau": {"epsilon": "min_delta"}, "EarlyStopping": {"epsilon": "min_delta"},
    "TensorBoard": {"write_grads": None, "batch_size": None, "embeddings_layer_names": None, "embeddings_data": None},
    "Input": {"batch_input_shape": "batch_shape", "type_spec": None},
    "InputLayer": {"input_shape": "shape", "batch_input_shape": "batch_shape"}, "evaluate": RENAMED_OF_FIT,
    "predict": RENAMED_OF_FIT, "fit": RENAMED_OF_FIT,
    "compile": {
        "loss_weight": "loss_weights", "class_mode": None, "sample_weight_mode": None, "target_tensors": None,
        "experimental_run_tf_function": None, "options": None, "distribute": None,
    },
    "save": {"save_format": None, "include_optimizer": "include_optimizer"}, "save_weights": {"save_format": None},
    "load_model": {"options": None},
    "merge": {"mode": None, "concat_axis": "axis", "dot_axes": "axes", "output_shape": None},
    "Merge": {"mode": None, "concat_axis": "axis", "dot_axes": "axes"},
    "plot_model": {"show_layer_name": "show_layer_names"}, "to_categorical": {"nb_classes": "num_classes"},
    "summary": {"print_shapes": None}, "concat": {"concat_dim": "axis"},
    "reduce_mean": {"reduction_indices": "axis", "keep_dims": "keepdims"},
    "reduce_sum": {"reduction_indices": "axis", "keep_dims": "keepdims"},
    "reduce_max": {"reduction_indices": "axis", "keep_dims": "keepdims"},
    "reduce_min": {"reduction_indices": "axis", "keep_dims": "keepdims"},
    "split": {"split_dim": "axis", "num_split": "num_or_size_splits"}, "argmax": {"dimension": "axis"},
    "argmin": {"dimension": "axis"}, "softmax": {"dim": "axis"}, "expand_dims": {"dim": "axis"},
    "squeeze": {"squeeze_dims": "axis"}, "dropout": {"keep_prob": "rate"}, "conv2d": {"filter": "filters"},
    "max_pool2d": {"value": "input"}, "BinaryCrossentropy": {"from_logit": "from_logits"},
    "VGG16": {"weight": "weights"}, "train_test_split": {"test_ratio": "test_size"},
    "load_data": {"nb_words": "num_words", "path_": "path"}, "Tokenizer": {"nb_words": "num_words"},
}  # fmt: skip
RENAMED_OF_OPTIMIZERS: dict[str, str | None] = {
    "lr": "learning_rate",
    "decay": None,
    "schedule_decay": None,
    "epsilon_": "epsilon",
}
OLD_VALUES = {"tf": '"channels_last"', "th": '"channels_first"'}
OPTIMIZERS = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "AdamW", "Optimizer")


def explain_argument(crash: Crash) -> Finding | None:
    """Name the arguments that are gone, and the user's line with today's."""
    step = crash.user
    call = step.call if step is not None else None
    if step is None or call is None or not isinstance(crash.error, TypeError | ValueError):
        return None
    called = _called(crash, call)
    if called is None:
        return None
    target, gone = called
    table = _table(crash, target)
    known = [name for name in gone if name in table]
    if not known or len(known) < len(gone):
        return None
    mended = _mended(call, table, target)
    return ARGUMENT_GONE.found(
        expected=f"{target} with {', '.join(_told(name, table[name]) for name in known)}",
        received=f"{', '.join(known)}, of an older version, at {crash.place}",
        fix=_with_batch_shape(step, call, line_with(step, call, mended)) + _note(known),
    )


def _told(old: str, new: str | None) -> str:
    return f"{new} for {old}" if new else f"no {old}"


def _called(crash: Crash, call: ast.Call) -> tuple[str, list[str]] | None:
    """Return what was called and the arguments that it does not take."""
    named = [each.arg for each in call.keywords if each.arg]
    target = _last(call.func)
    if (match := UNEXPECTED.search(crash.text)) is not None:
        return target, [
            match.group(3),
            *(each for each in named if each != match.group(3) and _is_old(crash, target, each)),
        ]
    if (match := UNRECOGNIZED.search(crash.text)) is not None:
        found = re.findall(r"'(\w+)':", match.group(2) or match.group(3))
        return target, [each for each in dict.fromkeys(found) if each in named]
    if (match := MISSING.search(crash.text)) is not None:
        table = _table(crash, target)
        old = [each for each in named if table.get(each) == match.group(2)]
        return (
            (target, [*old, *(each for each in named if each not in old and _is_old(crash, target, each))])
            if old
            else None
        )
    return None


def _is_old(crash: Crash, target: str, name: str) -> bool:
    """Whether another argument of the call is an old one too, so that one line mends all of them."""
    table = _table(crash, target)
    return (
        name in table
        and table[name] != name
        and name not in ("weights", "mode", "alpha", "p", "implementation", "output_mode")
    )


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _table(crash: Crash, target: str) -> dict[str, str | None]:
    if target in RENAMED_OF_OTHERS:
        return RENAMED_OF_OTHERS[target]
    if target in OPTIMIZERS or "not recognized" in crash.text:
        return RENAMED_OF_OPTIMIZERS
    table = dict(RENAMED_OF_LAYERS)
    if "Embedding" in target:
        table["output_dim"] = "output_dim"
    if target == "Embedding":
        table["init"] = "embeddings_initializer"
        table["W_regularizer"], table["W_constraint"] = "embeddings_regularizer", "embeddings_constraint"
    return table


def _mended(call: ast.Call, table: dict[str, str | None], target: str) -> ast.Call:
    keywords, first = [], list(call.args)
    named = {each.arg: each.value for each in call.keywords if each.arg}
    if "nb_row" in named and "nb_col" in named:
        keywords.append(ast.keyword("kernel_size", ast.Tuple([named["nb_row"], named["nb_col"]], ast.Load())))
    elif (
        target.startswith(("Conv", "Convolution"))
        and target.endswith("2D")
        and len(first) >= 3
        and "strides" not in named
    ):
        first = [first[0], ast.Tuple([first[1], first[2]], ast.Load()), *first[3:]]
    for each in call.keywords:
        new = table.get(each.arg or "", each.arg)
        if each.arg == "batch_input_shape" and target not in ("Input", "InputLayer"):
            continue  # keras.Input takes it now
        elif new is not None and new not in {kept.arg for kept in keywords}:
            keywords.append(ast.keyword(new, _value(each)))
    return ast.Call(call.func, first, keywords)


def _with_batch_shape(step: TraceStep, call: ast.Call, line: str) -> str:
    """Return a line of a layer with the keras.Input before it that states its batch_input_shape."""
    shape = next((each.value for each in call.keywords if each.arg == "batch_input_shape"), None)
    if shape is None or _last(call.func) in ("Input", "InputLayer"):
        return line
    owner = "keras" if "keras" in step.frame.f_globals else "tf.keras" if "tf" in step.frame.f_globals else "keras"
    first = f"{owner}.Input(batch_shape={ast.unparse(shape)})"
    added = re.match(r"([\w.]+\.add)\(", line)
    if added is not None:
        return f"{added.group(1)}({first}); {line}"
    return f"{first}, {ast.unparse(_mended(call, RENAMED_OF_LAYERS, _last(call.func)))}"


def _value(each: ast.keyword) -> ast.expr:
    value = each.value.value if isinstance(each.value, ast.Constant) else None
    if each.arg == "dim_ordering" and value in OLD_VALUES:
        return ast.parse(OLD_VALUES[value], mode="eval").body
    if each.arg == "keep_prob":
        return ast.parse(f"1 - {ast.unparse(each.value)}", mode="eval").body
    if each.arg in ("init", "inner_init") and value in ("uniform", "normal"):
        return ast.Constant(f"random_{value}")
    return each.value


def line_with(step: TraceStep, call: ast.Call, mended: ast.Call) -> str:
    """Return the user's statement with the call changed, where it is short; else the call alone."""
    old = ast.unparse(call)
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Expr | ast.Assign) and node.lineno <= step.line <= (node.end_lineno or node.lineno):
            text = ast.unparse(node)
            if old in text and len(text) < 200:
                return text.replace(old, ast.unparse(mended))
    return ast.unparse(mended)


def _note(known: list[str]) -> str:
    if "decay" in known:
        return "  # decay: keras.optimizers.schedules.InverseTimeDecay as learning_rate"
    if "samples_per_epoch" in known:
        return "  # steps_per_epoch counts batches, no examples"
    return ""
