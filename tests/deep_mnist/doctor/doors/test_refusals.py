"""What is told where a program was named in another way than it runs: one line, with what to type."""

from __future__ import annotations

import pytest

from tests.support.doctor_commands import doctor, doctor_here


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with a script, a package with a relative import, and scripts that end early."""
    package = tmp_path / "package"
    (package / "below").mkdir(parents=True)
    for folder in (package, package / "below"):
        (folder / "__init__.py").touch()
    (package / "below" / "train.py").write_text("from ..data import x\n")
    (package / "data.py").write_text("x = 1\n")
    (tmp_path / "train.py").write_text("import sys\n")
    (tmp_path / "asks.py").write_text("import sys\ncount = int(input())\n")
    (tmp_path / "open.py").write_text("import sys\nx = (1,\n     2\nprint(x)\n")
    (tmp_path / "old.py").write_text("import sys\nprint 'two'\n")
    (tmp_path / "library.py").write_text("raise ImportError('libcudart.so.11: cannot open shared object file')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train.py", "--epochs", "5"], "python -m deep_mnist.doctor train.py -- --epochs 5"),
        (["train.py", "--json", "--epochs", "5", "--", "x y"], "train.py --json -- --epochs 5 'x y'"),
        (["-m", "package.below.train", "5"], "python -m deep_mnist.doctor -m package.below.train -- 5"),
        (["train.py", "--rehearze"], "--rehearse"),
        (["package", "package/below"], "Expected one folder or file"),
        (["train.py", "--model", "resnet"], "train.py -- --model resnet"),
        (["train.py", "--cell", "3"], "--cell is for a notebook"),
        (["train.py", "--data", "x"], "--data, which a program has of its own"),
        (["trian.py"], "train.py"),
        (["nowhere/train.py"], "the folder nowhere does not exist"),
        (["package.below.train"], "python -m deep_mnist.doctor -m package.below.train"),
        (["package"], "-m package.MODULE"),
        (["-m", "package/below/train.py"], "dots between the names"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_wrong_line_is_answered_with_the_one_to_type(arguments, words):
    """Nothing is run, and one line says it."""
    ended = doctor_here(*arguments)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("doctor: Expected") and ended.err.count("\n") == 1 and words in ended.err


@pytest.mark.parametrize(
    ("arguments", "words", "never"),
    [
        (["package/below/train.py"], "Fix: python -m deep_mnist.doctor -m package.below.train", "pip install"),
        (["-m", "package.below.nothing"], "Expected a module package.below.nothing", "Traceback"),
        (["-m", "package.below.train"], "ended by its last line", "Traceback"),
        (["asks.py"], "Expected standard input", "pip install"),
        (["open.py"], "'(' was never closed in line 2", "2to3"),
        (["old.py"], "print('two')", "pip install"),
        (["library.py"], "libcudart.so.11", "pip install"),
    ],
)
def test_a_program_that_ends_early_is_told_why(project, arguments, words, never):
    """By the real command, without standard input."""
    ended = doctor(*arguments, folder=project)

    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err and never not in ended.err


def test_a_script_in_the_working_directory_of_a_package_is_told_its_module(project):
    """Named without a folder, where __init__.py makes it a package's: it ends."""
    ended = doctor("train.py", folder=project / "package" / "below")

    assert ended.status == 2 and "python -m deep_mnist.doctor -m package.below.train" in ended.err
