"""An empty file among the images of a class."""

from tests.support.image_files import write_classes
from tests.support.rule_examples import in_folder


def with_empty_file(folder):
    write_classes(folder / "train")
    (folder / "train" / "0" / "last.png").write_bytes(b"")


def fires():
    return in_folder(with_empty_file)


def silent():
    return in_folder(lambda folder: write_classes(folder / "train"))
