"""Train the small CNN of museum-chainer-cnn in TensorFlow, through Keras."""

import json
from pathlib import Path

import keras
import numpy as np
from shapes import CLASSES, SIZE, draw_shapes, hash_arrays

OUTPUT = Path("/output")
EPOCHS = 4
BATCH = 50


def make_net():
    net = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer=keras.optimizers.Adam(5e-3), loss=loss)
    return net


def main():
    images, labels = draw_shapes(1200)
    x = np.moveaxis(images, 1, -1)
    net = make_net()
    history = net.fit(x[:1000], labels[:1000], batch_size=BATCH, epochs=EPOCHS, shuffle=True, verbose=2)
    predicted = net.predict(x[1000:], verbose=0).argmax(axis=1)
    accuracy = float((predicted == labels[1000:]).mean())
    print(f"accuracy={accuracy:.4f}")
    found = {"accuracy": accuracy, "losses": history.history["loss"], "data": hash_arrays(images, labels)}
    (OUTPUT / "metrics.json").write_text(json.dumps(found) + "\n")
    np.savez(OUTPUT / "weights.npz", *net.get_weights())


if __name__ == "__main__":
    main()
