"""A summed loss at a rate that suits a mean, and the mean."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = housing(); a = scaled(a)
X = tf.placeholder(tf.float32, [None, 3]); Y = tf.placeholder(tf.float32, [None, 1])
W = tf.Variable(tf.zeros([3, 1])); b = tf.Variable(tf.zeros([1]))
cost = tf.reduce_sum(tf.square(tf.matmul(X, W) + b - Y))
train = tf.train.GradientDescentOptimizer(0.05).minimize(cost)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {X: a, Y: c[:, None]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.reduce_sum(tf.square(", "tf.reduce_mean(tf.square("))
