"""The sum of the losses of a batch, and their mean."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
h = tf.nn.relu(tf.matmul(x, tf.Variable(tf.truncated_normal([784, 64], stddev=.1))))
y = tf.nn.softmax(tf.matmul(h, tf.Variable(tf.truncated_normal([64, 10], stddev=.1))))
loss = -tf.reduce_sum(y_ * tf.log(tf.clip_by_value(y, 1e-10, 1.0)))
train = tf.train.AdamOptimizer(1e-4).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(50): sess.run(train, {x: x_train[:50], y_: y_train[:50]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("loss = -tf.reduce_sum(y_", "loss = -tf.reduce_mean(y_"))
