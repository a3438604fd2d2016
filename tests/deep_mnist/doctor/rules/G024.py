"""Three layers with nothing between them, and with relu."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
def W(n, m): return tf.Variable(tf.truncated_normal([n, m], stddev=0.05))
layer_1 = tf.matmul(x, W(784, 128)) + tf.Variable(tf.zeros([128]))
layer_2 = tf.matmul(layer_1, W(128, 64)) + tf.Variable(tf.zeros([64]))
logits = tf.matmul(layer_2, W(64, 10))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(0.001).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(
        PROGRAM.replace(
            "tf.matmul(layer_1, W(128, 64))",
            "tf.matmul(tf.nn.relu(layer_1), W(128, 64))",
        ).replace(
            "tf.matmul(layer_2, W(64, 10))",
            "tf.matmul(tf.nn.relu(layer_2), W(64, 10))",
        )
    )
