"""The page of all runs and a run's report in a real browser: sorted, filtered, readable by everybody."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.local.history_page import write_history_page
from tests.pipeline.local.test_history import PUBLISHED, write_run
from tests.support.browser import SIZES, accessibility_faults, overflow, visit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page_of_runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with a run of every ending."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs, "20261101-100000-aaaa", outcome={**PUBLISHED, "accuracy": 0.9, "seconds": 9.0})
    write_run(runs, "20261102-100000-bbbb", outcome={**PUBLISHED, "accuracy": 0.95, "version": 12, "seconds": 100.0})
    write_run(runs, "20261103-100000-cccc", outcome={"status": "FAILED", "step": "validate", "findings": 2})
    write_run(runs, "20261104-100000-dddd", outcome={**PUBLISHED, "accuracy": 0.91, "severities": {"warning": 1}})
    write_run(runs, "20261105-100000-eeee", outcome={"status": "NOT PROMOTED", "accuracy": 0.8, "champion": 0.95})
    write_run(runs, "20261106-100000-ffff", outcome=None)
    return write_history_page(runs).as_uri()


def order(page: Any) -> str:
    """The runs on the page from top to bottom, by the last letter of their names; hidden ones are left out."""
    names = page.locator("#runs tbody tr:visible td:first-child span").evaluate_all(
        "all => all.map(each => each.title)"
    )
    return "".join(name[-1] for name in names)


def test_a_column_sorts_the_runs(browser: Any, page_of_runs: str) -> None:
    """By number, not by text; what is not known stays at the end; the header says which way, and keys press it."""
    with visit(browser, page_of_runs) as page:
        assert order(page) == "fedcba"
        accuracy = page.get_by_role("button", name="accuracy")
        accuracy.click()
        assert order(page)[:4] == "eadb" and set(order(page)[4:]) == set("cf")
        accuracy.press("Enter")
        assert order(page)[:4] == "bdae" and set(order(page)[4:]) == set("cf")
        assert page.get_by_role("columnheader", name="accuracy").get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="duration").click()
        assert order(page)[:3] == "adb"
        page.get_by_role("button", name="promoted").click()
        assert order(page)[2] == "b"  # version 12 comes after version 4


def test_words_filter_the_runs(browser: Any, page_of_runs: str) -> None:
    """Every word must occur in the row; how many are left is announced."""
    with visit(browser, page_of_runs) as page:
        page.get_by_label("Filter").fill("published 0.9")
        assert order(page) == "dba"
        assert page.get_by_role("status").inner_text() == "3 of 6 runs"
        page.get_by_label("Filter").fill("")
        assert order(page) == "fedcba"


def test_the_page_works_without_scripts(browser: Any, page_of_runs: str) -> None:
    """The latest run is on top, the links are there, and nothing is offered that would do nothing."""
    with visit(browser, page_of_runs, java_script_enabled=False) as page:
        assert page.locator("#runs tbody tr").count() == 6
        assert page.locator("#runs button, #filter:visible").count() == 0
        assert page.get_by_role("link", name="report of 20261106-100000-ffff").get_attribute("href")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_the_page_is_accessible_and_fits(browser: Any, page_of_runs: str, scheme: str, size: dict[str, int]) -> None:
    """axe-core finds nothing, and nothing is wider than the window."""
    with visit(browser, page_of_runs, viewport=size, color_scheme=scheme) as page:
        assert accessibility_faults(page) == []
        assert overflow(page) <= 0
