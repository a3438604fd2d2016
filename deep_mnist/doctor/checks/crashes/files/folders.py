"""Folders that Keras reads as datasets: arguments that do not go together, and folders that hold nothing to read."""

from __future__ import annotations

import re

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import FOLDER_OTHERWISE
from deep_mnist.doctor.finding import Finding

READERS = ("image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory")
NO_SEED = re.compile(r"using `validation_split` and shuffling the data, you must provide a `seed`")
NO_SHARE = re.compile(r"If `subset` is set, `validation_split` must be set")


def explain_folder(crash: Crash) -> Finding | None:
    """Name what the call lacks, and the user's line with it."""
    step = crash.user
    calls = calls_at(step, *READERS) if step is not None and isinstance(crash.error, ValueError) else []
    if step is None or len(calls) != 1:
        return None
    if NO_SEED.search(crash.text):
        return crash.found(
            FOLDER_OTHERWISE,
            "one seed in the calls for both subsets, so that no file is in both",
            "validation_split of shuffled files without a seed",
            line_with_keywords(step, calls[0], seed=1),
        )
    if NO_SHARE.search(crash.text):
        return crash.found(
            FOLDER_OTHERWISE,
            "validation_split beside subset",
            "subset alone",
            line_with_keywords(step, calls[0], validation_split=0.2, seed=1),
        )
    return None
