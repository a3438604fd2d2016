"""A tenth of a layer kept, and nine tenths."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
keep_prob = tf.placeholder(tf.float32)
h = tf.nn.relu(tf.matmul(x, tf.Variable(tf.truncated_normal([784, 64], stddev=.1))))
logits = tf.matmul(tf.nn.dropout(h, keep_prob), tf.Variable(tf.truncated_normal([64, 10], stddev=.1)))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100], keep_prob: 0.1})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("keep_prob: 0.1", "keep_prob: 0.9"))
