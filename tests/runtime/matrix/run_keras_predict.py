"""Keras 3 on a backend that does not train: initial weights, predictions and dropout."""

import keras
import numpy
from harness import main


def draw():
    data = numpy.random.rand(20, 4).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    dropped = keras.layers.Dropout(0.5)(data, training=True)
    return [model.predict(data, verbose=0).ravel().tolist(), keras.ops.convert_to_numpy(dropped).ravel().tolist()]


def bare():
    return keras.ops.convert_to_numpy(keras.random.uniform((3,))).tolist()


if __name__ == "__main__":
    main(draw, bare)
