"""A softmax over the first axis, and over the last."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
logits = tf.matmul(x, tf.Variable(tf.truncated_normal([784, 10], stddev=.1))) + tf.Variable(tf.zeros([10]))
y = tf.nn.softmax(logits, axis=0)
loss = -tf.reduce_mean(tf.reduce_sum(y_ * tf.log(y + 1e-9), axis=1))
train_step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train_step, {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("axis=0)", "axis=1)"))
