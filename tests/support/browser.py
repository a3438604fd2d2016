"""A real browser, Debian's chromium, driven by Playwright; what a page must never do is checked at each visit's end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 900})  # a phone, a laptop
WAIT_MS = 60_000  # a loaded machine


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser that is installed, or skip the test."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"No browser: none of {', '.join(NAMES)} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage"], timeout=WAIT_MS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Open a page in a new context; fail when it logs an error, a script throws, or a request leaves its host.

    Args:
        browser: Of `open_browser`.
        url: Of the page; of its host, the part that every request must have in common.
        options: Of `Browser.new_context`: viewport, color_scheme, …
    """
    host = url if url.startswith("file:") else "/".join(url.split("/")[:3])
    context = browser.new_context(**options)
    context.set_default_timeout(WAIT_MS)
    page, faults = context.new_page(), []
    page.on("console", lambda said: faults.append(f"{said.type}: {said.text}") if said.type != "log" else None)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("request", lambda request: None if request.url.startswith(host) else faults.append(f"left: {request.url}"))
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert faults == [], faults


def accessibility_faults(page: Page) -> list[str]:
    """Return what axe-core finds, "rule: elements"; the page must have been opened with bypass_csp=True."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
