"""The doctor's command line, its reports, and the pipeline's two steps."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.validate.component import require_valid, validate
from components.validate.validate import validate_dataset
from components.verdict import InvalidDataError, require_fit
from deep_mnist.contract.folder import write_contract
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import Dataset, DatasetError, Preprocessing, seal_dataset, write_dataset
from deep_mnist.doctor.__main__ import main
from deep_mnist.doctor.report.render import as_html, as_json, as_markdown
from tests.support.artifacts import Artifact
from tests.support.digits import draw_digits, write_idx_folder
from tests.support.doctor_cases import digits, graver
from tests.support.keras_models import classifier, layer, write_keras

ROOT = Path(__file__).resolve().parents[3]


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deep_mnist.doctor", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def doctor_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As `doctor`, in this process: for many cases of what other tests do in a process of its own."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main([*map(str, arguments)])
        except SystemExit as ended:
            status = ended.code
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def inverted_test(folder: Path) -> Path:
    return digits().change(lambda images: 1 - images, "test_images").write(folder)


def dataset(folder: Path, network: str = "fast", **changes: object) -> Dataset:
    """Write what preprocess writes for the network `fast`, said to be for `network`."""
    arrays = {}
    for seed, (split, count) in enumerate({"train": 300, "validation": 60, "test": 100}.items()):
        images, labels = draw_digits(count, seed)
        arrays |= {f"{split}_images": images[..., np.newaxis], f"{split}_labels": labels.astype(np.int32)}
    record = Preprocessing("digits", "channels_last", (28, 28, 1), "uint8", 1.0, 0.0, "sparse", 10)
    write_contract(folder, resolve_contract(network))
    return write_dataset(folder, arrays, replace(record, **changes))


# --- the command line ------------------------------------------------------------------------------


def test_fit_data_exit_with_0(tmp_path):
    """A fit folder prints its verdict and exits with 0."""
    ended = doctor(digits().write(tmp_path))

    assert ended.returncode == 0, ended.stderr
    assert f"  train_images  float32 (400, 28, 28, 1)     from {tmp_path}\n" in ended.stdout
    assert "fit" in ended.stdout


def test_unfit_data_exit_with_1_and_json(tmp_path):
    """--json prints one object of the agreed form, and nothing else."""
    ended = doctor(inverted_test(tmp_path), "--json")

    reported = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (reported["verdict"], ended.stderr) == ("unfit", "")
    assert isinstance(reported["seconds"], float)
    assert {"images.distribution", "images.polarity"} == {each["field"] for each in reported["findings"]}
    expected = {"rule", "name", "field", "severity", "split", "expected", "received", "where", "fix", "why"}
    assert all(set(each) == expected for each in reported["findings"])


def test_the_text_names_the_fix(tmp_path):
    """The text for a terminal tells field, expected, received and fix."""
    text = doctor(inverted_test(tmp_path)).stdout

    for word in ("images.polarity", "expected", "received", "test_images = 1 - test_images", "unfit: 2 errors"):
        assert word in text


def test_reports_are_written_to_files(tmp_path):
    """--html and --markdown write files beside what is printed."""
    doctor(inverted_test(tmp_path / "case"), "--html", tmp_path / "r.html", "--markdown", tmp_path / "r.md")

    assert "data:image/png" in (tmp_path / "r.html").read_text()
    assert "images.polarity" in (tmp_path / "r.md").read_text()


def test_an_empty_path_is_not_the_folder_where_one_stands():
    """As make gives it without SCRIPT and DIR."""
    ended = doctor_here("")

    assert ended.returncode == 2 and "expected a path" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nonexistent"], "Expected a folder"),
        (["EMPTY"], "Expected train_images.npy"),
        (["CASE", "--model", "none.keras"], "Expected a model"),
        (["CASE", "--contract", "broken.yaml"], "contract fields"),
        (["CASE", "--classes", "ten"], "number of classes"),
        (["CASE", "--html", "/nonexistent/r.html"], "No such file"),
        (["CASE", "--model", "a", "--contract", "b"], "not allowed"),
        ([], "folder"),
    ],
)
def test_what_is_not_usable_exits_with_2(tmp_path, arguments, words):
    """Bad usage and nothing readable to judge exit with 2 and one clear line."""
    digits().write(tmp_path / "CASE")
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "broken.yaml").write_text("shape: 3")
    places = [str(tmp_path / each) if (tmp_path / each).exists() else each for each in arguments]

    ended = doctor_here(*places)

    assert ended.returncode == 2
    assert words in ended.stderr


@pytest.mark.parametrize("arguments", [["/nonexistent"], []])
def test_the_process_ends_with_2_and_without_a_traceback(arguments):
    """The command's status is that of its process, and nothing but its own words is said."""
    ended = doctor(*arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "folder" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "content", ["[1]", "{", '{"loss": 3}', '{"num_classes": true}', '{"fit": []}', '{"from_logits": 1}']
)
def test_a_damaged_contract_json_exits_with_2(tmp_path, content):
    """contract.json of another form is reported, not guessed at."""
    (digits().write(tmp_path) / "contract.json").write_text(content)

    ended = doctor_here(tmp_path)

    assert ended.returncode == 2
    assert "contract.json" in ended.stderr


def test_options_win_over_the_folder(tmp_path):
    """--loss, --from-logits and --classes replace what the folder tells."""
    folder = digits().write(tmp_path)

    reported = json.loads(doctor_here(folder, "--loss", "categorical_crossentropy", "--from-logits", "--json").stdout)

    assert {"labels.encoding", "contract.from_logits"} == {each["field"] for each in reported["findings"]}


def test_no_tensorflow_is_imported(tmp_path):
    """Neither the checks, nor a report, nor the contract of a .keras file import TensorFlow, Keras or kfp."""
    folder = inverted_test(tmp_path)
    program = (
        "import sys; from deep_mnist.doctor.__main__ import main; "
        f"main([{str(folder)!r}, '--html', {str(tmp_path / 'r.html')!r}, '--markdown', {str(tmp_path / 'r.md')!r}]); "
        "print('loaded', sorted({'tensorflow', 'keras', 'kfp', 'google.cloud'} & set(sys.modules)))"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    assert ended.stdout.splitlines()[-1] == "loaded []"


# --- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train_images.npy", b"<html>403 Forbidden</html>", "web page"),
        ("train_labels.npy", b"", "empty"),
        ("test_images.npy", None, "no such file"),
        ("test_labels.npy", b"\x93NUMPY\1\0", "end of the file"),
    ],
    ids=["web page", "empty", "missing", "cut short"],
)
def test_a_damaged_file_is_reported_by_its_slot(tmp_path, name, content, words):
    """Each damaged file is one error with the field of its slot; the other arrays are judged all the same."""
    folder = digits().write(tmp_path)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)

    reported = json.loads(doctor_here(folder, "--json").stdout)["findings"]

    assert [each["field"] for each in reported] == [f"files.{name[:-4]}"]
    assert reported[0]["split"] == name.partition("_")[0]
    assert words in reported[0]["received"]


def test_a_header_read_as_pixels_is_reported(tmp_path):
    """An IDX file read from its first byte puts 0 0 8 3 into the first image."""
    case = digits()
    header = np.array([0, 0, 8, 3, 0, 0, 1, 144, 0, 0, 0, 28, 0, 0, 0, 28], np.float32) / 255

    def shifted(images: np.ndarray) -> np.ndarray:
        return np.concatenate([header, images.reshape(-1)])[: images.size].reshape(images.shape)

    assert ("files.train_images", "error", "train") in graver(case.change(shifted, "train_images").judged(tmp_path))


def test_a_damaged_idx_download_is_reported(tmp_path):
    """A gzip file cut short is an error of its file, and the test split is judged by itself."""
    write_idx_folder(tmp_path, train=100, test=40)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    write_keras(
        tmp_path / "model.keras",
        classifier(layer("Rescaling", scale=1 / 255, offset=0)),
        "sparse_categorical_crossentropy",
    )

    reported = json.loads(doctor_here(tmp_path, "--json").stdout)["findings"]

    assert [each["field"] for each in reported] == ["files.train_images"]
    assert "end-of-stream" in reported[0]["received"]


# --- the reports -----------------------------------------------------------------------------------


def test_the_page_draws_the_offending_images(tmp_path):
    """The page shows the first bad images with their labels, and asks nothing of any other address."""
    case = digits()
    images = case.arrays["train_images"].copy()
    images[[5, 17]] = np.nan
    page = as_html(case.with_arrays(train_images=images).judged(tmp_path))

    assert re.findall(r"<figcaption>(train \d+): \d</figcaption>", page) == ["train 5", "train 17"]
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")


def test_markup_in_the_data_stays_text(tmp_path):
    """Labels that look like markup or terminal codes are quoted in every report."""
    evil = np.array(["<script>alert(1)</script>\x1b[31m"] * 400)
    diagnosis = digits().with_arrays(train_labels=evil).judged(tmp_path)

    assert "<script>alert" not in as_html(diagnosis)
    assert "<script>alert" not in as_markdown(diagnosis)
    assert "\x1b" not in as_html(diagnosis) + as_markdown(diagnosis) + as_json(diagnosis)
    assert "\x1b" not in doctor(tmp_path).stdout


# --- the pipeline's steps --------------------------------------------------------------------------


def test_a_dataset_of_preprocess_is_fit(tmp_path):
    """What preprocess writes for a network passes, its validation split included."""
    dataset(tmp_path)

    diagnosis = validate_dataset(tmp_path)

    assert (diagnosis.verdict, graver(diagnosis)) == ("fit", [])
    assert set(diagnosis.case.splits) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dtype": "float32"}, "images.dtype"),
        ({"scale": 1 / 255}, "images.range"),
        ({"image_shape": (28, 28)}, "images.shape"),
        ({"label_encoding": "one_hot"}, "labels.encoding"),
        ({"num_classes": 26}, "labels.values"),
    ],
)
def test_a_record_that_contradicts_the_data_is_reported(tmp_path, changes, field):
    """Serving is built from the record, so data, record and contract must agree."""
    dataset(tmp_path, **changes)

    diagnosis = validate_dataset(tmp_path)

    assert (field, "error", "both") in graver(diagnosis)


def test_a_validation_split_of_too_few_examples_is_told_as_that(tmp_path):
    """What preprocess held out is empty because there was too little, and not by a wrong path."""
    written = dataset(tmp_path)
    arrays = {path[:-4]: np.load(tmp_path / path) for path in written.files if path.endswith(".npy")}
    empty = {name: arrays[name][:0] for name in ("validation_images", "validation_labels")}
    write_dataset(tmp_path, {**arrays, **empty}, written.record)

    found = [each for each in validate_dataset(tmp_path).findings if each.rule.code == "I010"]

    assert [(each.split, "of 300 none was left to hold out" in each.fix) for each in found] == [("validation", True)]


def test_a_fault_of_the_validation_split_is_reported(tmp_path):
    """The validation split is judged like the others."""
    written = dataset(tmp_path)
    labels = np.array(written.labels("validation"))
    labels[4] = 77
    arrays = {path[:-4]: np.load(tmp_path / path) for path in written.files if path.endswith(".npy")}
    write_dataset(tmp_path, {**arrays, "validation_labels": labels}, written.record)

    assert graver(validate_dataset(tmp_path)) == [("labels.values", "error", "validation")]


def test_raw_pixels_for_example1_are_refused(tmp_path):
    """The seed document's Example 1 feeds raw bytes to a network without a Rescaling layer."""
    images, labels = draw_digits(300)
    record = Preprocessing("digits", "rows_columns", (28, 28), "uint8", 1.0, 0.0, "sparse", 10)
    write_contract(tmp_path, resolve_contract("example1"))
    write_dataset(tmp_path, {"train_images": images, "train_labels": labels}, record)

    reported = graver(validate_dataset(tmp_path))

    assert {("images.dtype", "error", "train"), ("images.range", "error", "train")} == set(reported)


def run_steps(folder: Path, accept: Sequence[dict] = ()) -> str:
    outputs = {name: Artifact(folder / "out" / name) for name in ("findings", "report", "summary")}
    found = validate.python_func(dataset=Artifact(folder), accept=list(accept), ignore=[], rules="", **outputs)
    assert Path(outputs["report"].path).read_text().startswith("<!doctype html>")
    assert Path(outputs["summary"].path).read_text().startswith(f"# Data verdict: {found.verdict}")
    return require_valid.python_func(findings=outputs["findings"], verdict=found.verdict)


def test_the_steps_let_fit_data_pass(tmp_path):
    """validate writes its three reports and require_valid returns the token that train waits for."""
    dataset(tmp_path)

    assert run_steps(tmp_path) == "fit"


def test_the_steps_stop_unfit_data_with_every_error(tmp_path):
    """validate succeeds and leaves its reports; require_valid fails and tells all errors."""
    dataset(tmp_path, "example2")

    with pytest.raises(InvalidDataError, match=r"(?s)images.dtype.*Expected:.*Received:.*Fix:.*images.range") as caught:
        run_steps(tmp_path)

    assert "labels.encoding" in str(caught.value)
    assert (tmp_path / "out" / "report").is_file()


def test_what_a_person_accepts_does_not_stop_the_steps(tmp_path):
    """An acceptance of every error lets train start, and the report keeps the findings with the reason."""
    dataset(tmp_path, scale=1 / 255)
    with pytest.raises(InvalidDataError, match=r"images\.range"):
        run_steps(tmp_path)
    accepted = [{"field": "images.range", "because": "the camera's own scale"}]

    assert run_steps(tmp_path, accepted) == "fit"
    assert "the camera&#39;s own scale" in (tmp_path / "out" / "report").read_text()


def test_a_dataset_without_its_contract_is_refused(tmp_path):
    """What preprocess did not finish, or another step changed, is not judged."""
    dataset(tmp_path)
    (tmp_path / "contract.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"contract.json.*Rerun preprocess"):
        validate_dataset(tmp_path)
    seal_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"the whole contract.*rerun preprocess"):
        validate_dataset(tmp_path)


def test_the_doctor_judges_a_dataset_of_the_pipeline(tmp_path):
    """A dataset's folder brings its whole contract, so that the command needs no model."""
    dataset(tmp_path, "example2")
    ended = doctor(tmp_path, "--json")

    assert ended.returncode == 1
    assert "images.dtype" in {finding["field"] for finding in json.loads(ended.stdout)["findings"]}


@pytest.mark.parametrize(("findings", "verdict"), [([], "unfit"), ([{"severity": "error"}], "fit")])
def test_a_contradictory_verdict_does_not_pass(findings, verdict):
    """Only a fit verdict without errors lets train start."""
    filled = [{"field": "f", "split": "s", "expected": "e", "received": "r", "fix": "x", **each} for each in findings]

    with pytest.raises(InvalidDataError):
        require_fit(filled, verdict)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's most resident memory")
def test_memory_does_not_follow_the_file(tmp_path):
    """A file of 300 MB is judged in less than 150 MB."""
    for split, count in (("train", 90_000), ("test", 10_000)):
        images = np.lib.format.open_memmap(tmp_path / f"{split}_images.npy", "w+", np.float32, (count, 28, 28, 1))
        drawn, labels = draw_digits(500, seed=count)
        images[:500] = drawn[..., np.newaxis] / np.float32(255)
        for start in range(500, count, 500):
            images[start : start + 500] = np.roll(images[start - 500 : start], 1, axis=2)
        np.save(tmp_path / f"{split}_labels.npy", np.tile(labels, count // 500))
        del images
    write_keras(tmp_path / "model.keras", classifier(), "sparse_categorical_crossentropy")
    program = (
        f"from deep_mnist.doctor.__main__ import main; main([{str(tmp_path)!r}, '--json']); "
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(ended.stdout.splitlines()[-1]) < 150 * 1024
