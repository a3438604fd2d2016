"""`python -m pipeline run` on images: nothing of the pipeline needs to know in which format they came."""

from __future__ import annotations

import numpy as np
import pytest

from deep_mnist.data.dataset import open_dataset
from tests.support.image_files import png, write_batch, write_classes, write_digits_shard
from tests.support.runs import run_pipeline

pytestmark = pytest.mark.usefixtures("fresh_processes")

pytestmark = pytest.mark.slow
SHORT = ("--network", "example2", "--epochs", 1)
STEPS = ("download", "preprocess", "validate", "require-valid", "train", "evaluate", "publish")


def states(ended) -> dict[str, str]:
    return {event["task"]: event["state"] for event in ended.events() if event["event"] == "end"}


@pytest.mark.parametrize("form", ["classes", "parquet"])
def test_images_go_the_whole_way(tmp_path, form):
    """From files to an evaluated model, with the class names in the dataset; one epoch need not be good enough."""
    for seed, (split, count) in enumerate((("train", 400), ("test", 100))):
        if form == "classes":
            write_classes(tmp_path / "own" / split, count, seed)
        else:
            write_digits_shard(tmp_path / "own" / "data" / f"{split}-00000-of-00001.parquet", count, seed)
    ended = run_pipeline(tmp_path, "--dataset", "own", *SHORT)

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert ended.last.startswith(("PUBLISHED version=1 accuracy=", "NOT PROMOTED accuracy="))
    assert [states(ended)[step] for step in STEPS] == ["done"] * len(STEPS)
    (manifest,) = (each for each in ended.folder.rglob("manifest.json") if each.with_name("contract.json").is_file())
    dataset = open_dataset(manifest.parent)
    assert len(dataset.class_names) == 10 and dataset.images("test").shape == (100, 28, 28, 1)


def test_unreadable_images_end_a_run_with_their_names(tmp_path):
    """The run fails at the gate, not in the download; the report names the file and its index."""
    write_classes(tmp_path / "own" / "train", 100)
    (tmp_path / "own" / "train" / "3" / "zz.png").write_bytes(b"")
    (tmp_path / "own" / "train" / "4" / "zz.png").write_bytes(png(np.zeros((9, 9), np.uint8)))
    ended = run_pipeline(tmp_path, "--dataset", "own", *SHORT)

    assert ended.status == 1 and ended.last.startswith("FAILED step=validate findings=2")
    report = ended.report.read_text()
    assert "3/zz.png (index 40)" in report and "4/zz.png (index 51)" in report


def test_a_image_that_changed_is_read_again(tmp_path):
    """Files in folders below count in what identifies the data."""
    write_batch(tmp_path / "own" / "cifar-10-batches-py" / "data_batch_1")
    first = run_pipeline(tmp_path, "--dataset", "own", *SHORT)
    second = run_pipeline(tmp_path, "--dataset", "own", *SHORT)
    write_batch(tmp_path / "own" / "cifar-10-batches-py" / "data_batch_1", seed=1)
    third = run_pipeline(tmp_path, "--dataset", "own", *SHORT)

    assert [states(each)["download"] for each in (first, second, third)] == ["done", "cached", "done"]
