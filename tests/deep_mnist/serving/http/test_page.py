"""The drawing page in a real browser: a champion trained on real digits, drawn, dropped, typed, read aloud."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from deep_mnist.data.fetch_known import DownloadError, known_dataset
from deep_mnist.data.known import KNOWN
from deep_mnist.registry.registry import Registry
from tests.support.browser import SIZES, WAIT_MS, accessibility_faults, overflow, visit
from tests.support.champions import promote_again, promote_network, publish_convolution
from tests.support.serving import running_server
from tests.support.trained import make_record

SEVEN = ((0.25, 0.25), (0.75, 0.25), (0.62, 0.45), (0.5, 0.65), (0.42, 0.85))
NONE = "–"  # the result before there is one
# Keeps what is announced: a prediction may follow at once.
HEAR = """() => { const said = document.getElementById("said"); window.heard = [];
  const seen = {childList: true, characterData: true, subtree: true};
  new MutationObserver(() => heard.push(said.textContent)).observe(said, seen); }"""
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_processes")]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def digits() -> dict[str, np.ndarray]:
    """Real MNIST: uint8 (n, 28, 28) and uint8 (n,)."""
    try:
        opened = known_dataset(KNOWN["mnist"])
    except DownloadError as error:
        pytest.skip(f"Real MNIST cannot be had here: {error}")
    return {
        f"{split}_{part}": np.array(getattr(opened, part)(split))
        for split in ("train", "test")
        for part in ("images", "labels")
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, digits: dict[str, np.ndarray]) -> Path:
    """A registry whose champion learned 12,000 real digits."""
    splits = [(digits["train_images"][:12000], digits["train_labels"][:12000])]
    splits += [(digits["test_images"][:2000], digits["test_labels"][:2000])]
    return publish_convolution(tmp_path_factory.mktemp("page"), make_record(source="mnist"), splits)


@pytest.fixture(scope="module")
def server(registry: Path) -> Iterator[str]:
    with running_server(Registry(str(registry), "mnist"), registry.parent / "cache") as running:
        yield running.url


def ready(page: Any) -> None:
    """Wait until the page knows the champion."""
    expect(page.locator("body")).to_have_attribute("data-ready", "")


def draw(page: Any, points: tuple[tuple[float, float], ...] = SEVEN) -> None:
    """Draw a stroke with the mouse, its points as shares of the drawing area."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def wait_for_result(page: Any, expected: str) -> None:
    page.locator(f"#result:text-is('{expected}')").wait_for()


def wait_for_some_result(page: Any) -> None:
    page.locator(f"#result:not(:text-is('{NONE}'))").wait_for()


def seen(page: Any) -> np.ndarray:
    """What the network sees: uint8 (rows, columns)."""
    values = page.evaluate(
        "(() => { const c = document.getElementById('seen');"
        " return {w: c.width, d: [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]}; })()"
    )
    return np.array(values["d"], np.uint8).reshape(-1, values["w"], 4)[..., 0]


def predicted(server: str, image: np.ndarray) -> list[float]:
    """The probabilities that the server gives for one image."""
    body = json.dumps({"instances": [image.tolist()]}).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(f"{server}/v1/models/mnist:predict", body, headers)) as response:
        return list(json.load(response)["predictions"][0]["probabilities"])


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def hand_over(page: Any, event: str, content: bytes, kind: str = "image/png") -> None:
    """Drop or paste a file as a person does: the event that the browser makes of it."""
    page.evaluate(
        """([event, content, kind]) => {
          const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0)), transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "file", {type: kind}));
          const options = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
          const Kind = event === "paste" ? ClipboardEvent : DragEvent;
          document.dispatchEvent(new Kind(event, options));
        }""",
        [event, base64.b64encode(content).decode(), kind],
    )


def test_a_seven_drawn_with_the_mouse_is_read(browser: Any, server: str) -> None:
    """The result, its bar and the announcement say 7; the network sees 20 rows of ink, their mass in the middle."""
    with visit(browser, server) as page:
        ready(page)
        draw(page)
        wait_for_result(page, "7")
        expect(page.locator("#said")).to_have_text(re.compile(r"^7, \d+\.\d %\. Second guess: \d, \d+\.\d %\.$"))
        image = seen(page)
        bars = page.locator("#bars li").all_inner_texts()
        best = page.locator("#bars li.best").inner_text()
        probabilities = predicted(server, image)

    rows, columns = np.nonzero(image > 20)
    assert image.shape == (28, 28) and 19 <= np.ptp(rows) + 1 <= 21
    weights = image / image.sum()
    for axis in (0, 1):  # as in all 60,000 training digits of MNIST
        assert 13.4 <= weights.sum(axis) @ np.arange(28) <= 14.6 or 27 in (rows.max(), columns.max())
    assert len(bars) == 10 and best.startswith("7")
    assert np.argmax(probabilities) == 7 and f"{100 * probabilities[7]:.1f} %" in best


def test_a_seven_drawn_with_a_finger_is_read(browser: Any, server: str) -> None:
    """Touch draws and does not scroll the page."""
    with visit(browser, server, has_touch=True, is_mobile=True, viewport=SIZES[0]) as page:
        ready(page)
        box = page.locator("#pad").bounding_box()
        touch = page.context.new_cdp_session(page)
        for kind, points in (
            ("touchStart", SEVEN[:1]),
            *(("touchMove", [point]) for point in SEVEN[1:]),
            ("touchEnd", []),
        ):
            places = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})
        wait_for_result(page, "7")
        assert page.evaluate("window.scrollY") == 0


def test_a_seven_drawn_with_the_keyboard_is_read(browser: Any, server: str) -> None:
    """Tab reaches the drawing area; arrows, Space, Backspace and Delete do what the mouse does, and are announced."""
    with visit(browser, server) as page:
        ready(page)
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "pad":
                break
        press = page.keyboard.press
        page.evaluate(HEAR)
        for key in ("ArrowLeft",) * 6 + (" ",) + ("ArrowRight",) * 12:
            press(key)
        page.wait_for_function("heard.includes('Pen down.')")
        for key in ("ArrowDown", "ArrowDown", "ArrowLeft") * 6:
            press(key)
        press("Space")
        wait_for_result(page, "7")
        press("Backspace")
        wait_for_result(page, NONE)
        press("Space")
        press("ArrowDown")
        wait_for_some_result(page)
        press("Delete")
        wait_for_result(page, NONE)
        assert page.locator("#clear").is_disabled()


def test_a_dropped_image_of_the_networks_size_is_taken_as_it_is(
    browser: Any, server: str, digits: dict[str, np.ndarray]
) -> None:
    """A PNG of the data set gives what its pixels give, to the last bit; chosen, dropped or pasted."""
    image = digits["test_images"][0]
    with visit(browser, server) as page:
        ready(page)
        for event in ("drop", "paste"):
            hand_over(page, event, png(image))
            wait_for_result(page, "7")
            np.testing.assert_array_equal(seen(page), image)
            page.locator("#clear").click()
            wait_for_result(page, NONE)
        page.locator("#file").set_input_files({"name": "seven.png", "mimeType": "image/png", "buffer": png(image)})
        wait_for_result(page, "7")
        assert "seven.png" in page.locator("#chosen").inner_text()


def test_large_dark_digits_on_paper_are_framed_as_mnist(
    browser: Any, server: str, digits: dict[str, np.ndarray]
) -> None:
    """Scaled up, moved to a corner and printed dark on light, digits come back to nearly their own pixels."""
    rows = [int(np.flatnonzero(digits["test_labels"] == label)[3]) for label in range(10)]
    differences = []
    with visit(browser, server) as page:
        ready(page)
        for row in rows:
            image = digits["test_images"][row]
            sheet = np.full((500, 640), 255, np.uint8)
            sheet[20:300, 330:610] = 255 - np.asarray(
                Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC)
            )
            hand_over(page, "drop", png(sheet))
            expect(page.locator("#chosen")).to_contain_text("framed")
            wait_for_some_result(page)
            differences.append(np.abs(seen(page).astype(float) - image).mean())
            page.locator("#clear").click()
            wait_for_result(page, NONE)

    assert np.median(differences) < 8  # of 255; the same digits a pixel further differ by 12 to 20


def test_digits_in_uneven_light_are_read(browser: Any, server: str, digits: dict[str, np.ndarray]) -> None:
    """A photo's shades and grain are told from ink: of 20 digits on such a sheet no more than three are misread."""
    random, misread = np.random.default_rng(0), []
    light = 215 + np.linspace(-25, 25, 500)[None] + np.linspace(-15, 15, 400)[:, None]
    with visit(browser, server) as page:
        ready(page)
        for row in range(100, 120):
            ink = np.asarray(Image.fromarray(digits["test_images"][row]).resize((280, 280), Image.Resampling.BICUBIC))
            sheet = light + random.normal(0, 4, light.shape)
            sheet[50:330, 100:380] -= ink * (150 / 255)
            hand_over(page, "drop", png(sheet.clip(0, 255).astype(np.uint8)))
            wait_for_some_result(page)
            if page.locator("#result").inner_text() != str(digits["test_labels"][row]):
                misread.append(row)
            page.locator("#clear").click()
            wait_for_result(page, NONE)

    assert len(misread) <= 3, misread


def test_what_is_no_image_is_refused(browser: Any, server: str) -> None:
    """Text, and bytes that only claim to be an image, are named in an alert; the next drawing works."""
    with visit(browser, server) as page:
        ready(page)
        hand_over(page, "drop", b"hello", "text/plain")
        page.get_by_role("alert").get_by_text("Expected a PNG, JPEG").wait_for()
        hand_over(page, "drop", b"no image at all")
        page.get_by_role("alert").get_by_text("Expected an image that can be decoded").wait_for()
        draw(page)
        wait_for_result(page, "7")
        assert page.locator("#error").is_hidden()


def test_one_request_at_a_time_and_no_stale_result(browser: Any, server: str) -> None:
    """While the server is slow, drawing sends nothing in parallel; what is shown in the end is the last drawing's."""
    running, most, sent = 0, 0, 0
    lock = threading.Lock()

    def slow(route: Any) -> None:
        nonlocal running, most, sent
        with lock:
            running, sent = running + 1, sent + 1
            most = max(most, running)
        page.wait_for_timeout(150)
        with lock:
            running -= 1
        route.continue_()

    with visit(browser, server) as page:
        ready(page)
        page.route("**/*:predict", slow)
        draw(page, ((0.5, 0.2), (0.5, 0.8)))  # a one
        page.locator("#clear").click()
        draw(page)
        wait_for_result(page, "7")
        page.locator("#clear").click()
        wait_for_result(page, NONE)
        page.wait_for_timeout(400)
        assert page.locator("#result").inner_text() == NONE

    assert most == 1 and sent >= 2


def test_a_promotion_reaches_the_open_page(browser: Any, server: str, registry: Path) -> None:
    """Version and accuracy change without a reload, and the change is announced."""
    with visit(browser, server) as page:
        ready(page)
        before = int(page.locator("#version").inner_text())
        promote_again(registry, "mnist", accuracy=0.9876, reason="better")
        expect(page.locator("#version")).to_have_text(str(before + 1))
        assert page.locator("#accuracy").inner_text() == "0.9876 on 2000 images"
        expect(page.locator("#said")).to_have_text(f"Version {before + 1} is the champion now.")
        draw(page)
        wait_for_result(page, "7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_the_pages_are_accessible_and_fit(browser: Any, server: str, scheme: str, size: dict[str, int]) -> None:
    """axe-core finds nothing, and nothing is wider than the window, whichever page."""
    options = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    with visit(browser, server, **options) as page:
        ready(page)
        draw(page)
        wait_for_result(page, "7")
        for path in ("", "/card", "/drift"):
            if path:
                page.goto(server + path)
            assert accessibility_faults(page) == []
            assert overflow(page) <= 0


def test_the_policy_admits_only_the_servers_own_files(server: str) -> None:
    """Every page and script comes with a policy that names no inline script, no other host, no frame."""
    for path in ("/", "/card", "/drift", "/static/page.js", "/static/page.css"):
        with urlopen(Request(server + path, headers={"accept": "text/html"})) as response:
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert response.headers["x-content-type-options"] == "nosniff"


def test_the_framing_is_a_function_of_the_input(browser: Any, server: str) -> None:
    """Any shape has its form: images of every layout, flat ones, and columns of features."""
    shapes: dict[str, Any] = {
        "[28, 28]": "28x28x1 plain",
        "[28, 28, 1]": "28x28x1 last",
        "[64, 48, 3]": "64x48x3 last",
        "[3, 32, 32]": "32x32x3 first",
        "[784]": "28x28x1 flat",
        "[13]": "13 features",
        "[30]": "30 features",
        "[4, 5, 6]": "unknown",
        "[null, null, 1]": "28x28x1 last",
    }
    script = """async (shapes) => {
      const {inputForm} = await import("./static/framing.js");
      const text = ({rows, columns, channels, order, features}) =>
        rows ? `${rows}x${columns}x${channels} ${order}` : features ? `${features} features` : "unknown";
      return shapes.map((shape) => text(inputForm({shape})));
    }"""
    with visit(browser, server) as page:
        found = page.evaluate(script, [json.loads(shape) for shape in shapes])

    assert dict(zip(shapes, found, strict=True)) == shapes


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 20, 30), (784,), (13,)], ids=str)
def test_champions_of_other_inputs_are_served_with_what_suits_them(
    browser: Any, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """A colour image, another layout and size, a flat image, feature columns: each is drawn or typed, and predicted."""
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    record = make_record(prepared=True, image_shape=shape, dtype="float32", num_classes=3, layout="flat", source="own")
    promote_network(tmp_path / "registry", "own", model, record)
    registry = Registry(str(tmp_path / "registry"), "own")
    with running_server(registry, tmp_path / "cache") as running, visit(browser, running.url) as page:
        ready(page)
        if shape == (13,):
            page.get_by_label("Features").fill("1, 2, 3")
            page.get_by_role("button", name="Predict").click()
            page.get_by_role("alert").get_by_text("Expected 13 numbers. Received: 3.").wait_for()
            page.get_by_label("Features").fill(" ".join(map(str, range(13))))
            page.get_by_role("button", name="Predict").click()
        else:
            draw(page)
        wait_for_some_result(page)
        assert page.locator("#bars li").count() == 3
        assert page.locator("#draw").is_hidden() == (shape == (13,))
