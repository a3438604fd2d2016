"""Image folders, tables and Parquet become shards with the examples that the readers of whole sets give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.shards.from_files import shard_files
from deep_mnist.data.shards.reading import examples
from deep_mnist.data.sources import recognize
from tests.support.digits import draw_digits

ROOT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.slow  # each starts processes


def write_folders(folder: Path) -> Path:
    images, labels = draw_digits(60, 0)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "train" / f"digit-{label}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def write_table(folder: Path) -> Path:
    folder.mkdir()
    for split, count, seed in (("train", 60, 0), ("test", 12, 1)):
        images, labels = draw_digits(count, seed)
        lines = [",".join(map(str, [label, *image.reshape(-1)])) for image, label in zip(images, labels, strict=True)]
        header = ",".join(["label", *(f"pixel{place}" for place in range(784))])
        (folder / f"{split}.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def write_parquet(folder: Path) -> Path:
    import io

    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet as write

    folder.mkdir()
    images, labels = draw_digits(60, 0)
    for part in range(3):
        contents = []
        for image in images[part * 20 : part * 20 + 20]:
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG")
            contents.append(stream.getvalue())
        numbers = Array(labels[part * 20 : part * 20 + 20].tolist(), DataType.int64())
        table = Table.from_pydict({"image": Array(contents, DataType.binary()), "label": numbers})
        write(table, folder / f"train-0000{part}.parquet")
    return folder


def rows(images, labels):
    return sorted(image.tobytes() + int(label).to_bytes(2) for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize("write", [write_folders, write_table, write_parquet])
def test_shards_hold_what_the_whole_set_holds(tmp_path, write):
    """Every example lies in one of the shards, once, and no shard holds more than the limit."""
    source = write(tmp_path / "source")
    whole = recognize(source)()
    made = shard_files(source, str(tmp_path / "store"), shard_bytes=12_000, workers=2)

    for split, images in whole.images.items():
        found = [records for _, records in examples(made, split)]
        assert rows(*(np.concatenate([each[part] for each in found]) for part in ("image", "label"))) == rows(
            images, whole.labels[split]
        )
        assert all(len(each) * (784 + 8) <= 12_000 for each in found)
    assert made.class_names == whole.class_names


def test_image_files_are_mixed_before_they_are_dealt(tmp_path):
    """A shard holds many classes, though the folders hold one each."""
    made = shard_files(write_folders(tmp_path / "source"), str(tmp_path / "store"), shard_bytes=16_000, workers=1)

    assert all(len(shard.classes) > 4 for shard in made.splits["train"])


def test_the_command_goes_on_where_it_stopped_and_names_what_it_cannot_read(tmp_path):
    """A file that is no image ends it; once that is mended, what was done is kept."""
    source = write_folders(tmp_path / "source")
    broken = sorted(source.rglob("*.png"))[7]
    content = broken.read_bytes()
    broken.write_bytes(b"no image")
    command = [sys.executable, "-m", "deep_mnist.data.shards", source, tmp_path / "store", "--shard-bytes", "8000"]
    first = subprocess.run([*command, "--workers", "1"], cwd=ROOT, capture_output=True, text=True)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("train-*.npy")}
    broken.write_bytes(content)
    second = subprocess.run([*command, "--workers", "1"], cwd=ROOT, capture_output=True, text=True)

    assert first.returncode == 2
    assert broken.name in first.stderr
    assert second.returncode == 0, second.stderr
    assert "train 60 examples" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not (tmp_path / "store" / "progress").exists()


def test_the_command_says_that_a_source_is_not_there(tmp_path):
    command = [sys.executable, "-m", "deep_mnist.data.shards", tmp_path / "none", tmp_path / "store"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"shards: Expected a folder or file at {tmp_path / 'none'}. Received: nothing.")


def test_a_compressed_table_is_told_to_be_unpacked(tmp_path):
    """Of gzip no part can be read without all before it."""
    import gzip

    source = write_table(tmp_path / "source")
    with gzip.open(source / "train.csv.gz", "wb") as stream:
        stream.write((source / "train.csv").read_bytes())
    (source / "train.csv").unlink()

    with pytest.raises(ArrayFileError, match=r"gunzip -k train\.csv\.gz"):
        shard_files(source, str(tmp_path / "store"))
