"""A loop that divides by the deviation of one number, and one that divides by that of many."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("a_policy_weighs_one_step_by_its_own_deviation")


def silent():
    return healthy("a_policy_weighs_an_episode_by_its_deviation")
