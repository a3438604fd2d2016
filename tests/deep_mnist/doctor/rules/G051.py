"""A loss that grows with its weights at every rate, and one that does not."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = line()
X = tf.placeholder(tf.float32); Y = tf.placeholder(tf.float32)
W = tf.Variable(1.0); b = tf.Variable(0.0)
cost = tf.reduce_mean(tf.square(X * W + b - Y))
gradients = tf.gradients(cost, [W, b])
train = tf.train.GradientDescentOptimizer(0.1).apply_gradients([(-gradients[0], W), (-gradients[1], b)])
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for step in range(100): sess.run(train, {X: a, Y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "(-gradients[0], W), (-gradients[1], b)",
            "(gradients[0], W), (gradients[1], b)",
        )
    )
