"""The doctor on images: as silent as on arrays where nothing is wrong, each fault by file and index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.download.download import download_dataset
from components.preprocess.preprocess import preprocess_dataset
from components.validate.validate import validate_dataset
from deep_mnist.contract.load import load_contract
from deep_mnist.doctor.__main__ import main
from deep_mnist.doctor.case import read_splits
from tests.support.image_files import png, write_batch, write_classes, write_digits_shard, write_table

BUILTIN = Path(__file__).parents[3] / "deep_mnist" / "contract" / "builtin"
WRITERS = {
    "classes": lambda folder, split, seed: write_classes(folder / split, 300, seed),
    "table": lambda folder, split, seed: write_table(folder / f"{split}.csv", 300, seed),
    "parquet": lambda folder, split, seed: write_digits_shard(folder / f"{split}-00000-of-00001.parquet", 300, seed),
}


def judge(capsys, *arguments) -> tuple[int, list[dict]]:
    """Return the exit status and the findings that are no notes."""
    status = main([*map(str, arguments), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return status, [each for each in findings if each["severity"] != "note"]


@pytest.mark.parametrize("form", WRITERS)
def test_healthy_images_are_fit(tmp_path, capsys, form):
    """No error and no warning for a network that takes raw pixels with a channel axis."""
    for seed, split in enumerate(("train", "test")):
        WRITERS[form](tmp_path, split, seed)

    assert judge(capsys, tmp_path, "--contract", BUILTIN / "fast.yaml") == (0, [])


def test_one_file_is_judged(tmp_path, capsys):
    """A table need not lie in a folder of its own."""
    write_table(tmp_path / "digits.csv.gz", 300)

    assert judge(capsys, tmp_path / "digits.csv.gz")[0] == 0


def test_cifar_for_a_network_of_grey_digits_is_unfit(tmp_path, capsys):
    """Colours of 32 x 32 are reported as the shape that they are."""
    write_batch(tmp_path / "data_batch_1", 40)
    status, findings = judge(capsys, tmp_path, "--contract", BUILTIN / "fast.yaml")

    assert status == 1 and any("32" in each["received"] for each in findings if each["field"].startswith("images."))


def test_an_unreadable_image_and_mixed_sizes_are_findings(tmp_path, capsys):
    """Each names its split, the first files and their indices; nothing else is reported."""
    write_classes(tmp_path / "train", 300)
    write_classes(tmp_path / "test", 300, seed=1)
    (tmp_path / "train" / "0" / "zz.png").write_bytes(png(np.zeros((20, 28), np.uint8)))
    (tmp_path / "train" / "1" / "zz.png").write_bytes(png(np.zeros((28, 28, 3), np.uint8)))
    (tmp_path / "test" / "2" / "zz.png").write_bytes(b"")
    status, findings = judge(capsys, tmp_path, "--contract", BUILTIN / "fast.yaml")

    reported = {each["field"]: each for each in findings}
    assert status == 1 and sorted(reported) == ["files.test_images", "images.layout", "images.shape"]
    assert reported["images.shape"]["where"] == [30] and "0/zz.png (index 30)" in reported["images.shape"]["received"]
    assert (
        reported["images.layout"]["where"] == [61]
        and "1/zz.png (index 61): RGB" in reported["images.layout"]["received"]
    )
    assert reported["files.test_images"]["where"] == [90]


@pytest.mark.parametrize("name", ["fast", "example2"])
def test_the_pipeline_tells_the_same_of_unreadable_images(tmp_path, name):
    """What download could not read, validate reports, and nothing that only follows from it."""
    write_classes(tmp_path / "own" / "train", 100)
    write_classes(tmp_path / "own" / "test", 50, seed=1)
    (tmp_path / "own" / "test" / "2" / "zz.png").write_bytes(b"")
    download_dataset(str(tmp_path / "own"), tmp_path / "raw")
    preprocess_dataset(tmp_path / "raw", load_contract(BUILTIN / f"{name}.yaml"), tmp_path / "data")
    diagnosis = validate_dataset(tmp_path / "data")

    errors = [each for each in diagnosis.findings if each.severity != "note"]
    assert [each.field for each in errors] == ["files.test_images"]
    assert errors[0].where == (15,) and "2/zz.png (index 15)" in errors[0].received


def test_class_names_reach_the_dataset(tmp_path):
    """The manifest that preprocess writes keeps them."""
    write_classes(tmp_path / "own" / "train", 100)
    download_dataset(str(tmp_path / "own"), tmp_path / "raw")
    dataset = preprocess_dataset(tmp_path / "raw", load_contract(BUILTIN / "fast.yaml"), tmp_path / "data")

    assert dataset.class_names == tuple("0123456789")


def test_a_faults_file_of_another_making_is_a_fault_itself(tmp_path):
    """What nobody of ours wrote is not believed."""
    (tmp_path / "faults.json").write_text('{"train": {"images": 3}}')

    assert "faults.json" in read_splits(tmp_path)["train"].faults["images"].expected
