"""Which frames are the user's own code, and which are of Python, an installed package or the doctor."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType

LIBRARIES = ("keras.", "tf_keras.", "tensorflow.", "deep_mnist.doctor.", "wrapt.", "jax.", "torch.")
INSTALLED = (f"{Path(os.__file__).parent}{os.sep}", "<frozen ")  # Python's own files


def is_of_a_library(frame: FrameType) -> bool:
    """Whether a frame is of Python, Keras, TensorFlow, any installed package or the doctor, and not the user's."""
    file = frame.f_code.co_filename
    if "__autograph_generated_file" in file or (frame.f_globals.get("__name__") or "").startswith(LIBRARIES):
        return True
    return file.startswith(INSTALLED) or "/site-packages/" in file or "/dist-packages/" in file
