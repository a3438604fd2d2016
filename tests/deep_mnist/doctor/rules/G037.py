"""Training without the updates of moving averages, and with them."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist()
x = tf.placeholder(tf.float32, [None, 784]); y = tf.placeholder(tf.int64, [None]); training = tf.placeholder(tf.bool)
def batch_norm(v, units):
    mean = tf.Variable(tf.zeros([units]), trainable=False); variance = tf.Variable(tf.ones([units]), trainable=False)
    m, s = tf.nn.moments(v, [0])
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(mean, mean * .99 + m * .01))
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(variance, variance * .99 + s * .01))
    m, s = tf.cond(training, lambda: (m, s), lambda: (mean.read_value(), variance.read_value()))
    return tf.nn.batch_normalization(v, m, s, tf.Variable(tf.zeros([units])), tf.Variable(tf.ones([units])), 1e-3)
h = tf.nn.relu(batch_norm(tf.matmul(x, tf.Variable(tf.truncated_normal([784, 32], stddev=.1))), 32))
logits = tf.matmul(h, tf.Variable(tf.truncated_normal([32, 10], stddev=.1)))
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
train_op = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(10): sess.run(train_op, {x: x_train[:64], y: y_train[:64], training: True})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "sess.run(train_op, {",
            "sess.run([train_op, tf.get_collection(tf.GraphKeys.UPDATE_OPS)], {",
        )
    )
