"""Logits through relu, and as they are."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y = tf.placeholder(tf.float32, [None, 10])
def dense(v, n, m):
    return tf.nn.relu(tf.matmul(v, tf.Variable(tf.truncated_normal([n, m], stddev=0.05))) + tf.Variable(tf.zeros([m])))
hidden = dense(x, 784, 64); raw = tf.matmul(hidden, tf.Variable(tf.truncated_normal([64, 10], stddev=0.1)))
logits = tf.nn.relu(raw)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=y))
opt = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(opt, {x: x_train[:64], y: y_train[:64]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("logits = tf.nn.relu(raw)", "logits = raw"))
