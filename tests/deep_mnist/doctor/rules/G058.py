"""Columns as they are, and scaled."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = housing()
X = tf.placeholder(tf.float32, [None, 3]); Y = tf.placeholder(tf.float32, [None, 1])
W = tf.Variable(tf.random_normal([3, 1])); b = tf.Variable(tf.random_normal([1]))
cost = tf.reduce_mean(tf.square(tf.matmul(X, W) + b - Y))
train = tf.train.GradientDescentOptimizer(0.01).minimize(cost)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(100): _, v = sess.run([train, cost], feed_dict={X: a, Y: c.reshape(-1, 1)})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("X: a, Y", "X: scaled(a), Y"))
