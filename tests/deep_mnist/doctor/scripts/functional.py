# expect: fit
import numpy as np
from tensorflow import keras

with np.load("digits.npz") as data:
    x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))

inputs = keras.Input((28, 28, 1))
hidden = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
hidden = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling2D()(hidden))
net = keras.Model(inputs, keras.layers.Dense(10)(hidden))
net.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(x=x_train[..., None], y=y_train, batch_size=32, epochs=3, validation_data=(x_test[..., None], y_test))
