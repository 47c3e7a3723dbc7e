"""Keras 3 on the backend that KERAS_BACKEND names: a model trained for an epoch."""

import keras
import numpy
from harness import main


def draw():
    data = numpy.random.rand(20, 4).astype("float32")
    model = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, data.sum(1), batch_size=5, verbose=0)
    return keras.ops.convert_to_numpy(model.layers[0].kernel).ravel().tolist()


def bare():
    return keras.ops.convert_to_numpy(keras.random.uniform((3,))).tolist()


if __name__ == "__main__":
    main(draw, bare)
