"""What drawing a sample itself shows of a pipeline: no batches, or too slow for a whole sample."""

from __future__ import annotations

from deep_mnist.doctor.capture.draw import LAST_RESORT_SECONDS, Collected
from deep_mnist.doctor.capture.rules import DRAWN_TOO_SLOWLY, NOT_BATCHED
from deep_mnist.doctor.finding import Finding


def too_slow(split: str, taken: Collected, source: str) -> list[Finding]:
    """Return the note that a sample is smaller than usual for want of time, [] where it is not."""
    if not taken.out_of_time:
        return []
    found = DRAWN_TOO_SLOWLY.found(
        split,
        expected=f"a {source} that yields a sample within {LAST_RESORT_SECONDS:.0f} s",
        received=f"{taken.examples} examples in that time",
        fix="Save some hundred prepared examples and give the doctor these: doctor.check(model, x, y).",
    )
    return [found]


def unbatched(split: str, name: str, shape: tuple[int, ...]) -> Finding:
    """Return the finding on a pipeline that yields one example at a time."""
    return NOT_BATCHED.found(
        split,
        expected=f"batches: shape (batch, {', '.join(map(str, shape))})",
        received=f"one example at a time, shape {shape}: {name} is not batched",
        fix=f"{name} = {name}.batch(32)",
    )
