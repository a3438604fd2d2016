"""Predictions (n, 1) minus labels (n,), and minus labels (n, 1)."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = housing(); a = scaled(a); c = scaled(c)
x = tf.placeholder(tf.float32, [None, 3]); y = tf.placeholder(tf.float32, [None])
W = tf.Variable(tf.random_normal([3, 1])); b = tf.Variable(tf.zeros([1]))
pred = tf.matmul(x, W) + b
loss = tf.reduce_mean(tf.square(pred - y))
train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for i in range(500): sess.run(train, feed_dict={x: a, y: c})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.square(pred - y)", "tf.square(pred - y[:, None])"))
