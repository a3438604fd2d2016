"""A layer that computes with variables of TensorFlow's, and with weights of Keras's."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("a_bilinear_layer_of_tensorflows_variables")


def silent():
    return healthy("the_same_layer_with_weights_of_keras")
