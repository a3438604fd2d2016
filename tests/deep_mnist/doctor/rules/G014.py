"""A softmax of one unit, and a sigmoid of it."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = moons()
X = tf.placeholder(tf.float32, [None, 2]); Y = tf.placeholder(tf.float32, [None, 1])
h = tf.nn.relu(tf.matmul(X, tf.Variable(tf.random_normal([2, 10]))))
logits = tf.matmul(h, tf.Variable(tf.random_normal([10, 1])))
cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=logits, labels=Y))
train = tf.train.AdamOptimizer(0.01).minimize(cost)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): _, v = sess.run([train, cost], feed_dict={X: a, Y: c[:, None]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.nn.softmax_cross", "tf.nn.sigmoid_cross"))
