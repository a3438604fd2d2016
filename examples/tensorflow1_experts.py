"""Deep MNIST for Experts in TensorFlow 1's style, in our own words: graph, session, feed_dict.

The tutorial's input_data is in no TensorFlow any more; under the doctor it is served.

    python -m deep_mnist.doctor examples/tensorflow1_experts.py     # fit
"""

import tensorflow.compat.v1 as tf
from tensorflow.examples.tutorials.mnist import input_data

tf.disable_v2_behavior()

mnist = input_data.read_data_sets("MNIST_data", one_hot=True)


def weights(shape):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def biases(count):
    return tf.Variable(tf.constant(0.1, shape=[count]))


def convolution(images, kernels, channels):
    convolved = tf.nn.conv2d(images, weights([5, 5, channels, kernels]), strides=[1, 1, 1, 1], padding="SAME")
    rectified = tf.nn.relu(convolved + biases(kernels))
    return tf.nn.max_pool(rectified, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
keep_prob = tf.placeholder(tf.float32)

pooled = convolution(convolution(tf.reshape(x, [-1, 28, 28, 1]), 32, 1), 64, 32)
hidden = tf.nn.relu(tf.matmul(tf.reshape(pooled, [-1, 7 * 7 * 64]), weights([7 * 7 * 64, 1024])) + biases(1024))
logits = tf.matmul(tf.nn.dropout(hidden, keep_prob=keep_prob), weights([1024, 10])) + biases(10)

loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=logits))
train_step = tf.train.AdamOptimizer(1e-4).minimize(loss)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(y_, 1)), tf.float32))

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for step in range(2000):
        images, labels = mnist.train.next_batch(50)
        if step % 100 == 0:
            print(step, accuracy.eval(feed_dict={x: images, y_: labels, keep_prob: 1.0}))
        train_step.run(feed_dict={x: images, y_: labels, keep_prob: 0.5})
    print(accuracy.eval(feed_dict={x: mnist.test.images[:1000], y_: mnist.test.labels[:1000], keep_prob: 1.0}))
