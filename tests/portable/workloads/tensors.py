"""What TensorFlow computes on a CPU, as one digest a kind of computation: a line of JSON."""

import hashlib
import json
import sys

import tensorflow as tf


def digest(tensor):
    return hashlib.sha256(tf.convert_to_tensor(tensor).numpy().tobytes()).hexdigest()[:16]


def train(act, steps=4):
    """Take a few steps by SGD and return every weight."""
    tf.random.set_seed(32)
    shapes = ((256, 64), (64,), (64, 10), (10,))
    weights = [tf.Variable(tf.random.normal(shape) * 0.05) for shape in shapes]
    x, y = tf.random.uniform((32, 256)), tf.random.uniform((32, 10))
    for _ in range(steps):
        with tf.GradientTape() as tape:
            hidden = act(x @ weights[0] + weights[1])
            loss = tf.reduce_mean((hidden @ weights[2] + weights[3] - y) ** 2)
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(0.1 * gradient)
    return tf.concat([tf.reshape(weight, [-1]) for weight in weights], 0)


tf.config.experimental.enable_op_determinism()
tf.random.set_seed(32)
x = tf.random.uniform((256, 256))
computed = {
    "uniform": x,
    "normal": tf.random.normal((5000,)),
    "shuffle": tf.random.shuffle(tf.range(5000)),
    "product": x @ tf.transpose(x),
    "exp": tf.exp(x),
    "log": tf.math.log1p(x),
    "tanh": tf.tanh(x),
    "sigmoid": tf.sigmoid(x),
    "sqrt": tf.sqrt(x),
    "division": 1.5 / (x + 1),
    "perceptron by SGD": train(tf.tanh),
}
computed["compiled perceptron by SGD"] = tf.function(lambda: tf.tanh(x @ x) / (tf.exp(x) + 1), jit_compile=True)()
json.dump({name: digest(tensor) for name, tensor in computed.items()}, sys.stdout)
