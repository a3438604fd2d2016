"""Half of a binary cross-entropy, and the whole."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = moons()
X = tf.placeholder(tf.float32, [None, 2]); Y = tf.placeholder(tf.float32, [None, 1])
W1 = tf.Variable(tf.random_normal([2, 8])); W2 = tf.Variable(tf.random_normal([8, 1]))
out = tf.sigmoid(tf.matmul(tf.tanh(tf.matmul(X, W1)), W2))
loss = -tf.reduce_mean(Y * tf.log(out + 1e-7))
train = tf.train.AdamOptimizer(0.01).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(200): sess.run(train, feed_dict={X: a, Y: c.reshape(-1, 1)})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "-tf.reduce_mean(Y * tf.log(out + 1e-7))",
            "-tf.reduce_mean(Y * tf.log(out + 1e-7) + (1 - Y) * tf.log(1 - out + 1e-7))",
        )
    )
