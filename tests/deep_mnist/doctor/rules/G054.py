"""Two layers that start at 0, and at random."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
W1 = tf.Variable(tf.zeros([784, 64]))
b1 = tf.Variable(tf.zeros([64]))
W2 = tf.Variable(tf.zeros([64, 10]))
b2 = tf.Variable(tf.zeros([10]))
logits = tf.matmul(tf.nn.relu(tf.matmul(x, W1) + b1), W2) + b2
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "W1 = tf.Variable(tf.zeros([784, 64]))",
            "W1 = tf.Variable(tf.truncated_normal([784, 64], stddev=.1))",
        ).replace(
            "W2 = tf.Variable(tf.zeros([64, 10]))",
            "W2 = tf.Variable(tf.truncated_normal([64, 10], stddev=.1))",
        )
    )
