"""Pictures and labels side by side in a zip, and in a generator of it."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "pictures_and_labels_in_a_zip")


def silent():
    return told("generators_healthy.txt", "pictures_and_labels_of_a_zip_in_a_generator")
