"""Dropout on the scores, and on the hidden layer."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
keep = tf.placeholder(tf.float32)
h = tf.nn.relu(tf.matmul(x, tf.Variable(tf.truncated_normal([784, 64], stddev=.1))))
out = tf.matmul(h, tf.Variable(tf.truncated_normal([64, 10], stddev=.1)))
logits = tf.nn.dropout(out, keep)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100], keep: 0.5})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "out = tf.matmul(h, ",
            "out = tf.matmul(tf.nn.dropout(h, keep), ",
        ).replace(
            "logits = tf.nn.dropout(out, keep)",
            "logits = out",
        )
    )
