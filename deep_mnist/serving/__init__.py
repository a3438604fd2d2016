"""The champion behind the V1 inference protocol, with requests validated by the doctor.

    python -m deep_mnist.serving ./registry --model-name mnist

One process, four rooms, imports go down only:

    http/         the routes (app.py), bodies, limits, connections, the pages
    monitoring/   metrics; the drift of what is sent
    requests/     a body becomes an array or an error response; the array is held against the training data; predictions
    model/        the version that the registry's pointer names, swapped in the background; its reference profile

TensorFlow is imported where a model is loaded, FastAPI where the server is made.
"""
