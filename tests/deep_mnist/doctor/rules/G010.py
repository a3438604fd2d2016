"""A cross-entropy without its minus, and with it."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
X = tf.placeholder(tf.float32, [None, 784]); Y = tf.placeholder(tf.float32, [None, 10])
w = tf.Variable(tf.random_normal([784, 10], stddev=0.01)); b = tf.Variable(tf.zeros([10]))
hypothesis = tf.nn.softmax(tf.matmul(X, w) + b)
cost = tf.reduce_mean(tf.reduce_sum(Y * tf.log(tf.clip_by_value(hypothesis, 1e-8, 1.0)), axis=1))
optimizer = tf.train.GradientDescentOptimizer(0.1).minimize(cost)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(15):
        for i in range(4):
            k = slice(i * 100, i * 100 + 100)
            c, _ = sess.run([cost, optimizer], feed_dict={X: x_train[k], Y: y_train[k]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.reduce_mean(tf.reduce_sum(Y", "tf.reduce_mean(-tf.reduce_sum(Y"))
