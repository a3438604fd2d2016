"""Charts: round ticks, every finite point drawn, no text that escapes."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deep_mnist.chart import chart, nice_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 0.87, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (1, 6, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
        (0.981, 0.9956, (0.98, 0.985, 0.99, 0.995, 1.0)),
        (-3, 3, (-4.0, -2.0, 0.0, 2.0, 4.0)),
        (0.0, 12345, (0.0, 5000.0, 10000.0, 15000.0)),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, ticks: tuple[float, ...]) -> None:
    """Ticks are multiples of 1, 2 or 5 times a power of ten, and cover the values."""
    assert nice_ticks(low, high) == ticks


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
@example(5e-324, 0.0)
def test_ticks_cover_whatever_is_drawn(low: float, span: float) -> None:
    """From two to six ticks rise and cover the values, however near or far these lie."""
    high = low + (span if span > 1e-6 * abs(low) + 1e-9 else 0.0)
    ticks = nice_ticks(low, high)
    slack = 1e-6 * (ticks[-1] - ticks[0])
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack
    assert all(one < other for one, other in itertools.pairwise(ticks))


def test_a_chart_leaves_out_what_is_not_finite() -> None:
    """NaN and infinity are not drawn, the other points are, and a name cannot break the page."""
    drawn = chart("loss <now>", {"a & b": [(1, 0.5), (2, math.nan), (3, math.inf), (4, 0.1)]}, x_title="epoch")
    root = ET.fromstring(drawn)
    assert len([each for each in root.iter() if each.tag.endswith("circle")]) == 2
    assert "loss <now>" in "".join(root.itertext()) and "a & b" in "".join(root.itertext())


@pytest.mark.parametrize("names", [["loss"], list("0123456789"), [f"a rather long name {n}" for n in range(10)]])
def test_the_key_stays_in_the_picture(names: list[str]) -> None:
    """However many and long the names of the lines are, their keys lie inside and beside one another."""
    root = ET.fromstring(chart("roc", {name: [(0, 0), (1, 1)] for name in names}))
    keys = [(float(each.get("x")), float(each.get("y"))) for each in root.iter() if each.tag.endswith("rect")]
    longest = 14 + 6 * max(map(len, names))
    assert len(set(keys)) == len(names)
    assert all(0 <= x <= 460 - longest and y + 10 <= float(root.get("height")) for x, y in keys)
    assert all(abs(x - x2) >= longest for (x, y), (x2, y2) in itertools.combinations(keys, 2) if y == y2)


@pytest.mark.parametrize("points", [[], [(1, 0.5)], [(1, 0.0), (2, 0.0)]])
def test_a_chart_of_hardly_anything_is_a_chart(points: list[tuple[float, float]]) -> None:
    """No point, one point and a flat line are drawn without a division by zero."""
    assert ET.fromstring(chart("flat", {"loss": points})).tag.endswith("svg")
