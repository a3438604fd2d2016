"""Tables of pixels as Kaggle publishes them: read whole, or with the line that is wrong."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from deep_mnist.data import csv_table
from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.sources import recognize
from tests.support.image_files import write_table


def read(path):
    reader = recognize(path)
    assert reader is not None
    return reader()


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


PIXELS = ",".join(map(str, range(16)))
HEADER = ",".join(f"pixel{place}" for place in range(16))


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("header", [True, False])
def test_train_and_test_tables_are_two_splits(tmp_path, ending, header):
    """Plain or gzipped, with a header or without: the same pixels and labels."""
    train = write_table(tmp_path / f"mnist_train{ending}", 1200, header=header)
    test = write_table(tmp_path / f"mnist_test{ending}", 30, seed=1, header=header)
    data = read(tmp_path)

    np.testing.assert_array_equal(data.images["train"], train[0])
    np.testing.assert_array_equal(data.labels["train"], train[1])
    np.testing.assert_array_equal(data.images["test"], test[0])
    assert not data.faults and data.class_names == ()


def test_one_file_is_train(tmp_path):
    """A table may be named itself, whatever its name."""
    write_table(tmp_path / "digits.csv", 20)

    assert read(tmp_path / "digits.csv").images["train"].shape == (20, 28, 28)


def test_a_table_without_labels_is_passed_over(tmp_path, capsys):
    """Kaggle's test.csv has nothing to test against."""
    (tmp_path / "train.csv").write_text(lines(f"label,{HEADER}", f"3,{PIXELS}"))
    (tmp_path / "test.csv").write_text(lines(f"id,{HEADER}", f"0,{PIXELS}"))
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    data = read(tmp_path)

    assert list(data.images) == ["train"] and "test.csv has no label column" in capsys.readouterr().err


def test_the_label_may_stand_last_and_be_a_word(tmp_path):
    """Words become classes in alphabetical order, of all splits together."""
    (tmp_path / "train.csv").write_text(lines(f"{HEADER},label", f'{PIXELS},"shoe"', f"{PIXELS},coat"))
    (tmp_path / "test.csv").write_text(lines(f"{HEADER},label", f"{PIXELS},hat"))
    data = read(tmp_path)

    assert data.class_names == ("coat", "hat", "shoe")
    assert data.labels["train"].tolist() == [2, 0] and data.labels["test"].tolist() == [1]


def test_an_index_column_is_passed_over(tmp_path):
    """pandas writes its index as a column without a name."""
    (tmp_path / "train.csv").write_text(lines(f",label,{HEADER}", f"0,7,{PIXELS}"))
    data = read(tmp_path)

    assert data.labels["train"].tolist() == [7] and data.images["train"].reshape(-1).tolist() == list(range(16))


def test_three_values_a_pixel_are_colours(tmp_path):
    """2352 columns are 28 x 28 pixels of RGB."""
    names = ",".join(f"pixel{place}" for place in range(2352))
    (tmp_path / "train.csv").write_text(lines(f"{names},label", ",".join(["9"] * 2352) + ",4"))

    assert read(tmp_path).images["train"].shape == (1, 28, 28, 3)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"5,{PIXELS},1", "17 values"),
        ("5,1,2", "2 values"),
        (f"5,{PIXELS}".replace("15", "256"), "16 values"),
        (f"5,{PIXELS}".replace("15", "0.5"), "16 values"),
        (f"5,{PIXELS}".replace("15", "-1"), "16 values"),
        (f"5,{PIXELS}".replace("15", "nan"), "16 values"),
        (f"5,{PIXELS}".replace("15", "x"), "x"),
        (f"5,{PIXELS}".replace("15", "1e400"), "16 values"),
        (f",{PIXELS}", "label"),
        ("\0\0\0", ""),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path, row, reason):
    """The first wrong line of a table, counted from 1 with the header; nothing of the table is used."""
    (tmp_path / "train.csv").write_text(lines(f"label,{HEADER}", *[f"3,{PIXELS}"] * 4, row, f"3,{PIXELS}"))
    data = read(tmp_path)

    error = data.faults["train"]["images"]
    assert "line 6 of train.csv" in error.expected and reason in str(error) and not data.images


def test_a_truncated_gzip_is_a_fault(tmp_path):
    """A download that broke off is not half a table."""
    content = gzip.compress(lines(f"label,{HEADER}", *[f"{row % 10},{PIXELS}" for row in range(500)]).encode())
    (tmp_path / "train.csv.gz").write_bytes(content[: len(content) - 20])
    data = read(tmp_path)

    assert "whole table" in data.faults["train"]["images"].expected and not data.images


def test_the_text_of_a_table_is_capped(tmp_path, monkeypatch):
    """A gzip that unpacks without end is not read to the end."""
    monkeypatch.setattr(csv_table, "MAX_DECOMPRESSED_BYTES", 1000)
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(lines(f"label,{HEADER}", *[f"3,{PIXELS}"] * 500).encode()))

    assert "at most 1000 bytes" in read(tmp_path).faults["train"]["images"].expected


def test_a_line_without_end_is_capped(tmp_path, monkeypatch):
    """One line never fills the memory."""
    monkeypatch.setattr(csv_table, "MAX_LINE_BYTES", 1000)
    (tmp_path / "train.csv").write_text(lines(f"label,{HEADER}", "1," + "0" * 5000))

    assert "lines of at most 1000 bytes" in read(tmp_path).faults["train"]["images"].expected


def test_other_tables_are_not_recognized(tmp_path):
    """A CSV of names and numbers is no dataset of images."""
    (tmp_path / "people.csv").write_text("name,age\nA,3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))

    assert recognize(tmp_path) is None


def test_several_tables_without_a_split_in_their_names_are_refused(tmp_path):
    """Nobody can know which is for training."""
    write_table(tmp_path / "a.csv", 3)
    write_table(tmp_path / "b.csv", 3)
    with pytest.raises(ArrayFileError, match=r"Name them train.csv and test.csv"):
        recognize(tmp_path)
