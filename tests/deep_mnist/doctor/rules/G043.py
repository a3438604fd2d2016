"""Probabilities compared with labels, and rounded before."""

from tests.support.session_programs import session_program

PROGRAM = """
a, c = moons()
X = tf.placeholder(tf.float32, [None, 2]); Y = tf.placeholder(tf.float32, [None, 1])
z = tf.matmul(tf.tanh(tf.matmul(X, tf.Variable(tf.random_normal([2, 8])))), tf.Variable(tf.random_normal([8, 1])))
p = tf.sigmoid(z)
cost = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=Y, logits=z))
train = tf.train.AdamOptimizer(0.01).minimize(cost)
accuracy = tf.reduce_mean(tf.cast(tf.equal(p, Y), tf.float32))
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run([train, accuracy], {X: a, Y: c[:, None]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("tf.equal(p, Y)", "tf.equal(tf.round(p), Y)"))
