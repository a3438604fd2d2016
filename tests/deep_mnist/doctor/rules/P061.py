"""Layers unfrozen between two fits, without compile() and with it."""

from tests.support.programs import every_fit, programs

FAULTY = {each.name: each for each in programs("fits_faulty.txt")}
SOUND = {each.name: each for each in programs("fits_healthy.txt")}


def fires():
    return every_fit(FAULTY["unfrozen_and_not_compiled"], ran=True)[1]


def silent():
    return every_fit(SOUND["fine_tuning_slowly"], ran=True)[1]
