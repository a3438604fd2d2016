"""Folders of class folders with images: read whole, or with each fault by name and index."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deep_mnist.data import image_file, raw
from deep_mnist.data.image_file import decode_image
from deep_mnist.data.raw import ImageDecodeError, RawData
from deep_mnist.data.sources import recognize
from tests.support.image_files import png, write_classes

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)
RGB = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)


def read(path: Path) -> RawData:
    reader = recognize(path)
    assert reader is not None
    return reader()


def put(folder: Path, **files: bytes) -> Path:
    """Write files named by keywords CLASS__NAME."""
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_class_folders_below_train_and_test_are_two_splits(tmp_path):
    """Pixels, labels and class names come back as they were drawn."""
    train = write_classes(tmp_path / "train", 40)
    test = write_classes(tmp_path / "test", 20, seed=1)
    data = read(tmp_path)

    np.testing.assert_array_equal(data.images["train"], train[0])
    np.testing.assert_array_equal(data.labels["train"], train[1])
    np.testing.assert_array_equal(data.images["test"], test[0])
    assert data.class_names == tuple("0123456789") and not data.faults


def test_class_folders_alone_are_train(tmp_path):
    """Classes are numbered in the order of their names."""
    put(tmp_path, dog__a=png(RGB), cat__b=png(RGB), cat__a=png(RGB))
    data = read(tmp_path)

    assert data.class_names == ("cat", "dog") and data.labels["train"].tolist() == [0, 0, 1]
    assert data.images["train"].shape == (3, 8, 8, 3) and data.images["train"].dtype == np.uint8


def test_names_that_are_numbers_are_in_the_order_of_the_numbers(tmp_path):
    """10 comes after 2, and not after 1."""
    put(tmp_path, **{f"{label}__a": png(GREY) for label in (10, 2, 1)})

    assert read(tmp_path).class_names == ("1", "2", "10")


def test_a_class_called_train_is_a_class(tmp_path):
    """Only a folder of class folders is a split."""
    put(tmp_path, car__a=png(GREY), train__a=png(GREY))

    assert read(tmp_path).class_names == ("car", "train")


def test_a_class_that_one_split_lacks_keeps_its_number(tmp_path):
    """Both splits number the classes of both."""
    put(tmp_path, train__a__1=png(GREY), train__b__1=png(GREY), test__b__1=png(GREY))

    assert read(tmp_path).labels["test"].tolist() == [1]


def test_other_files_and_hidden_ones_are_passed_over(tmp_path):
    """Thumbs.db, .DS_Store and notes are no images."""
    put(tmp_path, a__1=png(GREY), b__1=png(GREY))
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "a" / "._1.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")

    assert len(read(tmp_path).images["train"]) == 2


def test_mixed_sizes_are_a_fault_that_names_the_odd_files(tmp_path):
    """The majority is expected; each odd file is named with index and size."""
    put(tmp_path, a__1=png(GREY), a__2=png(GREY[:4]), b__1=png(GREY))
    data = read(tmp_path)

    error = data.faults["train"]["images.shape"]
    assert error.where == (1,) and "a/2.png (index 1): 4 x 8 pixels" in error.received
    assert "2 of 3 have: 8 x 8 pixels" in error.expected and "train" not in data.images
    assert data.labels["train"].tolist() == [0, 0, 1]


def test_mixed_modes_are_a_fault_that_names_the_odd_files(tmp_path):
    """Grey among RGB is another layout, not another size."""
    put(tmp_path, a__1=png(RGB), a__2=png(RGB), b__1=png(GREY))
    faults = read(tmp_path).faults["train"]

    assert list(faults) == ["images.layout"]
    assert "b/1.png (index 2): grey" in faults["images.layout"].received and 'convert("RGB")' in str(
        faults["images.layout"]
    )


def test_mixed_sizes_and_modes_are_two_faults(tmp_path):
    """Both are said at once."""
    put(tmp_path, a__1=png(RGB), a__2=png(RGB), b__1=png(GREY[:4]))

    assert sorted(read(tmp_path).faults["train"]) == ["images.layout", "images.shape"]


def _bomb(side: int) -> bytes:
    """A PNG of 3 KB that says side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 21)))
        + chunk(b"IEND", b"")
    )


HOSTILE = {
    "empty": (b"", "an empty file"),
    "truncated": (png(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8))[:400], ""),
    "web page": (b"<html>not found</html>", "a web page"),
    "bomb": (_bomb(60_000), "decompression bomb"),
    "smaller bomb": (_bomb(4_200), "decompression bomb"),
    "16 bits": (png(GREY.astype(np.uint16) * 256), "8 bits per channel"),
    "another format": (png(RGB, "TIFF"), "not decodable as PNG, JPEG, BMP or GIF"),
    "a pickle": (b"\x80\x04cos\nsystem\n.", "a Python pickle"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_unreadable_image_is_named_with_its_index(tmp_path, kind):
    """One bad file is a fault of that file; no array is made of the rest, and the labels stay."""
    content, reason = HOSTILE[kind]
    put(tmp_path, a__1=png(GREY), a__2=content, b__1=png(GREY))
    data = read(tmp_path)

    error = data.faults["train"]["images"]
    assert error.where == (1,) and "a/2.png (index 1)" in error.received and reason in error.received
    assert not data.images


def test_many_unreadable_images_are_counted(tmp_path):
    """Three are named, the rest counted, ten indices given."""
    put(tmp_path, a__z=png(GREY), **{f"a__{number:02}": b"x" for number in range(20)})
    error = read(tmp_path).faults["train"]["images"]

    assert "20 that cannot" in error.received and "and 17 more" in error.received and error.where == tuple(range(10))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_a_pipe_under_an_images_name_is_not_waited_for(tmp_path):
    """What is no regular file is not opened."""
    put(tmp_path, a__1=png(GREY))
    os.mkfifo(tmp_path / "a" / "2.png")

    assert "no regular file" in read(tmp_path).faults["train"]["images"].received


def test_a_link_that_leads_in_a_circle_ends(tmp_path):
    """Links to folders are not followed."""
    put(tmp_path, a__1=png(GREY), b__1=png(GREY))
    (tmp_path / "a" / "again").symlink_to(tmp_path)

    assert len(read(tmp_path).images["train"]) == 2


def test_the_pixels_of_a_split_are_capped(tmp_path, monkeypatch):
    """Beyond the limit the split is a fault, not a full disk."""
    monkeypatch.setattr(raw, "MAX_TOTAL_BYTES", 100)
    put(tmp_path, a__1=png(GREY), b__1=png(GREY))

    assert "at image 1" in read(tmp_path).faults["train"]["images"].received


def test_the_bytes_of_a_file_are_capped(monkeypatch):
    """A huge file is not decoded."""
    monkeypatch.setattr(image_file, "MAX_FILE_BYTES", 10)

    assert isinstance(decode_image(png(GREY)), ImageDecodeError)


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("L", (8, 8)), ("1", (8, 8)), ("RGB", (8, 8, 3)), ("RGBA", (8, 8, 4)), ("LA", (8, 8, 4)), ("P", (8, 8, 3))],
)
def test_modes_become_channels(mode, shape):
    """No visible pixel changes: only its storage does."""
    stream = io.BytesIO()
    original = Image.fromarray(RGB).convert(mode)
    original.save(stream, "PNG")
    decoded = decode_image(stream.getvalue())

    assert decoded.shape == shape and decoded.dtype == np.uint8
    np.testing.assert_array_equal(Image.fromarray(decoded).convert("RGB"), original.convert("RGB"))


def test_a_grey_palette_is_grey():
    """PNG optimizers write grey images with a palette."""
    stream = io.BytesIO()
    Image.fromarray(GREY).convert("P").save(stream, "PNG")

    np.testing.assert_array_equal(decode_image(stream.getvalue()), GREY)


def test_a_cmyk_jpeg_is_rgb():
    """JPEGs from print shops are read as colour."""
    stream = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(stream, "JPEG")

    assert decode_image(stream.getvalue()).shape == (8, 8, 3)


def test_a_folder_of_something_else_is_not_recognized(tmp_path):
    """Neither an empty folder nor one of text is a dataset."""
    assert recognize(tmp_path) is None
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x")

    assert recognize(tmp_path) is None
