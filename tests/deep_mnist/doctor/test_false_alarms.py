"""False alarms are counted by rule, where it applied, and kept in the file that the pages are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.false_alarms import WRITTEN, Tally, applied, healthy_case, main, write
from deep_mnist.doctor.report.measured import DOCTOR, measured, of_kinds, read_measured, written
from deep_mnist.doctor.rule import COLUMNS, IMAGES, Need, Rule, Scope

RULE = Rule(
    code="ZZ001", name="images-odd", field="images.range", severity="warning", scope=Scope.INPUT, summary="Odd.",
    why="Nothing good.",
)  # fmt: skip


def test_a_draw_counts_only_for_the_rules_that_apply_to_it() -> None:
    """By kind of input, by what they need, and never for rules of a run."""
    case = healthy_case("gratings", 0)

    assert applied(RULE, case) and applied(replace(RULE, inputs=IMAGES, needs=(Need.SURVEY,)), case)
    assert not applied(replace(RULE, inputs=COLUMNS), case)
    assert not applied(replace(RULE, needs=(Need.RECORD,)), case)
    assert not applied(replace(RULE, scope=Scope.RUN), case)


def test_what_was_counted_replaces_only_the_kinds_that_were_drawn(tmp_path: Path) -> None:
    """Kinds that were not drawn stay, those a rule applies to no more go, and so do codes that are no more."""
    path = tmp_path / "measured.json"
    before = {
        "R010": {"digits": (300, 0), "textures": (300, 2)},
        "R020": {"textures": (9, 0)},
        "R999": {"digits": (1, 0)},
    }
    path.write_text(written({code: of_kinds(kinds) for code, kinds in before.items()}))

    tally = Tally(draws=20, alarms=1)
    tally.applied["R010"], tally.alarmed["R010"] = 12, 1
    write(path, {"textures": tally})

    found = {code: each.kinds for code, each in read_measured(path.read_text()).items()}
    assert found == {DOCTOR: {"textures": (20, 1)}, "R010": {"digits": (300, 0), "textures": (12, 1)}}


def test_the_command_writes_what_it_drew(tmp_path: Path) -> None:
    """Two draws of one kind, each judged by the whole doctor."""
    path = tmp_path / "measured.json"

    assert main(["--draws", "2", "--workers", "1", "--write", "--measured", str(path), "gratings"]) == 0

    found = read_measured(path.read_text())
    assert found[DOCTOR].kinds == {"gratings": (2, 0)}
    assert all(each.draws <= 2 and not each.alarms for each in found.values())


def test_what_is_written_by_default_is_what_the_pages_show() -> None:
    assert read_measured(WRITTEN.read_text()) == measured()
