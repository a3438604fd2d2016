"""Notebooks of different habits, run as IPython runs them up to their first fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.doctor.script.notebook import without_installs
from tests.support.digits import draw_digits
from tests.support.doctor_commands import Ended, doctor, doctors
from tests.support.doors import write_notebook

LOAD = "import numpy as np, keras\ndata = np.load('digits.npz')\nx = data['x_train']\ny = data['y_train']"
NETWORK = (
    "model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), "
    "keras.layers.Dense(10, activation='softmax')])\n"
    "model.compile('adam', 'sparse_categorical_crossentropy')"
)
FIT = "print('before')\nmodel.fit(x, y, epochs=2)\nprint('after')"
pytestmark = pytest.mark.usefixtures("fresh_processes")


def write_notebooks(folder: Path) -> None:
    """Write the habits: magics and await; another order; an old format; Colab's; helpers and functions; failures."""
    magics = ["%%time\n" + LOAD, "import asyncio\nawait asyncio.sleep(0)\n!echo from the shell\ndisplay(x.shape)"]
    write_notebook(folder / "magics.ipynb", [*magics, "%time scaled = x / 255\n" + NETWORK, FIT], [1, 2, 3, 4])
    write_notebook(folder / "timed.ipynb", [LOAD, NETWORK, "%%time\n\nh = model.fit(x, y, epochs=2)"], [1, 2, 3])
    write_notebook(folder / "time.ipynb", [LOAD, NETWORK, "\n%time h = model.fit(x, y, epochs=2)"], [1, 2, 3])
    write_notebook(folder / "order.ipynb", [LOAD, NETWORK, FIT], [5, 9, 2])
    old = {"cell_type": "code", "language": "python", "outputs": []}
    cells = [{**old, "input": text.splitlines(True), "prompt_number": 1} for text in (LOAD, NETWORK, FIT)]
    stated = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    (folder / "old.ipynb").write_text(json.dumps(stated))
    kernel = {"kernelspec": {"name": "conda-env-tf", "language": "python"}, "language_info": {"version": "3.8.10"}}
    installs = "%%capture\n!pip install -q no_such_package_here\n%pip install --upgrade keras"
    write_notebook(folder / "colab.ipynb", [installs, LOAD, NETWORK, FIT], [1, 2, 3, 4], **kernel)
    helper = "%%writefile helper.py\ndef scale(x):\n    return x / 255.0"
    train = "def train(images, labels):\n    return model.fit(images, labels, epochs=1)"
    write_notebook(folder / "functions.ipynb", [helper, "from helper import scale\n" + LOAD, NETWORK, train,
                                                "x = scale(x)\nh = train(x, y)\nh.history['loss']"])  # fmt: skip
    parts = "x_test, y_test = x[500:], y[500:]\nx, y = x[:500] / 255, y[:500]"
    behind = "%matplotlib inline\nmodel.evaluate(x_test, y_test)"
    write_notebook(folder / "tested.ipynb", [LOAD, parts, NETWORK, "model.fit(x, y, epochs=2)", behind])
    write_notebook(folder / "curves.ipynb", [LOAD, NETWORK, "h = model.fit(x / 255, y)", "!ls\nh.history['acc']"])
    write_notebook(folder / "fails.ipynb", ["import numpy as np", "a = np.zeros(3)\n\na.reshape(2, 2)"], [1, 2])
    write_notebook(
        folder / "moved.ipynb", ["import numpy as np", "x = data[:, 1:]", "data = np.zeros((3, 4))"], [1, 3, 2]
    )
    rents = "import io, pandas as pd\nrents = pd.read_csv(io.StringIO('rent\\n\"1,250\"\\n980'))"
    write_notebook(folder / "words.ipynb", [rents, "rent = rents['rent'].values\nrent = rent.astype(float)"])
    parser = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--rounds', default=2)"
    cells = [
        LOAD + "\nx = x / 255",
        parser,
        "args = parser.parse_args()",
        NETWORK,
        "model.fit(x, y, epochs=args.rounds)",
    ]
    write_notebook(folder / "parsed.ipynb", cells)
    write_notebook(folder / "known.ipynb", [cells[0], f"{parser}\nparser.add_argument('-f')", *cells[2:]])
    write_notebook(folder / "stated.ipynb", [cells[0], f"{parser}\nimport sys\nsys.argv = ['']", *cells[2:]])
    write_notebook(folder / "syntax.ipynb", ["x = 1", "if x:\nprint(x)"])
    write_notebook(folder / "leaves.ipynb", ["import sys\nsys.exit('enough')", FIT])
    write_notebook(folder / "julia.ipynb", ["println(1)"], kernelspec={"name": "julia-1.9", "language": "julia"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("notebooks")
    x, y = draw_digits(600, 0)
    np.savez(place / "digits.npz", x_train=x, y_train=y)
    write_notebooks(place)
    return place


@pytest.fixture(scope="module")
def ended(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Every notebook's end, run from another working directory than its own."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("IPython")
    runs = {path.stem: [path] for path in folder.glob("*.ipynb")}
    runs |= {"json": [folder / "order.ipynb", "--json"], "every": [folder / "functions.ipynb", "--all"]}
    runs |= {"stops": [folder / "magics.ipynb", "--cell", 4], "trains": [folder / "functions.ipynb", "--train"]}
    return doctors(runs, tmp_path_factory.mktemp("elsewhere"))


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("magics", "cell 4, line 2, In [4]"),
        ("order", "cell 3, line 2, In [2]"),
        ("old", "cell 3, line 2, In [1]"),
        ("colab", "cell 4, line 2, In [4]"),
        ("timed", "cell 3, line 3, In [3]"),
        ("time", "cell 3, line 2, In [3]"),
    ],
)
def test_a_fit_is_judged_in_the_words_of_its_cell(ended, name, at):
    """Raw pixels are found in each, at the cell and line of the call, before the epochs."""
    run = ended[name]

    assert run.status == 1, run.err
    assert f"{at}  model.fit(x, y, epochs=2)" in run.out and "images.range" in run.out
    assert "x (cell " in run.out and "after" not in run.out and "Epoch" not in run.out


def test_cells_behind_the_fit_are_read(ended):
    """What a later cell tests on is judged, and what it reads of the history, under magics too."""
    tested, curves = ended["tested"].out, ended["curves"].out

    assert "images-never-scaled" in tested and "x_test (cell 2, line 1)" in tested
    assert "reads-what-is-not-logged" in curves and "cell 4, line 2" in curves


def test_variables_are_found_in_earlier_cells(ended):
    """The line of x is that of the cell that set it; magics, the shell, display and await ran as IPython runs them."""
    run = ended["magics"]

    assert "x (cell 1, line 4, In [1])" in run.out
    assert "from the shell" in run.out and "(600, 28, 28)" in run.out


def test_json_names_the_notebook_the_cell_and_its_number(ended):
    source = json.loads(ended["json"].out)["source"]

    assert Path(source["file"]).name == "order.ipynb"
    assert (source["cell"], source["line"], source["execution_count"]) == (3, 2, 2)
    assert source["variables"]["train_images"] == {"name": "x", "line": 3, "cell": 1, "execution_count": 5}


def test_what_differs_from_the_notebooks_kernel_is_said(ended):
    """Another kernel, another order, and packages that are not installed."""
    assert "last run in another order" in ended["order"].err
    assert "conda-env-tf Python 3.8.10" in ended["colab"].err
    assert "'!pip install -q no_such_package_here' was not run" in ended["colab"].err
    assert ended["magics"].err == ""


def test_functions_and_helpers_of_the_notebook_are_followed(ended):
    """A sound notebook is fit; with --train its epochs run, and --all returns a history without them."""
    assert ended["functions"].status == ended["every"].status == ended["trains"].status == 0, ended["functions"].err
    assert "cell 4, line 2  model.fit(images, labels, epochs=1)" in ended["functions"].out
    assert "Epoch 1" not in ended["every"].out and "loss" in ended["trains"].out


def test_a_cell_that_fails_is_shown_as_a_script_is(ended):
    """Its own traceback by cell and line, then what is known of it."""
    run = ended["fails"]

    assert run.status == 2
    assert 'File "fails.ipynb, cell 2", line 3' in run.err and "a.reshape(2, 2)" in run.err
    assert "fails.ipynb failed before its first fit" in run.err and "interactiveshell" not in run.err
    assert ended["syntax"].status == 2 and ended["syntax"].err.startswith('  File "syntax.ipynb, cell 2", line 2')


def test_a_name_that_a_later_cell_makes_is_said_with_the_cell(ended):
    assert "E012" in ended["moved"].err and "Cell 3 makes data: move it above cell 2." in ended["moved"].err


def test_a_cell_that_fails_is_explained_with_what_its_names_stood_for(ended):
    assert "E117" in ended["words"].err and "numbers written as text, such as '1,250'" in ended["words"].err


def test_a_parser_of_the_kernels_own_arguments_is_named(ended):
    """Not where it knows the kernel's option, or the notebook states what is parsed."""
    assert "args = parser.parse_args([])  # in place of cell 3, line 1" in ended["parsed"].out
    assert [ended[name].status for name in ("parsed", "known", "stated")] == [1, 0, 0]


def test_a_notebook_that_ends_without_a_fit_says_how(ended):
    """By sys.exit, or because --cell stopped it."""
    assert ended["leaves"].status == 2 and "it ended by sys.exit(enough)" in ended["leaves"].err
    assert ended["stops"].status == 2 and "it ended by --cell 4" in ended["stops"].err
    assert "from the shell" in ended["stops"].out and "before" not in ended["stops"].out


def test_another_language_is_refused(ended):
    assert ended["julia"].status == 2 and "whose language is 'julia'" in ended["julia"].err


def test_without_ipython_magics_are_passed_over_and_that_is_said(tmp_path):
    """Python, await and display work all the same; by the real command, in which IPython cannot be imported."""
    (tmp_path / "IPython").mkdir()
    (tmp_path / "IPython" / "__init__.py").write_text("raise ImportError('not here')")
    cells = ["%matplotlib inline\nimport asyncio\nawait asyncio.sleep(0)\n!false", "display(6 * 7)", "x = undefined"]
    path = write_notebook(tmp_path / "plain.ipynb", cells)

    run = doctor(path)

    assert "IPython is not installed" in run.err and run.out == "42\n"
    assert 'File "plain.ipynb, cell 3", line 1' in run.err and run.status == 2


@pytest.mark.parametrize(
    ("line", "put_out"),
    [
        ("!pip install keras", True),
        ("  %pip install -U keras", True),
        ("!python -m pip -q install keras", True),
        ("!apt-get -y install graphviz", True),
        ("%conda install numpy", True),
        ("!pip list", False),
        ("pip = 'install'", False),
        ("!ls pip install", False),
    ],
)
def test_lines_that_install_are_put_out(line, put_out):
    assert (without_installs(line)[1] == [line.strip()]) is put_out
