"""Ten small MLPs, one after the other, learn which number follows in 0.0 … 0.9; each leaves its error."""

import csv
from pathlib import Path

import numpy as np
from keras.layers import Dense
from keras.models import Sequential

OUTPUT = Path("/output")
REPEATS = 10
EPOCHS = 100


def fit_once(x, y):
    model = Sequential()
    model.add(Dense(10, input_dim=1))
    model.add(Dense(1))
    model.compile(loss="mean_squared_error", optimizer="adam")
    model.fit(x, y, epochs=EPOCHS, batch_size=len(x), verbose=0)
    predicted = model.predict(x, verbose=0)
    return model, float(np.mean((y - predicted[:, 0]) ** 2))


def main():
    sequence = np.arange(10) / 10.0
    x, y = sequence[:-1], sequence[1:]
    errors = []
    for repeat in range(REPEATS):
        model, error = fit_once(x, y)
        errors.append(error)
        print(f"{repeat + 1:2d}  error={error:.12g}")
    with (OUTPUT / "errors.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["repeat", "error"])
        writer.writerows((index + 1, repr(error)) for index, error in enumerate(errors))
    np.savez(OUTPUT / "weights.npz", *model.get_weights())


if __name__ == "__main__":
    main()
