"""TensorFlow 1, or 2 in its style: a graph's initial values, draws and a step of training in a session."""

from harness import main

try:
    import tensorflow.compat.v1 as tf
except ImportError:  # before 1.13
    import tensorflow as tf


def draw():
    with tf.Graph().as_default():
        weights = tf.get_variable("weights", (4, 2))
        loss = tf.reduce_sum(tf.nn.dropout(tf.matmul(tf.random_uniform((10, 4)), weights), 0.5) ** 2)
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(step)
            return session.run(weights).ravel().tolist()


if __name__ == "__main__":
    main(draw)
