"""What `pip install .` gives: the library alone, which judges data without TensorFlow and kfp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.doctor_cases import digits

ROOT = Path(__file__).resolve().parents[2]


def succeed(*command: object, cwd: Path) -> str:
    """Run a command that knows nothing of this tree and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    succeed(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("deep_mnist-*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    """Every file of deep_mnist/ is in the wheel, data files too, and nothing of the steps and the wiring."""
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    library = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "deep_mnist").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == library
    assert {"deep_mnist/contract/builtin/fast.yaml", "deep_mnist/doctor/judge.py"} <= packed


@pytest.mark.slow
def test_the_installed_library_judges_a_folder(wheel: Path, tmp_path: Path) -> None:
    """In an empty virtual environment the wheel brings what the doctor needs, and neither TensorFlow nor kfp."""
    succeed(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    succeed(*pip, "install", "--quiet", "--no-compile", wheel, cwd=tmp_path)
    installed = {each["name"] for each in json.loads(succeed(*pip, "list", "--format=json", cwd=tmp_path))}
    assert "deep-mnist" in installed and not {"tensorflow", "tensorflow-cpu", "keras", "kfp"} & installed

    digits().write(tmp_path / "fit")
    reports = ("--html", "fit.html", "--markdown", "fit.md")
    diagnosis = json.loads(succeed(python, "-m", "deep_mnist.doctor", "fit", "--json", *reports, cwd=tmp_path))
    assert diagnosis["verdict"] == "fit"
    assert "<html" in (tmp_path / "fit.html").read_text()

    digits().change(lambda images: 1 - images, "test_images").write(tmp_path / "unfit")
    for line in ("import keras", "from keras.models import Sequential", "from tensorflow.keras import layers"):
        (tmp_path / "train.py").write_text(f"{line}\n")
        ended = subprocess.run(
            [python, "-m", "deep_mnist.doctor", "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 2 and "E003 " in ended.stderr, ended.stderr
        assert ended.stderr.endswith("Fix: pip install tensorflow\n")

    command = tmp_path / "env/bin/deep-mnist-doctor"
    ended = subprocess.run([command, "unfit"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "images.polarity" in ended.stdout, ended.stderr
