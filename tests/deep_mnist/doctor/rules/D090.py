"""A generator that takes longer than the last resort allows for a sample, and one that does not."""

import itertools

from deep_mnist.doctor.capture.collected import collect, too_slow
from tests.support.live_examples import drawn


def taken(seconds):
    x, y = drawn(32)
    return collect(itertools.repeat((x, y)), lambda _: True, seconds=seconds)


def fires():
    return too_slow("train", taken(0.0), "generator")


def silent():
    return too_slow("train", taken(3000.0), "generator")
