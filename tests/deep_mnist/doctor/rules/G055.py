"""Hidden units that start alike, and at random."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = flowers(); y_train = one_hot(y_train, 3)
x = tf.placeholder(tf.float32, [None, 4]); y_ = tf.placeholder(tf.float32, [None, 3])
W1 = tf.Variable(tf.ones([4, 16]) * 0.1)
b1 = tf.Variable(tf.zeros([16]))
W2 = tf.Variable(tf.ones([16, 3]) * 0.1)
b2 = tf.Variable(tf.zeros([3]))
logits = tf.matmul(tf.sigmoid(tf.matmul(x, W1) + b1), W2) + b2
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train = tf.train.AdamOptimizer(0.01).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train, y_: y_train})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.ones([4, 16]) * 0.1", "tf.random_normal([4, 16])"))
