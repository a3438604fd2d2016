"""The champion in other forms: ONNX and LiteRT, made from the trained network, run without TensorFlow."""
