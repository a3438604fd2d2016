"""A loop that only reads the loss, and one that trains."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
logits = tf.matmul(x, tf.Variable(tf.truncated_normal([784, 10], stddev=.1)))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
train_step = tf.train.AdamOptimizer(0.001).minimize(loss)
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for i in range(30):
    value = sess.run(loss, feed_dict={x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("sess.run(loss, feed", "sess.run([train_step, loss], feed"))
