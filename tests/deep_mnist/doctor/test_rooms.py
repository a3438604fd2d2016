"""The doctor's house stays one that a stranger finds their way in."""

from __future__ import annotations

from pathlib import Path

import deep_mnist.doctor

HOUSE = Path(deep_mnist.doctor.__file__).parent
MOST_ENTRIES = 20


def test_no_floor_has_more_entries_than_a_person_takes_in() -> None:
    floors = [HOUSE, *(each for each in HOUSE.rglob("*") if each.is_dir() and each.name != "__pycache__")]
    entries = {floor: [each for each in floor.iterdir() if each.name != "__pycache__"] for floor in floors}

    assert {str(floor): len(each) for floor, each in entries.items() if len(each) > MOST_ENTRIES} == {}
