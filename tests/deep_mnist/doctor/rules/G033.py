"""A queue without threads, and with them."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist()
image, label = tf.train.slice_input_producer([tf.constant(x_train), tf.constant(y_train)])
images, labels = tf.train.batch([image, label], batch_size=32)
logits = tf.matmul(images, tf.Variable(tf.truncated_normal([784, 10], stddev=.1)))
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train)
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "for _ in range(100)",
            "threads = tf.train.start_queue_runners(sess)\nfor _ in range(100)",
        )
    )
