"""Variables initialized in the loop, and before it."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = line()
X = tf.placeholder(tf.float32); Y = tf.placeholder(tf.float32)
W = tf.Variable(tf.random_normal([1])); b = tf.Variable(tf.zeros([1]))
cost = tf.reduce_mean(tf.square(W * X + b - Y))
train = tf.train.GradientDescentOptimizer(0.1).minimize(cost)
with tf.Session() as sess:
    for step in range(1000):
        sess.run(tf.global_variables_initializer())
        sess.run(train, feed_dict={X: a, Y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "    for step in range(1000):\n        sess.run(tf.global_variables_initializer())",
            "    sess.run(tf.global_variables_initializer())\n    for step in range(1000):",
        )
    )
