"""Cron as Kubeflow Pipelines reads it: six fields, seconds first (robfig/cron v1).

Five fields are what people write and what Kubeflow accepts, but reads otherwise: `0 3 * * *` means there "at second 0
of minute 3 of every hour". So five fields get a `0` in front here, are shown as what they mean, and reach no API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise CronError(f"Expected {self.name} from {self.low} to {self.high}. Received: {text!r}.")
        return int(text)


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 6, DAYS),
)
_PART = re.compile(r"(?P<range>\*|\?|(?P<first>\w+)(-(?P<last>\w+))?)(/(?P<step>\d+))?")


class CronError(ValueError):
    """An expression that Kubeflow would refuse, or read otherwise than it is meant."""

    fix = "write six cron fields, such as '0 0 3 * * *' for every day at 03:00"


@dataclass(frozen=True)
class Cron:
    """A checked expression.

    Attributes:
        expression: Six fields, as the API takes them.
        five: True when five were entered.
    """

    expression: str
    five: bool = False

    def meaning(self) -> str:
        """Return the expression in words."""
        second, minute, hour, day, month, weekday = self.expression.split()
        fixed = all(each.isdecimal() for each in (second, minute, hour))
        time = (
            f"at {int(hour):02}:{int(minute):02}:{int(second):02}"
            if fixed
            else ", ".join(_words(field, text) for field, text in zip(FIELDS, (second, minute, hour), strict=False))
        )
        dates = [
            _words(field, text) for field, text in zip(FIELDS[3:], (day, month, weekday), strict=True) if not _any(text)
        ]
        return f"{time}, {', '.join(dates) or 'every day'}"

    def next(self, count: int, after: datetime | None = None) -> list[datetime]:
        """Return the next firings, UTC; fewer when there are no more."""
        from croniter import CroniterBadDateError, croniter

        firings = croniter(self.expression.replace("?", "*"), after or datetime.now(UTC), second_at_beginning=True)
        found: list[datetime] = []
        while len(found) < count:
            try:
                found.append(firings.get_next(datetime))
            except CroniterBadDateError:
                break
        return found

    def shortest_pause(self) -> timedelta:
        """Return the shortest time between two of the next firings."""
        firings = self.next(200)
        return min((later - sooner for sooner, later in pairwise(firings)), default=timedelta.max)


def parse_cron(text: str) -> Cron:
    """Return the checked expression.

    Raises:
        CronError: It has another number of fields, a value out of range, or a part that Kubeflow reads otherwise.
    """
    parts = text.split()
    if len(parts) not in (5, 6):
        raise CronError(
            f"Expected six fields: second minute hour day-of-month month day-of-week (or five, without the second). "
            f"Received: {text!r}, {len(parts)}. Fix: for every day at 03:00: '0 0 3 * * *'."
        )
    five = len(parts) == 5
    fields = ["0", *parts] if five else parts
    for field, value in zip(FIELDS, fields, strict=True):
        for part in value.split(","):
            _check(field, part)
    if not _any(fields[3]) and not _any(fields[5]):
        raise CronError(
            f"Expected a day of the month or a day of the week. Received: both in {text!r}, which means either. "
            "Fix: Make two schedules."
        )
    cron = Cron(" ".join(fields), five)
    if not cron.next(1):
        raise CronError(f"Expected a date that comes. Received: {text!r}, which never fires.")
    return cron


def _check(field: Field, part: str) -> None:
    match = _PART.fullmatch(part)
    if not match:
        raise CronError(f"Expected {field.name} as *, 5, 1-5, */15 or a list of them. Received: {part!r}.")
    if match["first"]:
        first = field.number(match["first"])
        if match["last"] and field.number(match["last"]) < first:
            raise CronError(f"Expected a rising range of {field.name}. Received: {part!r}.")
    if match["step"] is not None and not 1 <= int(match["step"]) <= field.high:
        raise CronError(f"Expected a step of {field.name} from 1 to {field.high}. Received: {part!r}.")


def _any(text: str) -> bool:
    return text in ("*", "?")


def _words(field: Field, text: str) -> str:
    if _any(text):
        return f"every {field.name}"
    if text.startswith("*/"):
        unit, space, rest = field.name.partition(" ")
        return f"every {text[2:]} {unit}s{space}{rest}"
    return f"{field.name} {text}"
