"""Two gradients of one tape, that forgets what it recorded and that keeps it."""

from tests.support.crashing import crashed

ASKED = """import tensorflow as tf
x = tf.Variable(3.0)
with tf.GradientTape({}) as tape:
    square, cube = x**2, x**3
first = tape.gradient(square, x)
second = tape.gradient(cube, x)
"""


def fires():
    return crashed(ASKED.format(""))


def silent():
    return crashed(ASKED.format("persistent=True"))
