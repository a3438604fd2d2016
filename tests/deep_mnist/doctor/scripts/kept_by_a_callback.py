# expect: fit
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train = data["x_train"], data["y_train"]

model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
keeper = keras.callbacks.ModelCheckpoint("kept_by_fit.weights.h5", save_weights_only=True)
model.fit(x_train[..., None].astype("float32") / 255, y_train, epochs=5, callbacks=[keeper])
print(model.count_params())
model.load_weights("kept_by_fit.weights.h5")
