"""One model for all folds, and a new one for each."""

from tests.support.programs import every_fit, programs

FAULTY = {each.name: each for each in programs("fits_faulty.txt")}
SOUND = {each.name: each for each in programs("fits_healthy.txt")}


def fires():
    return every_fit(FAULTY["folds_share_a_model"], ran=True)[1]


def silent():
    return every_fit(SOUND["a_new_model_for_each_fold"], ran=True)[1]
