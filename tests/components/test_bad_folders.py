"""No data of a user ends in a traceback of ours: bad folders of every format, through the steps that read them."""

from __future__ import annotations

import pytest

from components.download.component import download
from components.download.download import download_dataset
from components.preprocess.preprocess import preprocess_dataset
from components.validate.validate import validate_dataset
from components.verdict import write_reports
from deep_mnist.contract.load import resolve_contract
from deep_mnist.errors import advice_of
from tests.support.bad_folders import mutations
from tests.support.bad_folders.mutation import BASES
from tests.support.executor import execute_component

SEED = 20261128
MUTATIONS = mutations(SEED)
NETWORKS = ("fast", "example2")  # one takes raw bytes, one floats and one-hot labels


def outcome(mutation, folder, network: str) -> str:
    """Return "fit", "findings", or the one line with which a step refuses; anything else is raised."""
    own = mutation.write(folder / "own")
    try:
        download_dataset(str(own), folder / "raw")
        preprocess_dataset(folder / "raw", resolve_contract(network), folder / "data")
        diagnosis = validate_dataset(folder / "data")
    except Exception as error:
        advice = advice_of(error)
        if advice is None or not (advice.expected and advice.received and advice.fix):
            raise AssertionError(f"{mutation}: {type(error).__name__}: {error}") from error
        return f"refused: {error}"
    reports = (folder / name for name in ("findings.json", "report.html", "summary.md"))
    write_reports(diagnosis, *reports, step="validate")
    return "findings" if diagnosis.errors else "fit"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("base", BASES)
def test_bad_folders_are_found_or_refused(tmp_path, base):
    """Each of some sixty mutations of a format, written and random: findings, one clear line, or fit after all."""
    mine = [each for each in MUTATIONS if each.base == base]
    outcomes = {
        each.name: outcome(each, tmp_path / str(number), NETWORKS[number % 2]) for number, each in enumerate(mine)
    }

    assert len(outcomes) >= 30 and len(MUTATIONS) >= 500
    assert [name for name, said in outcomes.items() if said.startswith("refused") and "Traceback" in said] == []
    assert "findings" in outcomes.values()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        "npy: test images missing", "npy: test labels missing", "npy: labels one short", "npy: a link to nowhere",
        "npy: a folder in its place", "idx: a link to nowhere", "csv: an empty file", "csv: a pointer of Git LFS",
        "csv: a link to nowhere", "csv: a folder in its place", "npy: as many pixels in another shape",
    ],
)  # fmt: skip
def test_half_a_split_is_not_left_out(tmp_path, name):
    """A test split that is there by its name, and cannot be read, is not replaced by one drawn from training."""
    (mutation,) = (each for each in MUTATIONS if each.name == name)

    assert outcome(mutation, tmp_path, "fast") != "fit"


def test_other_tables_beside_the_data_are_passed_over(tmp_path):
    """A table that is no split's, or has no labels, as Kaggle's test.csv, is no broken split."""
    mutation = next(each for each in MUTATIONS if each.name == "csv: no test")
    own = mutation.write(tmp_path / "own")
    for name in ("sample_submission.csv", "test_ids.csv", "train_notes.csv"):
        (own / name).write_text("ImageId,Comment\n1,none\n")
    lines = (own / "train.csv").read_text().splitlines()
    (own / "test.csv").write_text("\n".join(line.partition(",")[2] for line in lines) + "\n")
    made = download_dataset(str(own), tmp_path / "raw")

    assert set(made.files) == {"train_images.npy", "train_labels.npy"}


@pytest.mark.usefixtures("fresh_processes")
def test_a_refused_folder_ends_the_step_with_status_1_and_one_line(tmp_path):
    """As kfp's executor runs it: the documented status, no traceback, and the failure for the run's last line."""
    (mutation,) = (each for each in MUTATIONS if each.name == "npy: a link to nowhere")
    own = mutation.write(tmp_path / "own")
    (tmp_path / "step").mkdir()
    done = execute_component(tmp_path / "step", download, {"dataset": str(own), "dataset_digest": ""})

    assert done.status == 1 and "Traceback" not in done.log
    assert done.failure is not None and done.failure.foreseen
    assert "Received: a link to nothing" in done.failure.message
