"""The doctor's house stays one that a stranger finds their way in."""

from __future__ import annotations

from pathlib import Path

import deep_mnist.doctor
from deep_mnist.doctor.checks.catalogue import LIVE, checks
from deep_mnist.doctor.judge import OF_CASE
from deep_mnist.doctor.rule import Check, Need

HOUSE = Path(deep_mnist.doctor.__file__).parent
MOST_ENTRIES = 20


def test_no_floor_has_more_entries_than_a_person_takes_in() -> None:
    floors = [HOUSE, *(each for each in HOUSE.rglob("*") if each.is_dir() and each.name != "__pycache__")]
    entries = {floor: [each for each in floor.iterdir() if each.name != "__pycache__"] for floor in floors}

    assert {str(floor): len(each) for floor, each in entries.items() if len(each) > MOST_ENTRIES} == {}


def test_checks_of_a_live_call_lie_in_rooms_that_a_folder_does_not_load() -> None:
    """All of these rooms need the call, and whatever needs the call lies in one of them."""
    for_folders = checks(live=False)

    assert [named(each) for each in checks() if in_live_room(each) and not needs_a_call(each)] == []
    assert [named(each) for each in for_folders if in_live_room(each) or needs_a_call(each)] == []
    assert {named(each) for each in checks() if not in_live_room(each)} == {named(each) for each in for_folders}


def in_live_room(each: Check) -> bool:
    return named(each).removeprefix("deep_mnist.doctor.checks.").startswith(tuple(f"{room}." for room in LIVE))


def needs_a_call(each: Check) -> bool:
    return each.scope in OF_CASE and all(Need.LIVE_MODEL in rule.needs for rule in each.rules)


def named(each: Check) -> str:
    return f"{each.run.__module__}.{each.run.__name__}"
