# expect: unusable compat.v1
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, 784])
