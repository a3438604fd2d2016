"""The diagnosis as text for a terminal, as Markdown, and as a page with the offending images drawn."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from deep_mnist.doctor.finding import SEVERITIES, Finding

if TYPE_CHECKING:
    from rich.console import Console

    from deep_mnist.doctor.diagnosis import Diagnosis

PARTS = ("images", "labels")
DRAWN = 6  # drawn of one finding; a page stays far below 1 MB
MAX_DRAWN_SIDE = 512  # larger images are drawn with pixels left out
STYLES = {"error": "bold red", "warning": "bold yellow", "accepted": "bold magenta", "note": "bold cyan"}
CLASSES = {"error": "bad", "warning": "warn", "accepted": "warn", "note": "soft"}

_BODY = Path(__file__).with_name("report.html.j2")


def as_json(diagnosis: Diagnosis) -> str:
    """Return the object that `--json` prints."""
    return json.dumps(diagnosis.to_dict(), indent=1)


def as_json_of_all(diagnoses: Sequence[Diagnosis]) -> str:
    """Return one object with the verdict on all fits of a script and the diagnosis of each."""
    unfit = any(each.verdict != "fit" for each in diagnoses)
    return json.dumps(
        {"verdict": "unfit" if unfit else "fit", "fits": [each.to_dict() for each in diagnoses]}, indent=1
    )


def headline(diagnosis: Diagnosis) -> str:
    """Return the verdict in one line."""
    counts = {severity: sum(each.severity == severity for each in diagnosis.findings) for severity in SEVERITIES}
    words = [
        f"{count} {name}{'s' if count != 1 and name != 'accepted' else ''}" for name, count in counts.items() if count
    ]
    return f"{diagnosis.verdict}: {', '.join(words) or 'nothing found'}"


def print_text(diagnosis: Diagnosis, stream: TextIO | None = None) -> None:
    """Print the diagnosis to a stream, standard output by default, in color on a terminal."""
    from rich.console import Console

    write_text(diagnosis, Console(file=stream, highlight=False, soft_wrap=True, force_jupyter=False))


def as_text(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as text without color."""
    from rich.console import Console

    stream = io.StringIO()
    plain = Console(file=stream, highlight=False, soft_wrap=True, force_jupyter=False, color_system=None)
    write_text(diagnosis, plain)
    return stream.getvalue().rstrip("\n")


def write_text(diagnosis: Diagnosis, console: Console) -> None:
    """Write the diagnosis to a console of rich's."""
    from rich.text import Text

    for line in _source_lines(diagnosis):
        console.print(Text(line, "dim"))
    for finding in diagnosis.findings:
        head = Text.assemble((f"{finding.severity:9}", STYLES[finding.severity]), (f"{finding.rule.code} ", "bold"))
        console.print(head.append(finding.field, "bold").append(f"  ({finding.split})  {finding.rule.name}", "dim"))
        for name, value in (*_place(diagnosis, finding), *_lines(finding)):
            console.print(Text.assemble((f"  {name:10}", "dim"), value))
        console.print()
    for line in remarks(diagnosis):
        console.print(Text(line, "dim"))
    style = "bold green" if diagnosis.verdict == "fit" else "bold red"
    console.print(Text.assemble((headline(diagnosis), style), (f"  ({diagnosis.seconds:.2f} s)", "dim")))


def remarks(diagnosis: Diagnosis) -> list[str]:
    """Return what was not judged, a line each: what was not given, rules that broke, rules that are switched off."""
    broken = [*diagnosis.not_judged, *(each.sentence() for each in diagnosis.broken)]
    ignored = ", ".join(sorted(diagnosis.ignored))
    return broken + ([f"Switched off: {ignored}."] if ignored else [])


def _source_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the call of fit, or nothing of a folder, and what was judged and from where; then an empty line."""
    origin, case = diagnosis.origin, diagnosis.case
    if origin is not None and not (origin.path or origin.notes):
        return
    if origin is not None and origin.path:
        yield f"{origin.at(origin.line)}  {origin.call}"
    held = [(f"{name}_{part}", getattr(split, part)) for name, split in case.splits.items() for part in PARTS]
    held = [(role, array) for role, array in held if array is not None]
    width = max([13, *(len(role) for role, _ in held)])
    for role, array in held:
        place = origin.place(role) if origin is not None else f"from {_own_path(case.folder)}"
        yield f"  {role:{width}} {_form(array):28} {place}".rstrip()
    if origin is None and not held:
        return
    for note in origin.notes if origin is not None else ():
        yield f"  {note}"
    yield ""


def _own_path(path: Path) -> Path:
    """Return a file as the user has it, where its reader was given a link of another name."""
    return path.resolve() if path.is_symlink() else path


def _place(diagnosis: Diagnosis, finding: Finding) -> Iterator[tuple[str, str]]:
    place = diagnosis.origin.places(finding) if diagnosis.origin is not None else ""
    if place:
        yield "at", place


def _lines(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "expected", finding.expected
    yield "received", finding.received
    if finding.where:
        yield "first at", ", ".join(map(str, finding.where))
    yield "fix", finding.fix
    yield "otherwise", finding.why
    if finding.because:
        yield "accepted", f"because {finding.because}"


def as_markdown(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as Markdown, without images."""
    parts = [f"# Data verdict: {headline(diagnosis)}\n"]
    for finding in diagnosis.findings:
        rule = finding.rule
        parts.append(f"## {finding.severity}: {rule.code} {finding.field} ({finding.split}) {rule.name}\n")
        parts += [
            f"- **{name}**: {_code(value) if name in ('at', 'fix') else _plain(value)}"
            for name, value in (*_place(diagnosis, finding), *_lines(finding))
        ]
        parts.append("")
    parts += [f"{_plain(line)}\n" for line in remarks(diagnosis)]
    return "\n".join(parts) + f"\nJudged in {diagnosis.seconds:.2f} s.\n"


def _plain(text: str) -> str:
    """Escape what Markdown or the HTML in it would take for markup; findings quote file contents."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in text.replace("\n", " "))


def _code(text: str) -> str:
    text = text.replace("\n", " ")
    longest = max(map(len, re.findall("`+", text)), default=0)
    return f"`{text}`" if not longest else f"{'`' * (longest + 1)} {text} {'`' * (longest + 1)}"


def as_html(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as one self-contained page, the offending images drawn."""
    from deep_mnist.html import page, template

    splits = [(name, _form(split.images), _form(split.labels)) for name, split in diagnosis.case.splits.items()]
    contract = diagnosis.case.contract
    body = template(_BODY).render(
        fit=diagnosis.verdict == "fit",
        headline=headline(diagnosis),
        splits=splits,
        network=f"{contract.name}: input {contract.input_shape}, {contract.layout}, loss {contract.loss}",
        findings=[
            (
                each,
                CLASSES[each.severity],
                list(_drawings(diagnosis, each)),
                dict(_place(diagnosis, each)).get("at"),
            )
            for each in diagnosis.findings
        ],
        seconds=f"{diagnosis.seconds:.2f}",
        remarks=remarks(diagnosis),
        source=[line.strip() for line in _source_lines(diagnosis) if line] if diagnosis.origin is not None else [],
    )
    return page("Data verdict", body)


def as_frame(diagnosis: Diagnosis) -> str:
    """Return the page in an iframe, so that its style and a notebook's leave each other alone."""
    height = 260 + 260 * min(3, len(diagnosis.findings))
    import html  # for this form alone

    return f'<iframe style="width:100%;height:{height}px;border:0" srcdoc="{html.escape(as_html(diagnosis))}"></iframe>'


def _form(array: np.ndarray | None) -> str:
    return "unreadable" if array is None else f"{array.dtype} {array.shape}"


def _drawings(diagnosis: Diagnosis, finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield (caption, data URI) of the images a finding is about; train's beside it when splits differ."""
    names = [finding.split] if finding.split in diagnosis.case.splits else ["train", "test"]
    if finding.split == "model" or finding.field.startswith(("model.", "contract.")):
        return
    if finding.split == "test" and finding.field in ("images.orientation", "images.polarity", "images.distribution"):
        names = ["train", "test"]
    for name in names:
        split = diagnosis.case.splits.get(name)
        if split is None or split.images is None or not _drawable(split.images):
            continue
        count = DRAWN if len(names) == 1 else DRAWN // 2
        where = [each for each in finding.where if name == finding.split and each < len(split.images)]
        for index in (where or range(len(split.images)))[:count]:
            yield _caption(split, name, index), _drawn(split.images[index])


def _caption(split: Any, name: str, index: int) -> str:
    words = f"{name} {index}"
    if split.labels is not None and split.labels.ndim and index < len(split.labels):
        label = np.asarray(split.labels[index])
        if label.size == 1:
            words += f": {label.item()}"
        elif label.size and label.dtype.kind in "fiub":
            words += f": {label.argmax()}"
    return "".join(letter if letter.isprintable() else "." for letter in words[:60])


def _drawable(images: np.ndarray) -> bool:
    return images.dtype.kind in "fiub" and 2 <= images.ndim <= 4 and images[:1].size > 1


def _drawn(image: np.ndarray) -> str:
    steps = tuple(slice(None, None, -(-length // MAX_DRAWN_SIDE)) for length in image.shape)
    image = np.asarray(image[steps] if image.ndim > 1 else image[: MAX_DRAWN_SIDE**2])
    with np.errstate(all="ignore"):  # pixels beyond all range are drawn as well as they can be
        return _framed(image)


def _framed(image: np.ndarray) -> str:
    from deep_mnist.html import image_uri

    return image_uri(np.moveaxis(image, 0, -1) if image.ndim == 3 and image.shape[0] == 3 != image.shape[-1] else image)
