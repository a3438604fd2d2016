"""The logarithm of the last layer as it is, and of its softmax."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
W = tf.Variable(tf.truncated_normal([784, 10], stddev=0.1)); b = tf.Variable(tf.constant(0.1, shape=[10]))
y = tf.matmul(x, W) + b
cross_entropy = tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(y), axis=1))
train_step = tf.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(300): sess.run(train_step, feed_dict={x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.log(y)", "tf.log(tf.nn.softmax(y) + 1e-9)"))
