"""The page in a real browser, by keyboard alone: labels.yaml says who decided and when; a saved page offers it too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from deep_mnist.labels.decisions import read_decisions
from tests.deep_mnist.labels.noisy_digits import write_noisy_folder
from tests.support.browser import SIZES, WAIT_MS, accessibility_faults, overflow, visit

expect.set_options(timeout=WAIT_MS)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ and out/, where the real command serves."""
    folder = tmp_path_factory.mktemp("review")
    write_noisy_folder(folder / "data", 400)
    return folder


@pytest.fixture(scope="module")
def address(searched: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-u",
        "-m",
        "deep_mnist.labels",
        str(searched / "data"),
        "--network",
        "cheap",
        "--review",
    ]
    process = subprocess.Popen([*command, "--out", str(searched / "out")], stdout=subprocess.PIPE, text=True)
    try:
        yield next(line for line in process.stdout or () if line.startswith("decide at ")).split()[-1]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def decisions(searched: Path) -> Path:
    return searched / "out" / "labels.yaml"


def decided(path: Path) -> list[tuple[int, str, int | None]]:
    return [(each.index, each.decision, each.label) for each in read_decisions(path)]


def card(page: Page) -> dict:
    """Return the example that is shown, as the page holds it."""
    data = json.loads(page.locator("#data").text_content() or "")
    return data["cards"][int((page.locator("#now").text_content() or "").split()[1]) - 1]


def test_keys_alone_decide_and_the_file_says_who_and_when(browser: Browser, address: str, decisions: Path) -> None:
    """Keep, relabel as suggested or by a digit, drop and cannot tell, each by one key; Backspace takes one back."""
    with visit(browser, address) as page:
        page.keyboard.press("Tab")
        while page.evaluate("document.activeElement.id") != "by":
            page.keyboard.press("Tab")
        page.keyboard.press("Control+a")
        page.keyboard.type("Ana")
        page.keyboard.press("Tab")  # leaves the field, whose letters are no commands
        shown = []
        for key in ("k", "r", "7", "d", "u"):
            shown.append(card(page))
            if key == "7" and shown[-1]["given"] == 7:
                key = "8"
            page.keyboard.press(key)
        expect(page.locator("#now")).to_have_text(f"Example 6 of {len(page.locator('#all button').all())}")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Backspace")
        expect(page.locator("#progress")).to_have_text(f"4 of {len(page.locator('#all button').all())} decided, saved")

        by_digit = 8 if shown[2]["given"] == 7 else 7
        expected = [
            (shown[0]["index"], "keep", None),
            (shown[1]["index"], "relabel", shown[1]["suggested"]),
            (shown[2]["index"], "relabel", by_digit),
            (shown[3]["index"], "drop", None),
        ]
        assert sorted(decided(decisions)) == sorted(expected)
        assert all(each.by == "Ana" and each.at.endswith("Z") for each in read_decisions(decisions))

        page.reload()
        expect(page.locator("#decided")).to_contain_text("kept by Ana")
        page.keyboard.press("n")
        expect(page.locator("#now")).to_contain_text("Example 5 ")


def test_without_a_server_the_page_saves_the_file(browser: Browser, address: str, searched: Path) -> None:
    """The page opened from its file remembers decisions and offers them as YAML."""
    assert address
    with visit(browser, (searched / "out" / "labels.html").as_uri()) as page:
        first = card(page)
        page.keyboard.press("d")
        saved = unquote((page.locator("#save").get_attribute("href") or "").partition(",")[2])
        page.reload()
        expect(page.locator("#decided")).to_contain_text("dropped")

    (entry,) = yaml.safe_load(saved)["decisions"]
    assert (entry["index"], entry["decision"], entry["image"]) == (first["index"], "drop", first["image"])


@pytest.mark.parametrize("size", SIZES, ids=("phone", "laptop"))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_fits_the_window(browser: Browser, address: str, size: dict, scheme: str) -> None:
    """axe-core finds nothing, and nothing is wider than the window."""
    with visit(browser, address, viewport=size, color_scheme=scheme, bypass_csp=True) as page:
        expect(page.locator("#now")).to_contain_text("Example")
        assert accessibility_faults(page) == []
        assert overflow(page) <= 0


def test_an_entry_that_is_no_decision_is_refused_and_a_guess_of_the_address_finds_nothing(address: str) -> None:
    """400 with the reason; 404 without the secret."""
    body = json.dumps({"image": "0" * 64, "given": 1, "index": 0, "split": "train", "decision": "burn"}).encode()
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{address}decisions", body, method="POST"))
    assert refused.value.code == 400
    assert "none of keep, relabel, drop, unsure" in refused.value.read().decode()

    with pytest.raises(HTTPError) as lost:
        urlopen("/".join(address.split("/")[:3]) + "/decisions")
    assert lost.value.code == 404
