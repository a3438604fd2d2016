"""The champion behind the V1 and V2 inference protocols, with requests validated by the doctor.

    python -m deep_mnist.serving ./registry --model-name mnist

One process, four rooms, imports go down only:

    http/         the routes (app.py, v1_routes.py, v2_routes.py), bodies, limits, connections, the pages
    monitoring/   metrics; the drift of what is sent
    requests/     a body becomes an array or an error response (v1.py, v2.py); what waits together is predicted together
                  and held against the training data
    model/        the version that the registry's pointer names, swapped in the background; its reference profile

TensorFlow is imported where a model is loaded, FastAPI where the server is made.
"""
