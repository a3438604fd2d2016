"""A download that broke off; compressed IDX files are read as they are."""

from tests.support.digits import write_idx_folder
from tests.support.rule_examples import in_folder


def broken_off(folder):
    write_idx_folder(folder, packed=False)
    images = folder / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:10_000])


def fires():
    return in_folder(broken_off)


def silent():
    return in_folder(write_idx_folder)
