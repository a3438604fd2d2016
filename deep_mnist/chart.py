"""Line charts as SVG inside a page: no script, no plotting library (docs/adr/0009)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

_COLORS = ("#2457c5", "#c2410c", "#1a7f4b", "#7c3aed", "#0e7490", "#be185d", "#a16207", "#475569", "#4d7c0f", "#b91c1c")
LEAST_SPAN = 1e-300  # below, a tenth of a tenth is no number any more: such values are drawn as 0
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 58, 444, 30, 205
_KEY_TOP, _KEY_ROW, _KEY_MARK, _LETTER = 256, 16, 20, 6.2  # of the key below: first row, row height, mark, letter width
_CHART = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    (Path(__file__).parent / "chart.svg.j2").read_text(encoding="utf-8")
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Scale:
    """One axis: values `low`..`high` lie at pixels `start`..`end`; `ticks` are round values among them."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return a value's pixel."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def nice_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Return at most `most` multiples of 1, 2 or 5 times a power of ten that cover low..high, at least two.

    Args:
        low, high: Finite, low <= high.
        most: 3 or more.

    >>> nice_ticks(0.0, 0.87)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    >>> nice_ticks(1, 6)
    (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    """
    span = high - low or abs(high)
    span = span if span > LEAST_SPAN else 1.0
    power = math.floor(math.log10(span)) - 1
    for exponent in range(power, power + 3):
        for factor in (1, 2, 5):
            step = factor * 10.0**exponent
            first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
            last = max(last, first + 1)
            if last - first < most:
                digits = max(0, -exponent)
                return tuple(round(number * step, digits) for number in range(first, last + 1))
    return (low, high)


def chart(title: str, series: Mapping[str, Points], *, x_title: str = "", dots: bool = True) -> str:
    """Return an SVG line chart of named series of (x, y) points; points that are not finite are left out."""
    lines = {name: [each for each in line if all(map(math.isfinite, each))] for name, line in series.items()}
    across = _scale([x for line in lines.values() for x, _ in line], _LEFT, _RIGHT, exact=True)
    up = _scale([y for line in lines.values() for _, y in line], _BOTTOM, _TOP)
    return _CHART.render(
        title=title,
        x_title=x_title,
        width=_WIDTH,
        height=_KEY_TOP + _KEY_ROW * _key_rows(lines) - 2,
        left=_LEFT,
        right=_RIGHT,
        bottom=_BOTTOM,
        rows=[(up.at(tick), f"{tick:.6g}") for tick in up.ticks],
        columns=[(across.at(tick), f"{tick:.6g}") for tick in across.ticks],
        lines=[_line(number, name, lines, across, up, dots=dots) for number, name in enumerate(lines)],
    )


def _scale(values: Sequence[float], start: float, end: float, *, exact: bool = False) -> Scale:
    """Return the axis of some values; `exact` ends at the values, else at the ticks around them."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    ticks = nice_ticks(low, high)
    if not exact or low == high:
        return Scale(ticks[0], ticks[-1], start, end, ticks)
    return Scale(low, high, start, end, tuple(tick for tick in ticks if low <= tick <= high))


def _line(
    number: int, name: str, lines: Mapping[str, Points], across: Scale, up: Scale, *, dots: bool
) -> dict[str, Any]:
    placed = [(across.at(x), up.at(y)) for x, y in lines[name]]
    return {
        "name": name,
        # A page's own shade for its scheme, else the light one.
        "color": f"var(--series-{number % len(_COLORS)}, {_COLORS[number % len(_COLORS)]})",
        "points": " ".join(f"{x},{y}" for x, y in placed),
        "dots": placed if dots else [],
        "key_x": _LEFT + number % _key_columns(lines) * ((_RIGHT - _LEFT) // _key_columns(lines)),
        "key_y": _KEY_TOP + _KEY_ROW * (number // _key_columns(lines)),
    }


def _key_columns(names: Iterable[str]) -> int:
    """Return how many names of the key stand side by side: all, or as many as the longest leaves room for."""
    names = list(names)
    room = int((_RIGHT - _LEFT) / (_KEY_MARK + _LETTER * max(map(len, names), default=1)))
    return max(1, min(len(names), room))


def _key_rows(names: Collection[str]) -> int:
    return math.ceil(len(names) / _key_columns(names))
