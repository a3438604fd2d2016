"""The mean of whole numbers, and of floats."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = flowers()
x = tf.placeholder(tf.float32, [None, 4]); y = tf.placeholder(tf.int64, [None])
logits = tf.matmul(x, tf.Variable(tf.random_normal([4, 3]))) + tf.Variable(tf.zeros([3]))
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
train = tf.train.AdamOptimizer(0.01).minimize(loss)
hits = tf.equal(tf.argmax(logits, 1), y)
accuracy = tf.reduce_mean(tf.cast(hits, tf.int32))
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run([train, accuracy], {x: x_train, y: y_train})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.int32", "tf.float32"))
