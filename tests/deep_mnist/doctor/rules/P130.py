"""Cells of a notebook that parse the command line, and those that state the arguments or know the kernel's."""

from tests.support.programs import Program, judged

PARSER = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
{more}
import keras
import numpy as np
x = np.random.rand(64, 5).astype("float32")
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x.sum(1), epochs={epochs})
"""


def of_cell(more, epochs="args.epochs"):
    return judged(Program("fields.ipynb, cell 1", PARSER.format(more=more, epochs=epochs), ()))


def fires():
    import sys

    given, sys.argv[1:] = sys.argv[1:], []
    try:
        return of_cell("args = parser.parse_args()")
    finally:
        sys.argv[1:] = given


def silent():
    return [
        *of_cell("args = parser.parse_args([])").findings,
        *of_cell("args, _ = parser.parse_known_args()").findings,
        *of_cell("args = parser.parse_args(args=['--epochs', '3'])").findings,
        *of_cell("def main():\n    return parser.parse_args()", "2").findings,
    ]
