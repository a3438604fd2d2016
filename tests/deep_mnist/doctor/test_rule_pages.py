"""The pages of rules are those that the rules, their examples and what was measured of them give."""

from __future__ import annotations

import re
from pathlib import Path

from deep_mnist.doctor.report.measured import measured, of_kinds, read_measured, written
from deep_mnist.doctor.report.pages import rule_page, rules_index
from deep_mnist.doctor.rule import IMAGES, LABELS_UNSOUND, Follows, Need, Rule, Scope
from tests.support.rule_pages import DOCS, write_pages

LINK = re.compile(r"\]\(([^)#:]+)\)")
ODD = Rule(
    code="ZZ001", name="images-odd", field="images.range", severity="warning", scope=Scope.INPUT, summary="Odd | even.",
    why="Nothing good.", needs=(Need.SURVEY,), inputs=IMAGES,
    follows=(Follows(rules=("R030",)), Follows(fields=LABELS_UNSOUND, least="error")),
)  # fmt: skip
EXAMPLE = '''"""Halves."""

from nowhere import judged

HALF = 0.5


def fires():
    # a comment of its own
    x = HALF
    return judged(x)


def silent():
    if HALF:
        return judged(1)
    return judged(2)
'''


def texts(folder: Path) -> dict[str, str]:
    found = [folder / "rules.md", *(folder / "rules").glob("*.md")]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_the_pages_are_current(tmp_path: Path) -> None:
    """What is written now is what docs/ holds; pages of rules that are no more are gone."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "R999.md").write_text("of a rule that is no more")
    write_pages(tmp_path)

    now, kept = texts(tmp_path), texts(DOCS)
    stale = sorted(name for name in now.keys() | kept.keys() if now.get(name) != kept.get(name))
    assert stale == [], "python -m tests.support.rule_pages writes these anew"


def test_every_link_of_a_page_leads_somewhere() -> None:
    pages = [DOCS / "rules.md", *(DOCS / "rules").glob("*.md")]

    links = [(page.name, link) for page in pages for link in LINK.findall(page.read_text())]
    assert links and [link for link in links if not ((DOCS / "rules") / Path(link[1]).name).is_file()] == []


def test_a_page_says_all_that_a_rule_declares() -> None:
    """Field, needs, kinds of input, causes, both examples without their frame, and what a person may do."""
    page = rule_page(ODD, EXAMPLE)

    assert page.startswith("# ZZ001 images-odd\n\nOdd | even.\n")
    for said in (
        "| field | `images.range` |",
        "| needs | images that are numbers on two axes or more |",
        "| kinds of input | flattened images, images |",
        "- [R030](R030.md) units-dead, in the same split\n- anything on `labels.values`, ",
        "in the same split, as an error",
        "```python\nHALF = 0.5\n\n# a comment of its own\nx = HALF\njudged(x)\n```",
        "```python\nif HALF:\n    return judged(1)\nreturn judged(2)\n```",
        "Not measured on drawn data: ",
        '--accept ZZ001="the reason"',
        'ignore = ["ZZ001"]',
    ):
        assert said in page
    assert "Examples" not in rule_page(ODD)
    assert "| [ZZ001](rules/ZZ001.md) images-odd | warning | Odd \\| even. |" in rules_index([ODD])


def test_measurements_are_read_as_they_are_written() -> None:
    """The file that the package holds is one; sums follow from the kinds of data."""
    of_two = {"I103": of_kinds({"digits": (300, 0), "photos": (200, 1)})}

    assert (of_two["I103"].draws, of_two["I103"].alarms) == (500, 1)
    assert read_measured(written(of_two)) == of_two
    assert read_measured(written(measured())) == measured()
