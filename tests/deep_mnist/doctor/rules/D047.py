"""A coin of Python's in a mapped function, and numpy's draws in what numpy_function calls."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_coin_of_python_in_a_map")


def silent():
    return told("values_healthy.txt", "numpy_called_for_each_image")
