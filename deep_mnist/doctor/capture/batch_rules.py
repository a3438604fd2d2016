"""The rules of what yields batches: Keras sequences, generators and iterators; `batches.py` looks for them."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

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
