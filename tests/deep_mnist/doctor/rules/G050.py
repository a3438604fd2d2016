"""A logarithm of labels of which one is 0, and kept from it."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = line(); c = np.abs(c); c[0] = 0
X = tf.placeholder(tf.float32); Y = tf.placeholder(tf.float32)
W = tf.Variable(0.5); b = tf.Variable(0.0)
target = tf.log(Y)
cost = tf.reduce_mean(tf.square(X * W + b - target))
train = tf.train.GradientDescentOptimizer(0.1).minimize(cost)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for step in range(100): sess.run(train, {X: a, Y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.log(Y)", "tf.log(Y + 1e-3)"))
