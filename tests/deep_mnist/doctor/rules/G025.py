"""A random first layer that is not trained, and one that is."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
W1 = tf.Variable(tf.truncated_normal([784, 32], stddev=0.1), trainable=False)
W2 = tf.Variable(tf.truncated_normal([32, 10], stddev=0.1))
logits = tf.matmul(tf.nn.relu(tf.matmul(x, W1)), W2)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(0.001).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace(", trainable=False)", ")"))
