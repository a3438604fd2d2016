"""A base tuned at the rate of its head, and at a hundredth."""

from tests.support.programs import every_fit, programs

FAULTY = {each.name: each for each in programs("fits_faulty.txt")}
SOUND = {each.name: each for each in programs("fits_healthy.txt")}


def fires():
    return every_fit(FAULTY["fine_tuning_at_the_rate_of_the_head"], ran=True)[1]


def silent():
    return every_fit(SOUND["fine_tuning_slowly"], ran=True)[1]
