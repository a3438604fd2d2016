"""Readers of untrusted array files."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_mnist.data.array_errors import ArrayFileError, ObjectArrayError
from deep_mnist.data.arrays import find_arrays, open_array, slot_of
from tests.support.digits import idx_bytes

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f4", "<f8", "<f2", ">i4", "?", "<U3"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_arrays_are_opened_as_they_were_saved(tmp_path, dtype, order):
    """Every plain dtype and both memory orders come back equal, read-only."""
    saved = np.asarray(IMAGES.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", saved)

    opened = open_array(tmp_path / "a.npy")

    np.testing.assert_array_equal(saved, opened)
    assert opened.dtype == saved.dtype
    assert not opened.flags.writeable


@pytest.mark.parametrize("shape", [(0, 28, 28), (), (3, 0)])
def test_empty_and_scalar_arrays_are_opened(tmp_path, shape):
    """Arrays without an element or without an axis cannot be memory-mapped and are read all the same."""
    np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))

    assert open_array(tmp_path / "a.npy").shape == shape


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_opened_plain_and_compressed(tmp_path, packed):
    """An IDX file gives its pixels, also through gzip."""
    content = idx_bytes(IMAGES)
    path = tmp_path / ("images-idx3-ubyte.gz" if packed else "images-idx3-ubyte")
    path.write_bytes(gzip.compress(content) if packed else content)

    np.testing.assert_array_equal(IMAGES, open_array(path))


def test_large_compressed_arrays_go_through_a_file(tmp_path):
    """Beyond 64 MB a decompressed array is memory-mapped from an unlinked file, equal all the same."""
    saved = np.zeros((70, 1024, 1024), np.uint8)
    saved[::7, 5, 5] = 9
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(npy_bytes(saved), 1))

    opened = open_array(tmp_path / "a.npy.gz")

    assert isinstance(opened, np.memmap)
    np.testing.assert_array_equal(saved, opened)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_members_are_found_and_opened(tmp_path, save):
    """An .npz with Keras's names stands for the four arrays."""
    save(tmp_path / "mnist.npz", x_train=IMAGES, y_train=np.arange(5), x_test=IMAGES[:2], y_test=np.arange(2))

    found = find_arrays(tmp_path)

    assert list(found) == ["train_images", "train_labels", "test_images", "test_labels"]
    np.testing.assert_array_equal(IMAGES, found["train_images"].open())


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("train_images.npy", "train_images"),
        ("x_train.npy", "train_images"),
        ("y_test.npy", "test_labels"),
        ("t10k-labels-idx1-ubyte.gz", "test_labels"),
        ("train-images.idx3-ubyte", "train_images"),
        ("emnist-letters-test-images-idx3-ubyte.gz", "test_images"),
        ("validation_labels.npy", "validation_labels"),
        ("model.keras", None),
        ("case.json", None),
    ],
)
def test_names_tell_the_slot(name, slot):
    """The usual names of MNIST's files are known, others are not guessed at."""
    assert slot_of(name) == slot


def test_plain_npy_comes_before_other_forms(tmp_path):
    """Of several files for one slot, the .npy is taken."""
    np.save(tmp_path / "train_images.npy", IMAGES)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES[:1]))

    assert find_arrays(tmp_path)["train_images"].path.name == "train_images.npy"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>403</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (pickle.dumps([1, 2]), "pickle"),
        (gzip.compress(idx_bytes(IMAGES)), "gunzip"),
        (b"\0\0\x08\x03" + b"\0\0\0\5", "header of 16 bytes"),
        (idx_bytes(IMAGES)[:-7], "bytes, as its header says"),
        (idx_bytes(IMAGES) + b"x", "bytes, as its header says"),
        (b"\0\0\x08\x09" + bytes(60), "1 to 4 axes"),
        (b"\0\0\x01\x03" + bytes(60), "magic number"),
        (npy_bytes(IMAGES)[:-1], "bytes, as its header says"),
        (npy_bytes(IMAGES)[:7], "format"),
        (b"\x93NUMPY\x09\x00" + bytes(99), "format"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "header of at most"),
        (npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (50000, 224, 224, 1)}\n"), "as its header says"),
        (npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-5, 2)}\n"), "a shape of at most"),
        (npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + "\n"), "descr, fortran_order"),
        (npy_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}\n"), "descr, fortran_order"),
        (npy_header("__import__('os').abort()\n"), "descr, fortran_order"),
        (b"PK\3\4" + bytes(30), ".npz"),
    ],
    ids=range(20),  # contents differ between processes: gzip notes the time
)
def test_damaged_files_are_refused_with_what_they_are(tmp_path, content, words):
    """A file that is no array is refused at once, and the message says what it is or how to fix it."""
    path = tmp_path / "train_images.npy"
    path.write_bytes(content)

    with pytest.raises(ArrayFileError, match=r"Expected .* Received: ") as caught:
        open_array(path)

    assert words.lower() in str(caught.value).lower()


def test_python_objects_are_refused_unread(tmp_path):
    """An object array is recognized by its header alone; the code in its pickle never runs."""
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(ran),)

    np.save(tmp_path / "a.npy", np.array([Bomb(), Bomb()], dtype=object), allow_pickle=True)

    with pytest.raises(ObjectArrayError, match="Python objects") as caught:
        open_array(tmp_path / "a.npy")

    assert caught.value.shape == (2,)
    assert not ran.exists()


def test_an_interrupted_download_is_reported(tmp_path):
    """A gzip file cut short ends before its end-of-stream marker."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx_bytes(IMAGES))[:-6])

    with pytest.raises(ArrayFileError, match="end-of-stream"):
        open_array(tmp_path / "a.gz")


def test_a_decompression_bomb_is_refused_before_memory_is_asked_for(tmp_path):
    """A header that promises more than deflate could have packed is refused unread."""
    head = npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}\n")
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(head + bytes(10_000)))

    with pytest.raises(ArrayFileError, match="at most"):
        open_array(tmp_path / "a.npy.gz")


def test_more_data_than_the_header_promises_is_refused(tmp_path):
    """No more is decompressed than the header says, and what follows is a fault."""
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(npy_bytes(IMAGES) + bytes(1 << 20)))

    with pytest.raises(ArrayFileError, match="Received: more"):
        open_array(tmp_path / "a.npy.gz")


def test_labels_in_the_place_of_images_are_reported(tmp_path):
    """An idx1 file in an image slot is refused by its magic number."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))

    with pytest.raises(ArrayFileError, match="2049"):
        find_arrays(tmp_path)["train_images"].open()


def test_a_pipe_is_not_waited_for(tmp_path):
    """A named pipe in an array's place is refused instead of read."""
    os.mkfifo(tmp_path / "train_images.npy")

    with pytest.raises(ArrayFileError, match="regular file"):
        open_array(tmp_path / "train_images.npy")


def test_a_damaged_npz_is_reported(tmp_path):
    """A zip whose directory is gone is refused as damaged."""
    np.savez(tmp_path / "a.npz", x_train=IMAGES)
    path = tmp_path / "a.npz"
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(ArrayFileError, match="compressed data"):
        find_arrays(tmp_path)


# --- fuzzing: whatever the bytes, an array or an ArrayFileError -------------------------------------


def seeds() -> list[tuple[str, bytes]]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("x_train.npy", npy_bytes(IMAGES))
    return [
        ("a.npy", npy_bytes(IMAGES)),
        ("a-idx3-ubyte", idx_bytes(IMAGES)),
        ("a.npy.gz", gzip.compress(npy_bytes(IMAGES))),
        ("a.npz", archive.getvalue()),
    ]


@pytest.mark.parametrize(("name", "content"), seeds(), ids=[name for name, _ in seeds()])
def test_mutated_files_never_crash_a_reader(tmp_path, name, content):
    """Files with bytes changed, cut out, doubled or zeroed give an array or an ArrayFileError, nothing else."""
    random = np.random.default_rng(len(content))
    for _ in range(400):
        read_or_refuse(tmp_path, name, mutated(content, random))


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"\x93NUMPY\1\0", b"\0\0\x08\3", b"\x1f\x8b\x08"]))
def test_random_bytes_never_crash_a_reader(tmp_path_factory, content, start):
    """Random bytes behind each format's first ones give an array or an ArrayFileError."""
    folder = tmp_path_factory.mktemp("fuzz")

    read_or_refuse(folder, "train_images.npy", start + content)
    read_or_refuse(folder, "train_images.npy.gz", start + content)


@settings(max_examples=150, deadline=None)
@given(
    descr=st.sampled_from(
        ["'<f4'", "'O'", "'V0'", "'<U0'", "'|S5'", "'<M8[s]'", "'f4,f4'", "3", "None", "''", "'>u8'"]
    ),
    shape=st.lists(st.integers(-3, 2**70), max_size=40),
    order=st.sampled_from(["True", "False", "7"]),
)
def test_random_headers_never_crash_a_reader(tmp_path_factory, descr, shape, order):
    """Well-formed headers with any dtype and shape give an array or an ArrayFileError."""
    folder = tmp_path_factory.mktemp("fuzz")
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {tuple(shape)}}}\n"

    read_or_refuse(folder, "a.npy", npy_header(text) + bytes(64))


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    data = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        at, size = int(random.integers(0, len(data))), int(random.integers(1, 9))
        match int(random.integers(0, 4)):
            case 0:
                data[at : at + size] = random.bytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at : at + size] = bytes(size)
        data = data or bytearray(b"\0")
    return bytes(data)


def read_or_refuse(folder, name: str, content: bytes) -> None:
    path = folder / name
    path.write_bytes(content)
    try:
        if name.endswith(".npz"):
            for each in find_arrays(folder).values():
                each.open()
        else:
            open_array(path)
    except ArrayFileError:
        pass
