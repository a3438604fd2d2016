"""The rules of errors that end a program: while its network is built, at the first step of fit, or at an old name."""

from __future__ import annotations

from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope

STOPS = "The program stops with this error."
NAMED_BY_OTHERS = (
    "images.rank", "images.shape", "images.layout", "images.dtype", "images.count", "labels.encoding", "labels.width",
    "labels.rank", "labels.dtype", "labels.count", "labels.values", "contract.loss", "model.output_units",
    "model.output_rank", "model.input_shape", "files.train_images", "files.train_labels",
)  # fmt: skip


def crash_rule(
    code: str, name: str, field: str, summary: str, why: str = STOPS, *, others: tuple[str, ...] = ()
) -> Rule:
    """Return the rule of an error that ends a program; all of them are errors, and differ in nothing else."""
    return Rule(
        code=code,
        name=name,
        field=field,
        severity="error",
        scope=Scope.CRASH,
        summary=summary,
        why=why,
        other_fields=others,
    )


# --- names and the machine ---------------------------------------------------------------------------

NAME_GONE = crash_rule(
    "E001",
    "name-gone",
    "program.names",
    "A module, class, function or method is used that the installed version of its library does not have.",
)
ARGUMENT_GONE = crash_rule(
    "E002",
    "argument-gone",
    "program.names",
    "An argument is given by a name that the installed version of its library does not take.",
)
PACKAGE_MISSING = crash_rule("E003", "package-missing", "program.names", "A package is imported that is not installed.")
NAME_UNMADE = crash_rule(
    "E012", "name-not-made", "program.names", "A name is used that nothing has made or imported before."
)
MODULE_HIDDEN = crash_rule(
    "E013",
    "module-hidden",
    "program.names",
    "A file beside the script has the name of a module of Python or a library, which is then hidden.",
    "What imports the module gets the file: the program, or a library that it imports, stops with an error.",
)
READ_ONLY = crash_rule(
    "E020",
    "attribute-read-only",
    "program.names",
    "A class of one's own sets an attribute that its class of Keras gives as a property without a setter.",
)
LAZY = crash_rule(
    "E019",
    "lazy-for-a-list",
    "program.values",
    "What map, filter, zip, range or the keys of a dictionary give is used as the list that it was in Python 2.",
)
FILE_MISSING = crash_rule("E004", "file-not-found", "program.files", "A file is read that does not exist.")
NOT_PYTHON_3 = crash_rule("E005", "syntax-refused", "program.syntax", "The program's text is not Python 3.")
MEMORY_SPENT = crash_rule(
    "E006", "memory-spent", "program.memory", "An array or a batch is larger than the free memory."
)
DOWNLOAD_FAILED = crash_rule(
    "E007", "download-failed", "program.files", "Data or weights cannot be downloaded from here."
)
NAME_UNKNOWN = crash_rule(
    "E008",
    "option-unknown",
    "program.names",
    "A loss, optimizer, metric, activation or initializer is asked for by a name that Keras does not know, "
    "or by its class without ().",
)
LIBRARIES_MIXED = crash_rule(
    "E009",
    "libraries-mixed",
    "program.names",
    "Layers of one Keras are put in a model of another: keras, tensorflow.keras and tf_keras.",
)
VALUE_NONE = crash_rule(
    "E010",
    "value-is-none",
    "program.values",
    "A variable is None where a value was meant: of a file not read, a method in place, a function without return.",
)
VALUE_OTHER = crash_rule(
    "E011",
    "value-of-another-kind",
    "program.values",
    "A value is not what it is used as: a name that is made further below, a dataset of a closed file, a layer of "
    "words without a vocabulary, a text for a learning rate, an empty list of devices, nested windows, another number "
    "of states, places of rows as the labels of a table, layers "
    "without their list.",
)

# --- while a network of Keras is built ---------------------------------------------------------------

LAYER_RANK = crash_rule(
    "E101",
    "layer-rank",
    "model.layers",
    "A layer is given a tensor with more or fewer axes than it takes.",
)
LAYER_WIDTH = crash_rule(
    "E102",
    "layer-width",
    "model.layers",
    "A layer that has its weights is given another number of features or channels than they are for.",
)
NOTHING_LEFT = crash_rule(
    "E103",
    "layer-leaves-nothing",
    "model.layers",
    "A convolution or pooling is larger than what the layers before it have left.",
)
MERGE_SHAPES = crash_rule(
    "E104",
    "merge-shapes",
    "model.layers",
    "Tensors are joined, added or multiplied whose shapes do not fit one another.",
)
RESHAPE_SIZE = crash_rule(
    "E105",
    "reshape-size",
    "model.layers",
    "A reshape asks for another number of values than there are.",
    others=("images.shape",),
)
NOT_BUILT = crash_rule(
    "E106",
    "model-not-built",
    "model.layers",
    "Weights or outputs are asked of a model that has never been told the shape of its input.",
)
NOT_A_LAYER = crash_rule(
    "E107",
    "function-on-keras-tensor",
    "model.layers",
    "A function of TensorFlow or numpy is called on a symbolic tensor of Keras.",
)
OPERANDS = crash_rule(
    "E108",
    "operand-shapes",
    "model.layers",
    "An operation is given tensors whose shapes do not fit one another.",
)

# --- at the first step of fit ------------------------------------------------------------------------

INPUT_SHAPE = crash_rule(
    "E111",
    "input-shape-refused",
    "images.shape",
    "The model is given examples of another shape than its input has.",
)
INPUT_COUNT = crash_rule(
    "E112",
    "inputs-miscounted",
    "images.count",
    "The model is given more or fewer inputs than it has.",
)
TARGET_SHAPE = crash_rule(
    "E113",
    "target-shape-refused",
    "labels.rank",
    "The loss or a metric cannot compare the labels with the output: their shapes differ.",
)
EXAMPLE_COUNT = crash_rule(
    "E114",
    "examples-miscounted",
    "labels.count",
    "The arrays that fit is given hold different numbers of examples.",
)
BEFORE_COMPILE = crash_rule(
    "E115",
    "call-before-compile",
    "contract.loss",
    "fit, evaluate or train_on_batch is called on a model that was not compiled.",
)
BATCH_FIXED = crash_rule(
    "E116",
    "batch-size-fixed",
    "fit.batch_size",
    "The model's input states a batch size, and a batch has another.",
)
DTYPE_REFUSED = crash_rule(
    "E117",
    "dtype-refused",
    "images.dtype",
    "An operation is given numbers of a type that it does not take, or no numbers.",
)
INDEX_RANGE = crash_rule(
    "E118",
    "index-out-of-range",
    "images.range",
    "A number stands for a row of an Embedding, or for a class, that is not there.",
    others=("labels.values",),
)
MADE_IN_CALL = crash_rule(
    "E119",
    "layers-made-at-every-call",
    "model.layers",
    "Layers or variables are made in call(), anew at every step.",
)
WEIGHTS = crash_rule(
    "E120",
    "weights-do-not-fit",
    "model.layers",
    "Weights are loaded into a model that has other layers or shapes than the one they come from.",
)
STEP_FAILS = Rule(
    code="E121",
    name="first-step-fails",
    field="model.layers",
    other_fields=("images.shape", "images.count", "labels.rank"),
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The model cannot be run on the data: a layer, or the loss, raises on the first two examples.",
    why="fit stops at its first step.",
    follows=(
        Follows(fields=NAMED_BY_OTHERS, on=On.ANY_SPLIT, least="error"),
        Follows(rules=("P074",), on=On.MODEL),
        Follows(rules=("I140",), on=On.ANY_SPLIT),
    ),
)
NOT_CALLED = crash_rule(
    "E122",
    "layer-not-called",
    "model.layers",
    "A layer stands where its output belongs: it was made, and not called on the tensor before it.",
)
NOT_AN_INT = crash_rule(
    "E150",
    "number-that-is-no-int",
    "model.layers",
    "A layer is given a number of numpy's, or a float, where Keras takes an int of Python alone.",
)

TAPE_ASKED_TWICE = crash_rule(
    "E046",
    "tape-asked-twice",
    "graph.gradients",
    "A GradientTape that is not persistent is asked for gradients a second time.",
)

# --- graphs of TensorFlow 1 --------------------------------------------------------------------------

FEED_SHAPE = crash_rule(
    "E201",
    "feed-shape",
    "images.shape",
    "A placeholder is fed an array of another shape than it has.",
)
FEED_MISSING = crash_rule("E202", "feed-missing", "graph.feeds", "A placeholder that the run needs is not fed.")
FEED_KIND = crash_rule("E203", "feed-kind", "graph.feeds", "A placeholder is fed a tensor, or what is fed is none.")
LOOP_SHAPE = crash_rule(
    "E204",
    "loop-shape",
    "graph.shapes",
    "A variable of tf.while_loop has another shape after a turn than before it.",
)
NO_GRADIENT = crash_rule(
    "E205",
    "no-gradient",
    "graph.gradients",
    "No variable has a gradient: no path of differentiable operations leads from the loss to the weights.",
)
NOT_INITIALIZED = crash_rule(
    "E206",
    "not-initialized",
    "graph.variables",
    "A variable is read before its initializer has run.",
)
VARIABLE_EXISTS = crash_rule(
    "E207",
    "variable-exists",
    "graph.variables",
    "A variable is made a second time under one name.",
)
GRAPH_MODE = crash_rule(
    "E208",
    "graph-and-eager",
    "graph.mode",
    "A program written for graphs runs eagerly, or the other way round.",
)
OTHER_GRAPH = crash_rule(
    "E209",
    "graph-of-another",
    "graph.mode",
    "A session is asked for a tensor of another graph than its own.",
)
