"""A colour image among grey ones."""

import numpy as np

from tests.support.image_files import png, write_classes
from tests.support.rule_examples import in_folder


def with_one_more(*shape):
    def write(folder):
        write_classes(folder / "train")
        (folder / "train" / "0" / "last.png").write_bytes(png(np.resize(np.arange(0, 252, 9, np.uint8), shape)))

    return write


def fires():
    return in_folder(with_one_more(28, 28, 3))


def silent():
    return in_folder(with_one_more(28, 28))
