"""Pictures that went through numpy and lost their shape, and such that were given it again."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "pictures_through_numpy_in_a_dataset")


def silent():
    return told("generators_healthy.txt", "pictures_through_numpy_with_their_shape")
