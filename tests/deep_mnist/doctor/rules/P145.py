"""What to watch and keep as arguments of format(), and a path that names what it is given."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "the_best_epoch_asked_of_the_name_of_a_file")


def silent():
    return told("later_healthy.txt", "a_file_by_the_names_of_format_and_the_best_epoch")
