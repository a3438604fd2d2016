"""The page's doubt: an example of the test data, the second guess, and what mattered for the prediction."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from deep_mnist.export import GOLDEN_FILE
from tests.support.browser import SIZES, accessibility_faults, overflow, visit
from tests.support.serving import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_processes")]


def golden(served: RunningServer) -> dict[str, np.ndarray]:
    model = served.champion.model
    assert model is not None
    return dict(np.load(model.folder / GOLDEN_FILE))


def drawn(page: Any, name: str) -> np.ndarray:
    """The pixels of a canvas: uint8 (rows, columns, 4)."""
    script = """(name) => { const c = document.getElementById(name);
      return [c.width, ...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }"""
    width, *values = page.evaluate(script, name)
    return np.array(values, np.uint8).reshape(-1, width, 4)


def test_an_example_is_shown_as_it_was_judged(browser: Any, served: RunningServer) -> None:
    """By the keyboard: the network sees the golden request pixel by pixel, and its second guess is told."""
    with visit(browser, served.url) as page:
        page.get_by_role("button", name="An example").focus()
        page.keyboard.press("Enter")
        page.locator("#chosen", has_text="labelled digit").wait_for()
        told = re.search(r"example (\d+) of \d+ of the test data, labelled digit (\d)", page.inner_text("#chosen"))
        page.locator("#doubt", has_text="Second guess").wait_for()
        seen, doubt = drawn(page, "seen")[..., 0], page.inner_text("#doubt")
    assert told
    number, kept = int(told[1]) - 1, golden(served)
    (predicted,) = served.post({"instances": seen[None].tolist()}).json()["predictions"]
    second, share = sorted(enumerate(predicted["probabilities"]), key=lambda each: -each[1])[1]

    np.testing.assert_array_equal(seen, kept["images"][number].reshape(28, 28))
    assert int(told[2]) == kept["labels"][number]
    assert doubt == f"Second guess: digit {second}, {100 * share:.1f} %"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_what_mattered_is_drawn_on_demand(
    browser: Any, served: RunningServer, scheme: str, size: dict[str, int]
) -> None:
    """Colours only where there is ink; another image takes the map away; axe-core finds nothing."""
    options = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    with visit(browser, served.url, **options) as page:
        heat = page.get_by_role("button", name="What mattered?")
        expect(heat).to_be_disabled()
        page.get_by_role("button", name="An example").click()
        page.locator("#doubt", has_text="Second guess").wait_for()
        heat.click()
        page.locator("#heat-note", has_text="Orange spoke for").wait_for()
        seen, drawn_map = drawn(page, "seen")[..., 0], drawn(page, "heat-map")[..., :3]
        assert accessibility_faults(page) == [] and overflow(page) <= 0
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#heat-figure")).to_be_hidden()

    coloured = (drawn_map < 255).any(axis=2)
    assert coloured.any() and not coloured[seen == 0].any()


def test_what_no_example_is_asked_for_gets_an_error_response(served: RunningServer) -> None:
    """A number beyond the examples; two examples to explain; examples that request validation refuses."""
    count = served.get("champion.json").json()["golden"]
    zeros = np.zeros((2, 28, 28), np.uint8)

    found = [served.get(f"example/{number}").status_code for number in (0, count - 1, count, "x")]
    assert found == [200, 200, 404, 404]
    assert served.post({"instances": zeros.tolist()}, "heat").status_code == 413
    assert served.post({"instances": zeros[:1, 0].tolist()}, "heat").json()["field"] == "images.rank"
    assert served.post({"instances": []}, "heat").status_code == 400
