"""Variables restored and then initialized, and the other way round."""

from tests.support.session_programs import session_program

PROGRAM = """
import tempfile, os
x_train, y_train = flowers()
x = tf.placeholder(tf.float32, [None, 4]); y = tf.placeholder(tf.int64, [None])
logits = tf.matmul(x, tf.Variable(tf.random_normal([4, 3]))) + tf.Variable(tf.zeros([3]))
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
train = tf.train.AdamOptimizer(0.01).minimize(loss)
saver = tf.train.Saver(); path = os.path.join(tempfile.mkdtemp(), "model.ckpt")
with tf.Session() as sess: sess.run(tf.global_variables_initializer()); saver.save(sess, path)
with tf.Session() as sess:
    saver.restore(sess, path)
    sess.run(tf.global_variables_initializer())
    for _ in range(10): sess.run(train, {x: x_train, y: y_train})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "    saver.restore(sess, path)\n    sess.run(tf.global_variables_initializer())",
            "    sess.run(tf.global_variables_initializer())\n    saver.restore(sess, path)",
        )
    )
