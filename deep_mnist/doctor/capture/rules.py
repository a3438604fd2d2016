"""Rules of what fit is given: lists, the order of a pipeline, batches; `draw*.py` and `batches.py` look for them."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

IMAGES_IN_A_LIST = Rule(
    code="D001",
    name="inputs-in-a-list",
    field="images.dtype",
    severity="error",
    scope=Scope.CALL,
    summary="fit is given a Python list of examples instead of one array.",
    why="Keras takes a list for multiple inputs, or refuses it.",
)
LABELS_IN_A_LIST = Rule(
    code="D002",
    name="labels-in-a-list",
    field="labels.dtype",
    severity="error",
    scope=Scope.CALL,
    summary="fit is given a Python list of labels instead of one array.",
    why="Keras takes a list for multiple outputs, or refuses it.",
)
NOT_BATCHED = Rule(
    code="D010",
    name="pipeline-without-batches",
    field="images.rank",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A dataset, loader or generator yields one example at a time.",
    why="Keras takes the first axis for the batch: parts of one example would be examples, or the shape is refused.",
)
BATCHED_TWICE = Rule(
    code="D011",
    name="pipeline-batched-twice",
    field="images.rank",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A tf.data.Dataset goes through batch() twice.",
    why="Keras refuses the rank, or takes a batch for one example.",
)
TRAINING_ENDLESS = Rule(
    code="D012",
    name="training-data-endless",
    field="fit.epochs",
    severity="error",
    scope=Scope.PIPELINE,
    summary="The dataset that fit trains on repeats without end, and fit has no steps_per_epoch.",
    why="The first epoch never ends.",
)
NO_GENERATOR = Rule(
    code="D014",
    name="iterator-that-keras-refuses",
    field="images.dtype",
    severity="error",
    scope=Scope.PIPELINE,
    summary="fit is given an iterator that is no generator, such as zip(images, masks).",
    why='Keras 3 stops: "Unrecognized data type"; it takes arrays, datasets, PyDatasets, loaders and generators.',
)
LISTS_IN_BATCH = Rule(
    code="D063",
    name="lists-in-batch",
    field="images.dtype",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A generator or sequence yields a list where Keras 3 takes a tuple: [images, table] for two inputs.",
    why="Keras 3 stops: `output_signature` must contain objects that are subclass of `tf.TypeSpec`.",
)
GROUPS_OF_ARRAYS = Rule(
    code="D060",
    name="batch-of-groups",
    field="images.shape",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A generator yields a list with one group of arrays for each example.",
    why="Keras stops: it takes one array for each input, with the whole batch on its first axis.",
)
VALIDATION_ENDLESS = Rule(
    code="D013",
    name="validation-data-endless",
    field="fit.validation",
    severity="error",
    scope=Scope.PIPELINE,
    summary="The dataset that fit validates on repeats without end, and fit has no validation_steps.",
    why="The first validation never ends.",
)
SHUFFLED_AFTER_BATCH = Rule(
    code="D020",
    name="shuffle-after-batch",
    field="fit.shuffle",
    severity="warning",
    scope=Scope.PIPELINE,
    summary="A tf.data.Dataset is shuffled after batch(): whole batches change their place, never their examples.",
    why="Every batch holds the same examples in every epoch, and of a sorted set one class only.",
)
CACHED_AFTER_SHUFFLE = Rule(
    code="D021",
    name="cache-after-shuffle",
    field="fit.shuffle",
    severity="warning",
    scope=Scope.PIPELINE,
    summary="A tf.data.Dataset is cached after shuffle(), which keeps the first epoch's order.",
    why="Every epoch sees the same order and the same batches.",
)
AUGMENTATION_CACHED = Rule(
    code="D022",
    name="augmentation-cached",
    field="fit.shuffle",
    severity="warning",
    scope=Scope.PIPELINE,
    summary="A tf.data.Dataset is cached after a random map(): each example is altered once and kept.",
    why="The augmentation adds nothing: every epoch sees the same altered examples.",
)
SORTED_DATASET = Rule(
    code="D030",
    name="dataset-sorted-by-class",
    field="splits.order",
    severity="error",
    scope=Scope.PIPELINE,
    summary="The labels lie in runs of one class, behind no shuffle() or one whose buffer reaches only a part of them.",
    why="Each batch holds one class or a few: the network predicts the last class it was shown.",
)
BATCHES_SORTED = Rule(
    code="D031",
    name="batches-sorted-by-class",
    field="splits.order",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A generator or loader that does not shuffle yields its labels in runs of one class, batch after batch.",
    why="Each batch holds one class or a few: the network predicts the last class it was shown.",
)
DRAWN_TOO_SLOWLY = Rule(
    code="D090",
    name="sample-for-want-of-time",
    field="fit.batch_size",
    severity="note",
    scope=Scope.PIPELINE,
    summary="The pipeline is so slow that the sample was ended after minutes, smaller than it should be.",
    why="What takes many examples to tell was not judged.",
)
NOT_COMPILED = Rule(
    code="C005",
    name="model-not-compiled",
    field="contract.loss",
    severity="error",
    scope=Scope.CALL,
    summary="fit is called before compile().",
    why="Keras stops: there is no loss to train by.",
)

INDEX_IGNORED = Rule(
    code="D050",
    name="sequence-ignores-its-index",
    field="images.count",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A Keras sequence returns the same batch whatever the index: __getitem__ does not use it.",
    why="The network sees one batch again and again, and learns it by heart.",
)
BATCHES_OVERLAP = Rule(
    code="D051",
    name="sequence-batches-overlap",
    field="images.count",
    severity="warning",
    scope=Scope.PIPELINE,
    summary="Each batch of a Keras sequence is the one before, one example further: the index was taken for a row.",
    why="An epoch repeats the first examples of the set and never comes to the rest.",
)
ENDS_EARLY = Rule(
    code="D052",
    name="sequence-longer-than-its-data",
    field="images.count",
    severity="error",
    scope=Scope.PIPELINE,
    summary="The last batches of a Keras sequence are empty, or raise: __len__ promises more than there is.",
    why="fit stops within the first epoch, or counts empty batches.",
)
ONE_BATCH = Rule(
    code="D053",
    name="generator-repeats-one-batch",
    field="images.count",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A generator yields one batch again and again, and holds many more examples than that.",
    why="The network sees one batch again and again, and learns it by heart.",
)
RUNS_OUT = Rule(
    code="D054",
    name="generator-ends-early",
    field="fit.epochs",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A generator ends before the epochs of fit do: it has no loop without end around its batches.",
    why="Training stops with the generator, after its first round, and says so in a warning only.",
)
USED_UP = Rule(
    code="D055",
    name="iterator-used-up",
    field="images.count",
    severity="error",
    scope=Scope.PIPELINE,
    summary="An iterator was read to its end before fit is given it.",
    why="There is nothing to train on.",
)
COUNTS_DIFFER = Rule(
    code="D056",
    name="batch-counts-differ",
    field="labels.count",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A batch holds another number of examples than of labels.",
    why="Keras refuses the batch, or gives examples the labels of others.",
)
SHUFFLED_APART = Rule(
    code="D057",
    name="examples-and-labels-shuffled-apart",
    field="labels.alignment",
    severity="error",
    scope=Scope.PIPELINE,
    summary="A sequence or generator shuffles examples and labels by two draws of chance, or one of them alone.",
    why="From then on every example has another one's label: nothing can be learned.",
)
SIZES_CHANGE = Rule(
    code="D058",
    name="batch-shapes-change",
    field="images.shape",
    severity="error",
    scope=Scope.PIPELINE,
    summary="Batches hold examples of different sizes, and the network takes one size.",
    why="fit stops at the first batch of another size.",
)
