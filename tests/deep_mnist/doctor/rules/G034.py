"""Images and labels by two calls of get_next, and by one."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist()
dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(400).repeat().batch(32)
iterator = tf.data.make_one_shot_iterator(dataset)
images = iterator.get_next()[0]
labels = iterator.get_next()[1]
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
            "images = iterator.get_next()[0]\nlabels = iterator.get_next()[1]",
            "images, labels = iterator.get_next()",
        )
    )
