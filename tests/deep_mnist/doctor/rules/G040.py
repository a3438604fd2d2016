"""argmax over the first axis, and over the last."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
logits = tf.matmul(x, tf.Variable(tf.truncated_normal([784, 10], stddev=.1)))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)
correct = tf.equal(tf.argmax(logits, 0), tf.argmax(y_, 0))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run([train, accuracy], {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "tf.argmax(logits, 0), tf.argmax(y_, 0)",
            "tf.argmax(logits, 1), tf.argmax(y_, 1)",
        )
    )
