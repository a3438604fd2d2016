# expect: fit model.optimizer
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()

with np.load("digits.npz") as data:
    images, labels = data["x_train"].reshape(-1, 784) / np.float32(255), np.eye(10)[data["y_train"]]

x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
W = tf.Variable(tf.truncated_normal([784, 10], stddev=0.1))
b = tf.Variable(tf.zeros([10]))
scores = tf.matmul(x, W) + b
y = tf.nn.softmax(scores)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=scores))
train_step = tf.train.AdamOptimizer(0.5).minimize(loss)

sess = tf.InteractiveSession()
sess.run(tf.global_variables_initializer())
for i in range(10):
    batch = np.random.choice(600, 50)
    sess.run(train_step, feed_dict={x: images[batch], y_: labels[batch]})
