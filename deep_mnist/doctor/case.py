"""What the doctor is given: the splits as they lie in a folder, the contract, and what is known of fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.data.array_errors import ArrayFileError, ObjectArrayError
from deep_mnist.data.arrays import IDX_NAME, ArrayFile, find_arrays, find_further
from deep_mnist.data.dataset import SHARDS_FILE, Preprocessing
from deep_mnist.data.faults_file import read_faults
from deep_mnist.data.raw import MissingPackageError, RawData
from deep_mnist.doctor.evidence.background_surveys import BackgroundSurveys
from deep_mnist.doctor.evidence.byte_levels import ByteLevels, byte_levels
from deep_mnist.doctor.evidence.chunks import REAL_KINDS
from deep_mnist.doctor.evidence.classes import Classes, classes_of
from deep_mnist.doctor.evidence.input_kind import InputKind, kind_of_input
from deep_mnist.doctor.evidence.survey import Survey, survey
from deep_mnist.doctor.evidence.task import Task, task_of

if TYPE_CHECKING:
    from types import FrameType

    from deep_mnist.doctor.capture.fit_call import FitCall

MOST_PIXELS = 1 << 24  # of one example: 4096 x 4096; beyond it the first axis is not the examples'


class NotUsableError(ValueError):
    """The doctor cannot start: no folder, no arrays, no readable contract."""

    fix = "name a folder with train_images.npy and train_labels.npy"


@dataclass
class Split:
    """One split's arrays; None where the file is missing or unreadable (`faults` says why).

    Attributes:
        name: "train", "validation" or "test".
        images, labels: As they are, read-only.
        inputs, targets: All inputs and targets of a network of several, by name or by number in its order ("0", "1",
            …); {} where there is one of them. `images` and `labels` are then the first's.
        faults: Of the files: "images" or "labels" -> the error; of images that differ: "images.shape" or
            "images.layout".
        tells_classes: Its labels are classes; not numbers, several labels at once or a label at every position.
        background: Computes the survey in another thread, when that was begun.
        is_whole: It is the whole set that fit would see, not a sample of it.
        whole_images: Where the survey is of the whole set and `images` are drawn from it: returns images of the set by
            their indices in it, as the survey counts them.
        without_channels: The images come from IDX files or grey images, formats without a channel axis.
    """

    name: str
    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    faults: dict[str, ArrayFileError] = field(default_factory=dict)
    without_channels: bool = False
    tells_classes: bool = True
    is_whole: bool = True
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    given: int = 0
    background: BackgroundSurveys | None = field(default=None, repr=False)
    whole_images: Callable[[np.ndarray], np.ndarray] | None = field(default=None, repr=False)

    @cached_property
    def survey(self) -> Survey | None:
        """The one pass over the images; None when they are no numbers on at least one axis."""
        if self.background is not None:
            return self.background.take(self.name)
        return survey(self.images) if self.images is not None and self.can_be_surveyed else None

    @property
    def can_be_surveyed(self) -> bool:
        """There are images, numbers, and the first axis can be the examples'."""
        images = self.images
        if images is None or images.ndim < 1 or images.dtype.kind not in REAL_KINDS:
            return False
        return bool(images.size) and images[0].size <= MOST_PIXELS

    @cached_property
    def levels(self) -> ByteLevels | None:
        """Some images as bytes; None where they are no bytes."""
        return byte_levels(self.images) if self.images is not None else None

    @cached_property
    def classes(self) -> Classes | None:
        """Class of each example, whatever the encoding; None when the labels tell no classes."""
        return classes_of(self.labels) if self.tells_classes else None

    @property
    def paired(self) -> bool:
        """Images and classes are there, one for each other."""
        if self.images is None or not self.images.ndim or self.classes is None:
            return False
        return len(self.images) == len(self.classes) > 0


def matched(given: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return arrays by the names of the inputs or outputs that they are for; those of no such name are left out.

    Args:
        given: By name, or by number ("0", "1", …, or from "1" on) in the network's order.
        names: Of the network's inputs or outputs, in order.
    """
    by_slug = {slug(name): array for name, array in given.items()}
    if found := {name: by_slug[slug(name)] for name in names if slug(name) in by_slug}:
        return found
    named = named_in_order(given, names)
    return {} if named is given else named


def named_in_order(given: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return arrays that are numbered, one for each name, by these names; any others as they are."""
    numbers = sorted(given, key=lambda key: int(key) if key.isdecimal() else -1)
    if numbers and numbers in ([str(index + start) for index in range(len(names))] for start in (0, 1)):
        return {name: given[number] for name, number in zip(names, numbers, strict=True)}
    return given


def arrange(split: Split, contract: Contract) -> None:
    """Name the split's inputs and targets as the network does; its own images and labels are the first ones'."""
    plain = None if any(each is split.images for each in split.inputs.values()) else split.images
    split.given = len(split.inputs) + (plain is not None)
    if split.inputs and contract.inputs:
        split.inputs = matched(split.inputs, [each.input_name for each in contract.inputs])
        split.images = split.inputs.get(contract.input_name, plain)
    if split.targets and contract.outputs:
        plain = None if any(each is split.labels for each in split.targets.values()) else split.labels
        split.targets = matched(split.targets, [each.output_name for each in contract.outputs])
        split.labels = split.targets.get(contract.output_name, plain)


def slug(name: str) -> str:
    """Return a name as it may stand in a variable's or file's name."""
    return re.sub(r"\W", "_", name)


@dataclass
class Case:
    """All that is judged together.

    Attributes:
        folder: Where the arrays lie; of a live call, the working directory.
        splits: By name, train always among them.
        contract: What the network demands.
        record: What preprocess did, when it wrote the arrays.
        fit: What is known of fit: epochs, batch_size, shuffle, validation_split, steps_per_epoch, …
        call: The call of fit in this process, its live model and arguments (None of a folder); not to be changed.
        frame: Of the code that made the call, where that is known.
    """

    folder: Path
    splits: dict[str, Split]
    contract: Contract
    record: Preprocessing | None = None
    fit: Mapping[str, Any] = field(default_factory=dict)
    call: FitCall | None = None
    frame: FrameType | None = None

    def __post_init__(self) -> None:
        for split in self.splits.values():
            arrange(split, self.contract)
        for split in self.splits.values():
            split.tells_classes = self.task.has_classes

    @cached_property
    def input_kind(self) -> InputKind:
        """What the inputs are; checks that speak of images ask first."""
        return kind_of_input(self.contract, self.train.images)

    @property
    def example(self) -> str:
        """What one example is called: "image", "row", "sequence", or "text" where words are looked up."""
        if self.input_kind is InputKind.SEQUENCES and self.contract.vocabulary is not None:
            return "text"
        return self.input_kind.example

    @cached_property
    def task(self) -> Task:
        """What the network predicts; checks that speak of classes ask first."""
        return task_of(self.contract, self.train.labels)

    def release_hashes(self) -> None:
        """Give back the memory of the surveys' hashes, once the checks that compare the splits have run."""
        for split in self.splits.values():
            if "survey" in vars(split) and split.survey is not None:
                split.survey.drop_hashes()

    @property
    def train(self) -> Split:
        return self.splits["train"]

    @property
    def test(self) -> Split | None:
        return self.splits.get("test")


def read_splits(folder: Path) -> dict[str, Split]:
    """Return the splits that lie in a folder (or in one file of images), train always among them.

    Raises:
        NotUsableError: The folder is none, holds nothing known, or a reader of its format is not installed.
    """
    try:
        of_arrays = folder.is_dir() or folder.suffix == ".npz"
        files, further = (find_arrays(folder), find_further(folder)) if of_arrays else ({}, {})
        faults = read_faults(folder)
    except ArrayFileError as error:
        return {"train": Split("train", faults={"images": error, "labels": error})}
    if faults:  # download read images, and says why there is no array of them
        return {name: Split(name, faults=faults.get(name, {})) for name in _names(faults)}
    if not files and not further:
        return {"train": Split("train")} if (folder / SHARDS_FILE).is_file() else _read_image_files(folder)
    names = _names(slot.partition("_")[0] for slot in (*files, *further))
    return {name: _read_split(name, files, further) for name in names}


def survey_in_background(splits: Mapping[str, Split]) -> None:
    """Begin the splits' surveys in another thread; nothing changes but that they are ready sooner."""
    able = {name: split.images for name, split in splits.items() if split.images is not None and split.can_be_surveyed}
    background = BackgroundSurveys(able) if able else None
    for name in able:
        splits[name].background = background


def _names(present: Iterable[str]) -> list[str]:
    """Return the names of splits in their order, train always among them."""
    names = {"train", *present}
    return [name for name in ("train", "validation", "test") if name in names]


def _read_image_files(path: Path) -> dict[str, Split]:
    from deep_mnist.data.sources import recognize

    if not path.exists():
        raise NotUsableError(f"Expected a folder at {path}. Received: no folder. Name the folder that holds the data.")
    read = recognize(path)
    if read is None:
        from deep_mnist.data.unrecognized import not_recognized

        raise NotUsableError(not_recognized(path, str(path)))
    try:
        raw = read()
    except MissingPackageError as error:
        raise NotUsableError(str(error)) from error
    return {name: _from_raw(name, raw) for name in _names((*raw.images, *raw.faults))}


def _from_raw(name: str, raw: RawData) -> Split:
    split = Split(name, raw.images.get(name), raw.labels.get(name), faults=dict(raw.faults.get(name, {})))
    if split.images is None and not split.faults:
        split.faults["images"] = ArrayFileError("images to train on", "a test split alone", "Name both folders.")
    split.without_channels = split.images is not None and split.images.ndim == 3
    return split


def _read_split(name: str, files: Mapping[str, ArrayFile], further: Mapping[str, Mapping[str, ArrayFile]]) -> Split:
    split = Split(name)
    for part, several in (("images", split.inputs), ("labels", split.targets)):
        slot = f"{name}_{part}"
        try:
            several.update({each: file.open() for each, file in further.get(slot, {}).items()})
            if slot not in files:
                if several:
                    continue
                raise ArrayFileError(f"a file {slot}.npy (or its IDX form)", "no such file", f"Write {slot}.npy.")
            array = files[slot].open()
            if array.ndim == 0:
                raise ArrayFileError("an array of examples", f"a single {array.dtype}", f"Write {slot}.npy again.")
            setattr(split, part, array)
            if part == "images":
                split.without_channels = bool(IDX_NAME.search(files[slot].path.name)) and not files[slot].member
        except ArrayFileError as error:
            split.faults[part] = error
    return split


def with_channel_axis(split: Split, contract: Contract) -> Split:
    """Return the split with the channel axis that every loader of such files adds for such a network."""
    images, shape = split.images, contract.input_shape
    if split.without_channels and images is not None and images.ndim == 3 and shape is not None and len(shape) == 3:
        axis = 1 if contract.layout == "channels_first" else 3
        split.images = np.expand_dims(images, axis)
    return split


def is_object_fault(error: ArrayFileError | None) -> bool:
    """Whether a file holds Python objects: the fault is then one of dtype, not of the file."""
    return isinstance(error, ObjectArrayError)
