"""A linear unit with Adam at 0.001, and targets of a hundred thousand."""

from tests.support.example_networks import line, regressor, rehearsed


def fires():
    return rehearsed(regressor(), *line(1e5, scale=1e4), epochs=100)


def silent():
    return rehearsed(regressor(optimizer="sgd"), *line(1e5, scale=1e4), epochs=100)  # as far as the targets are
