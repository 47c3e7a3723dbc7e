"""Six models whose GPU kernels are known to add in any order, each trained for some steps; it leaves the weights."""

import json
import os
import time
from pathlib import Path

import numpy
import tensorflow as tf

GPU = os.environ.get("REPROBOX_GPU") == "1"
STEPS = 50 if GPU else 3
if GPU and not tf.config.list_physical_devices("GPU"):
    raise SystemExit("TensorFlow sees no GPU")
layers = tf.keras.layers


class Scatter(layers.Layer):
    """``unsorted_segment_sum`` of far more rows than there are places."""

    def build(self, shape):
        self.layer = layers.Dense(64)
        self.places = tf.random.uniform((4096,), 0, 16, tf.int32)

    def call(self, x):
        rows = tf.tile(self.layer(x), (4096 // 64, 1))
        return tf.math.unsorted_segment_sum(rows, self.places, 16)


def attend():
    source = layers.Input((48, 64))
    return tf.keras.Model(source, layers.MultiHeadAttention(4, 16, dropout=0.1)(source, source))


MODELS = {
    "cnn": (
        lambda: tf.keras.Sequential(
            [layers.Conv2D(16, 3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(32, 3)]
        ),
        (32, 32, 32, 3),
    ),
    "lstm": (lambda: tf.keras.Sequential([layers.LSTM(64, return_sequences=True), layers.LSTM(64)]), (32, 24, 32)),
    "embedding": (lambda: tf.keras.Sequential([layers.Embedding(32, 64), layers.Dense(8)]), (64, 128)),
    "scatter": (lambda: tf.keras.Sequential([Scatter()]), (64, 64)),
    "attention": (attend, (16, 48, 64)),
    "conv-transpose": (
        lambda: tf.keras.Sequential(
            [layers.Conv2DTranspose(16, 4, 2, activation="relu"), layers.Conv2DTranspose(3, 4, 2)]
        ),
        (16, 12, 12, 8),
    ),
}


def train(name, make, shape):
    """Return the weights after some steps, and the seconds that these took."""
    model = make()
    x = tf.random.uniform(shape, 0, 32, tf.int32) if name == "embedding" else tf.random.normal(shape)
    model(x)
    optimizer = tf.keras.optimizers.Adam(0.001)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True)))
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    step()
    began = time.monotonic()
    for _ in range(STEPS):
        step()
    # Reading them waits for the GPU.
    found = numpy.concatenate([weight.numpy().ravel() for weight in model.trainable_variables])
    return found, time.monotonic() - began


seconds = {}
for name, (make, shape) in MODELS.items():
    weights, seconds[name] = train(name, make, shape)
    numpy.save(f"/output/{name}.npy", weights)
Path("/output/seconds.json").write_text(json.dumps({"device": "cuda" if GPU else "cpu", "seconds": seconds}))
