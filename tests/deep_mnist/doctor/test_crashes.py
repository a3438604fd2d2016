"""Programs that end by an error: each is named with its layer and shapes, and what the fix says mends it."""

from __future__ import annotations

import pytest

from deep_mnist.doctor.checks.crashes.explain import finding_of
from tests.support.crashing import Crashing, crashing, error_of

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

FILES = (
    "crashes_building.txt",
    "crashes_fitting.txt",
    "crashes_graphs.txt",
    "crashes_old_code.txt",
    "crashes_reading.txt",
    "crashes_tables.txt",
    "crashes_values.txt",
)
PROGRAMS = [each for file in FILES for each in crashing(file)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_an_error_is_named_with_what_was_expected_and_received(program: Crashing) -> None:
    error = error_of(program.failing, program.name)
    assert error is not None

    found = finding_of(error)

    assert found is not None, error
    said = f"{found.expected} {found.received}"
    assert (found.rule.code, [word for word in program.words if word not in said]) == (program.code, []), said
    assert (
        not program.fixes
        or statement(found.fix) in {statement(each) for each in program.fixes}
        or any(statement(found.fix) in statement(each) for each in program.fixes)
    ), found.fix


@pytest.mark.parametrize("program", [each for each in PROGRAMS if each.is_mended], ids=lambda program: program.name)
def test_a_program_with_the_fix_runs(program: Crashing) -> None:
    assert error_of(program.mended, program.name) is None


def test_a_wrapper_for_scikit_learn_is_imported_and_made_as_scikeras_has_it() -> None:
    (program,) = (each for each in PROGRAMS if each.name == "scikit_wrapper_of_a_function")
    error = error_of(program.failing, program.name)
    found = finding_of(error) if error is not None else None

    assert found is not None
    assert found.fix.startswith("from scikeras.wrappers import KerasRegressor  # pip install scikeras")
    assert found.fix.endswith("in line 4: KerasRegressor(model=prices, epochs=5, verbose=0)")


@pytest.mark.parametrize(
    ("module", "package"),
    [("pkg_resources", '"setuptools<81"'), ("imblearn", "imbalanced-learn"), ("umap", "umap-learn")],
)
def test_a_module_is_installed_by_the_name_of_its_package(module: str, package: str) -> None:
    found = finding_of(ModuleNotFoundError(f"No module named '{module}'", name=module))

    assert found is not None
    assert (found.rule.code, found.fix) == ("E003", f"pip install {package}")


def statement(line: str) -> str:
    """Return a line without its comment, in one kind of quotes."""
    return line.split("  # ")[0].rstrip(",: ").replace('"', "'")
