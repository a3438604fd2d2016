"""A loop that adds operations to the graph, and one that only runs it."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = line()
X = tf.placeholder(tf.float32); Y = tf.placeholder(tf.float32)
W = tf.Variable(0.5); b = tf.Variable(0.0)
cost = tf.reduce_mean(tf.square(X * W + b - Y))
train = tf.train.GradientDescentOptimizer(0.1).minimize(cost)
error = tf.reduce_mean(tf.abs(X * W + b - Y))
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for step in range(100):
    sess.run(train, {X: a, Y: c})
    sess.run(tf.reduce_mean(tf.abs(X * W + b - Y)), {X: a, Y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "sess.run(tf.reduce_mean(tf.abs(X * W + b - Y)), {",
            "sess.run(error, {",
        )
    )
