"""What is told of a path at which no data are recognized: what lies there, and what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.download.download import download_dataset
from deep_mnist.data.fetch_known import DownloadError
from deep_mnist.data.sources import recognize
from tests.support.digits import draw_digits
from tests.support.doctor_commands import doctor_here
from tests.support.image_files import png, write_table


def unnamed_archive(folder: Path) -> None:
    np.savez(folder / "digits.npz", *draw_digits(20, 0))


def unnamed_arrays(folder: Path) -> None:
    np.save(folder / "digits.npy", draw_digits(20, 0)[0])


def with_semicolons(folder: Path) -> None:
    write_table(folder / "digits.csv")
    (folder / "digits.csv").write_text((folder / "digits.csv").read_text().replace(",", ";"))


def of_other_columns(folder: Path) -> None:
    (folder / "iris.csv").write_text("sepal_length,sepal_width,species\n5.1,3.5,setosa\n")


def of_another_format(folder: Path) -> None:
    for number in range(6):
        (folder / str(number % 2)).mkdir(exist_ok=True)
        (folder / str(number % 2) / f"{number}.webp").write_bytes(png(np.zeros((8, 8), np.uint8), "WEBP"))


def without_classes(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(np.zeros((8, 8), np.uint8)))


CASES: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (unnamed_archive, ("digits.npz, which holds the arrays arr_0, arr_1", "x_train=")),
    (unnamed_arrays, ("digits.npy", "name them train_images.npy")),
    (with_semicolons, ("digits.csv, with semicolons", "sep=';'")),
    (of_other_columns, ("no label and pixels of an image: sepal_length, sepal_width, species", "the script")),
    (of_another_format, ("images that are not read: ", "0/0.webp", ".png")),
    (without_classes, ("images without a folder for each class: 0.png", "a folder below it")),
]


@pytest.mark.parametrize(("write", "words"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_folder_of_which_nothing_is_known_is_told_apart(tmp_path, write, words):
    """By the doctor and by download alike, in one line, without a path that is not the user's."""
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder)

    told = doctor_here(folder)
    with pytest.raises(DownloadError) as refused:
        download_dataset(str(folder), tmp_path / "raw")

    assert (told.status, told.err.count("\n")) == (2, 1)
    for said in (told.err, str(refused.value)):
        assert all(word in said for word in words), said


@pytest.mark.parametrize("write", [unnamed_archive, with_semicolons, of_other_columns])
def test_one_file_of_which_nothing_is_known_is_told_apart(tmp_path, write):
    """As the folder that holds it."""
    write(tmp_path)
    (file,) = tmp_path.iterdir()

    told = doctor_here(file)
    with pytest.raises(DownloadError, match=file.name):
        download_dataset(str(file), tmp_path / "raw")

    assert told.status == 2
    assert f"in {file}. Received: {file.name}, " in told.err


def test_an_archive_of_known_names_is_judged_and_downloaded(tmp_path):
    """By the doctor under its own name."""
    images, labels = draw_digits(300, 0)
    np.savez(tmp_path / "digits.npz", x_train=images, y_train=labels)

    told = doctor_here(tmp_path / "digits.npz")
    dataset = download_dataset(str(tmp_path / "digits.npz"), tmp_path / "raw")

    assert f"uint8 (300, 28, 28)          from {tmp_path / 'digits.npz'}\n" in told.out
    assert "digits.npz" in dataset.files


def test_a_tree_with_a_stray_picture_is_no_class_folders(tmp_path):
    """Nor one in which most folders hold none; two folders with a picture each are."""
    for name in ("docs", "src", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "docs" / "logo.png").write_bytes(png(np.zeros((8, 8), np.uint8)))
    assert recognize(tmp_path) is None

    (tmp_path / "docs" / "second.png").write_bytes(png(np.zeros((8, 8), np.uint8)))
    assert recognize(tmp_path) is None

    (tmp_path / "src" / "icon.png").write_bytes(png(np.zeros((8, 8), np.uint8)))
    assert recognize(tmp_path) is not None
