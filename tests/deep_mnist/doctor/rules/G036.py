"""A decay by a step that minimize does not count, and by one that it counts."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = line()
X = tf.placeholder(tf.float32); Y = tf.placeholder(tf.float32)
W = tf.Variable(tf.random_normal([1])); b = tf.Variable(tf.zeros([1]))
cost = tf.reduce_mean(tf.square(W * X + b - Y))
global_step = tf.Variable(0, trainable=False)
rate = tf.train.exponential_decay(0.1, global_step, 100, 0.9, staircase=True)
train = tf.train.GradientDescentOptimizer(rate).minimize(cost)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for i in range(1000): sess.run(train, {X: a, Y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("minimize(cost)", "minimize(cost, global_step=global_step)"))
