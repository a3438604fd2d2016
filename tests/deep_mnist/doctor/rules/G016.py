"""The squared error of a softmax, and of linear outputs."""

from tests.support.session_programs import session_program

PROGRAM = """
x_train, y_train = mnist(); y_train = one_hot(y_train)
x = tf.placeholder(tf.float32, [None, 784]); y_ = tf.placeholder(tf.float32, [None, 10])
logits = tf.matmul(x, tf.Variable(tf.random_normal([784, 10]))) + tf.Variable(tf.zeros([10]))
prediction = tf.nn.softmax(logits)
loss = tf.reduce_mean(tf.square(y_ - prediction))
train = tf.train.GradientDescentOptimizer(0.2).minimize(loss)
correct = tf.equal(tf.argmax(prediction, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
sess = tf.Session(); sess.run(tf.global_variables_initializer())
for _ in range(100): sess.run(train, {x: x_train[:100], y_: y_train[:100]})
"""


def fires():
    return session_program(PROGRAM)


def silent():
    return session_program(PROGRAM.replace("prediction = tf.nn.softmax(logits)", "prediction = logits"))
