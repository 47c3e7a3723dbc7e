"""Make a Keras layer whose weights come from a function of one's own, and write them down."""

import csv
from pathlib import Path

import numpy as np
from keras.layers import Dense
from keras.models import Sequential


def draw_weights(shape, dtype=None):
    """Keras asks this for every matrix of weights; nothing here is seeded, the container does that."""
    return np.random.rand(*shape)


model = Sequential([Dense(4, input_dim=3, kernel_initializer=draw_weights), Dense(1, kernel_initializer=draw_weights)])
weights = [value for matrix in model.get_weights()[::2] for value in matrix.ravel().tolist()]
with Path("/output/weights.csv").open("w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["number", "weight"])
    writer.writerows((number, repr(weight)) for number, weight in enumerate(weights, 1))
print(f"first weight={weights[0]!r}")
