"""The champion behind the V1 inference protocol, with the doctor at the door.

    python -m deep_mnist.serving ./registry --model-name mnist

One process: `champion.py` loads the version that the registry's pointer names and swaps in the next one in the
background; `request.py` and `structure.py` turn a body into an array or refuse it; `served_model.py` predicts; `app.py`
holds the routes. TensorFlow is imported where a model is loaded, FastAPI where the server is made.
"""
