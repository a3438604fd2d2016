"""Rectifiers that nothing sets off, and some that fire."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = housing(); a = np.abs(scaled(a)); c = scaled(c)
X = tf.placeholder(tf.float32, [None, 3]); Y = tf.placeholder(tf.float32, [None, 1])
W1 = tf.Variable(-tf.ones([3, 16]) + tf.random_normal([3, 16], stddev=.1)); b1 = tf.Variable(tf.fill([16], -1.0))
h = tf.nn.relu(tf.matmul(X, W1) + b1)
out = tf.matmul(h, tf.Variable(tf.random_normal([16, 1]))) + tf.Variable(tf.zeros([1]))
loss = tf.reduce_mean(tf.square(out - Y))
train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {X: a, Y: c[:, None]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "tf.Variable(-tf.ones([3, 16]) + tf",
            "tf.Variable(tf",
        ).replace(
            "tf.fill([16], -1.0)",
            "tf.zeros([16])",
        )
    )
