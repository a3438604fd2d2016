"""One optimizer for two models, and one for each."""

from tests.support.programs import every_fit, programs

FAULTY = {each.name: each for each in programs("fits_faulty.txt")}
SOUND = {each.name: each for each in programs("fits_healthy.txt")}


def fires():
    return every_fit(FAULTY["one_optimizer_for_two_models"], ran=True)[1]


def silent():
    return every_fit(SOUND["a_search_over_rates"], ran=True)[1]
