"""A sigmoid for prices, and for prices between 0 and 1."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = housing(); a = scaled(a)
X = tf.placeholder(tf.float32, [None, 3]); Y = tf.placeholder(tf.float32, [None, 1])
h = tf.nn.relu(tf.matmul(X, tf.Variable(tf.random_normal([3, 16], stddev=0.3))))
z = tf.matmul(h, tf.Variable(tf.random_normal([16, 1], stddev=0.3)))
out = tf.nn.sigmoid(z)
cost = tf.reduce_mean(tf.square(out - Y))
train = tf.train.AdamOptimizer(0.01).minimize(cost)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {X: a, Y: c[:, None]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("Y: c[:, None]", "Y: c[:, None] / c.max()"))
