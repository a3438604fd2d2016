"""What the doctor knows of an error that ends a script before its first fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path

UNKNOWN = "What was expected and received stands in the error above."
PACKAGES = {
    "cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image",
    "tensorflow_datasets": "tensorflow-datasets", "keras_tuner": "keras-tuner", "tensorflow_addons": "tf-keras",
}  # fmt: skip
MOVED = {
    "tensorflow.contrib": "tf.contrib went with TensorFlow 2; its layers are in keras.layers, slim is tf_slim",
    "keras.utils.np_utils": "keras.utils.to_categorical",
    "keras.layers.core": "keras.layers", "keras.layers.convolutional": "keras.layers",
    "keras.layers.normalization": "keras.layers", "keras.layers.pooling": "keras.layers",
    "keras.layers.advanced_activations": "keras.layers", "keras.layers.recurrent": "keras.layers",
    "keras.layers.embeddings": "keras.layers", "keras.engine": "keras", "keras.objectives": "keras.losses",
    "keras.wrappers.scikit_learn": "the package scikeras", "keras.preprocessing.image": "keras.utils, keras.layers",
    "keras.backend.tensorflow_backend": "keras.ops", "keras.callbacks.callbacks": "keras.callbacks",
    "keras.models.model": "keras.models", "tensorflow.python.keras": "tensorflow.keras",
    "keras.preprocessing.text": "keras.layers.TextVectorization",
}  # fmt: skip
ONE_API = (
    "import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()  # TensorFlow 1's interface under TensorFlow 2; "
    "or write the network in Keras"
)

Explanation = Callable[[re.Match[str]], str]


def _says(expected: str, received: str, fix: str) -> Explanation:
    """Return a sentence whose {0}, {1}, … are the pattern's groups."""

    def tell(match: re.Match[str]) -> str:
        parts = [group or "" for group in match.groups()]
        return f"Expected {expected.format(*parts)}. Received: {received.format(*parts)}. Fix: {fix.format(*parts)}"

    return tell


RULES: tuple[tuple[type[BaseException], re.Pattern[str], Explanation], ...] = (
    (ValueError, re.compile(r"expected min_ndim=(\d+), found ndim=(\d+)\. Full shape received: (\([^)]*\))"), _says(
        "an input of rank {0} (examples, rows, columns, channels)", "rank {1}, shape {2}",
        "x = x[..., None]  # the channel axis; or x.reshape(-1, 28, 28, 1)")),
    (ValueError, re.compile(
        r"expected axis (-?\d+) of input shape to have value (\d+), but received input with shape (\([^)]*\))"), _says(
        "an input whose axis {0} has length {1}", "shape {2}",
        "x = x.reshape(len(x), -1)  # for a Dense network; else give Input the shape that x has")),
    (ValueError, re.compile(r"Expected shape (\([^)]*\)), but input has incompatible shape (\([^)]*\))"), _says(
        "input of shape {0}", "shape {1}", "x = x.reshape(-1, …)  # to the model's input shape, or change Input")),
    (ValueError, re.compile(r"expected shape=(\([^)]*\)), found shape=(\([^)]*\))"), _says(
        "input of shape {0}", "shape {1}", "x = x.reshape(-1, …)  # to the model's input shape, or change Input")),
    (ValueError, re.compile(r"Shapes (\([^)]*\)) and (\([^)]*\)) are incompatible"), _says(
        "labels and output of one shape", "{0} and {1}",
        'loss="sparse_categorical_crossentropy" for class numbers, or y = keras.utils.to_categorical(y)')),
    (ValueError, re.compile(
        r"must have the same (?:rank|shape).*?target\.shape=(\([^)]*\)), output\.shape=(\([^)]*\))", re.S), _says(
        "labels and output of one shape", "labels {0}, output {1}",
        'loss="sparse_categorical_crossentropy" for class numbers, or y = keras.utils.to_categorical(y)')),
    (ValueError, re.compile(r"[Nn]egative dimension size|output size (?:would be|is) (?:zero or )?negative|"
                            r"[Nn]on-?positive|should be greater than 0"), _says(
        "images larger than what the layers take away", "a layer without an output",
        'padding="same", or fewer pooling layers for images of 28 x 28')),
    (ValueError, re.compile(r"[Cc]ardinality is ambiguous.*?x'? sizes: ([\d, ]+).*?y'? sizes: ([\d, ]+)", re.S), _says(
        "as many labels as images", "{0} images, {1} labels",
        "(x_train, y_train), (x_test, y_test) = load_data()  # the pairs belong together")),
    (ValueError, re.compile(r"too many values to unpack|not enough values to unpack"), _says(
        "two pairs out of load_data()", "another number of values",
        "(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()")),
    (ValueError, re.compile(r"added layer must be an instance of class Layer"), _says(
        "layers and model of one Keras", "layers of tf_keras in a keras model, or the reverse",
        "Import everything from keras, or everything from tf_keras.")),
    (ValueError, re.compile(r"(?:Only instances of|A KerasTensor).*(?:Keras|cannot be used as input)", re.S), _says(
        "Keras operations on Keras tensors", "a TensorFlow function on one",
        "keras.ops.… in the place of tf.…, or put it in a layer's call().")),
    (ValueError, re.compile(r"[Uu]nsupported object type|Failed to convert a NumPy array"), _says(
        "one array of numbers", "an array of Python objects", 'x = np.stack(list(x)).astype("float32")')),
    (ValueError, re.compile(r"cannot reshape array of size (\d+) into shape (\([^)]*\))"), _says(
        "as many numbers as shape {1} holds", "{0}", "x.reshape(-1, 28, 28, 1)  # -1 for the number of examples")),
    (ValueError, re.compile(r"Object arrays cannot be loaded when allow_pickle=False"), _says(
        "one array of numbers in the file", "Python objects, which would run code",
        "Write it again as one array: np.save(path, np.stack(list(x))).")),
    (ValueError, re.compile(r"(?:Unknown|Could not interpret) (loss|optimizer|metric|activation)[^:]*: ?'?([\w.]+)?"),
     _says("a {0} of Keras by its name", "{1}", "See keras.{0}s for the names, such as adam, accuracy, relu.")),
    (TypeError, re.compile(r"unexpected keyword argument '?(lr|decay)'?"), _says(
        "learning_rate", "{0}, its name before Keras 2.3",
        "keras.optimizers.Adam(learning_rate=1e-3)  # decay: a schedule of keras.optimizers.schedules")),
    (ValueError, re.compile(r"Argument\(s\) not recognized: \{'(lr|decay)'"), _says(
        "learning_rate", "{0}, its name before Keras 2.3",
        "keras.optimizers.Adam(learning_rate=1e-3)  # decay: a schedule of keras.optimizers.schedules")),
    (TypeError, re.compile(r"unexpected keyword argument '?(nb_epoch|border_mode|subsample|output_dim|init)'?"), _says(
        "Keras 2's and 3's arguments", "{0}, of Keras 1",
        "epochs= for nb_epoch, padding= for border_mode, strides= for subsample, units= for output_dim")),
    (AttributeError, re.compile(r"module '(?:tensorflow|tensorflow\._api[\w.]+)' has no attribute '(\w+)'"), _says(
        "TensorFlow 2's interface", "tf.{0}, which is not in it", ONE_API)),
    (AttributeError, re.compile(r"module 'numpy' has no attribute '(float|int|bool|object|str)'"), _says(
        "Python's own {0}", "np.{0}, which went with numpy 1.24", "{0} in the place of np.{0}")),
    (AttributeError, re.compile(r"'(?:Sequential|Functional|Model)' object has no attribute '(predict_classes|"
                                r"predict_proba|fit_generator|evaluate_generator|predict_generator)'"), _says(
        "Keras 3's methods", "{0}, which went with Keras 2.6",
        "fit(generator) for fit_generator; predict(x).argmax(axis=-1) for predict_classes")),
    (KeyError, re.compile(r"'(val_)?acc'"), _says(
        "{0}accuracy", "{0}acc, its name before Keras 2.3", 'history.history["{0}accuracy"]')),
    (RuntimeError, re.compile(r"tf\.placeholder\(\) is not compatible with eager"), _says(
        "a graph", "eager execution", "tf.disable_v2_behavior()  # straight after import tensorflow.compat.v1 as tf")),
    (Exception, re.compile(r"URL fetch failure on (\S+)"), _says(
        "to reach {0}", "no connection",
        "mnist and fashion_mnist are served by the doctor; give other data as files: doctor FOLDER")),
)  # fmt: skip


def explained(error: BaseException, script: Path) -> str:
    """Return what is known of an error in one line: expected, received, fix.

    Args:
        error: As it ended the script.
        script: Whose folder a missing file may lie in.
    """
    if isinstance(error, ModuleNotFoundError | ImportError):
        return _missing_module(error)
    if isinstance(error, FileNotFoundError) and error.filename:
        return _missing_file(Path(str(error.filename)), script)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "Expected room for the data in memory. Received: too little. Fix: fewer examples, or a tf.data.Dataset."
    if isinstance(error, SyntaxError):
        return f"Expected Python 3. Received: line {error.lineno} cannot be read. Fix: 2to3 for a script of Python 2."
    for kind, pattern, tell in RULES:
        if isinstance(error, kind) and (match := pattern.search(str(error))):
            return tell(match)
    return UNKNOWN


def _missing_module(error: ImportError) -> str:
    name = error.name or ""
    sought = [name, *re.findall(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))]
    for moved, target in MOVED.items():
        if name == moved or name.startswith(f"{moved}."):
            return f"Expected a module that is still there. Received: {name}. Fix: {target}"
    if len(sought) > 1:
        what, module = sought[1]
        return (
            f"Expected {module} to have {what}. Received: a version without it. Fix: look {what} up in the "
            "documentation of the installed version; Keras 3 has everything in keras.layers, keras.utils, keras.losses"
        )
    package = PACKAGES.get(name.partition(".")[0], name.partition(".")[0])
    return f"Expected the module {name}. Received: none of this name in this environment. Fix: pip install {package}"


def _missing_file(path: Path, script: Path) -> str:
    beside = script.resolve().parent / path
    folder = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, [each.name for each in folder.iterdir()], n=2)
    if beside.exists() and not path.is_absolute():
        fix = f"cd {script.resolve().parent}  # the script looks for it from the folder it is run in"
    elif near:
        fix = f"{folder / near[0]}, which exists"
    else:
        fix = "write or download it, or correct the path"
    return f"Expected the file {path} (from {Path.cwd()}). Received: no such file. Fix: {fix}"
