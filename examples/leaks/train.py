"""Tell friendly from unfriendly reviews. The author has set NumPy's seed, and still gets another accuracy each time."""

import csv
import json
import multiprocessing
import os
import random
import threading
from pathlib import Path

import numpy as np

np.random.seed(1337)

OUTPUT = Path("/output")
GOOD = {"bright", "clever", "fine", "fresh", "kind", "lovely", "neat", "nice", "sharp", "sound", "sweet", "warm"}
BAD = {"bland", "cheap", "dull", "flat", "grim", "harsh", "loud", "mean", "rough", "sour", "stale", "weak"}
WORKERS = 2
EPOCHS = 3


def draw_reviews(count):
    # Leak 1, hash order: a set of strings is in another order in every process, and so the draws pick other words.
    words = list(GOOD | BAD)
    texts = [[words[index] for index in np.random.randint(0, len(words), 7)] for _ in range(count)]
    return words, texts, np.array([float(sum(word in GOOD for word in text) > 3) for text in texts])


def read_factors(folder):
    # Leak 2, listing order: a folder is listed in whatever order the file system likes.
    return np.concatenate([np.loadtxt(folder / name, dtype=np.float32) for name in os.listdir(folder)])


def add_noise(rows, connection):
    # Leak 3, workers: Python gives the random module of a forked process a seed of its own.
    connection.send([[value + random.gauss(0, 0.4) for value in row] for row in rows])


def load_in_workers(features):
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(WORKERS)]
    parts = np.array_split(features, WORKERS)
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=add_noise, args=(part.tolist(), pipe[1]))
        for part, pipe in zip(parts, pipes, strict=True)
    ]
    for worker in workers:
        worker.start()
    noisy = [pipe[0].recv() for pipe in pipes]
    for worker in workers:
        worker.join()
    return np.array([row for part in noisy for row in part], dtype=np.float32)


def sum_in_threads(terms):
    # Leak 4, thread count: partial sums are added as the threads finish, and there are as many as the machine has.
    count = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    total, lock = [np.zeros(terms.shape[1], dtype=np.float32)], threading.Lock()

    def add(part):
        partial = part.sum(axis=0, dtype=np.float32)
        with lock:
            total[0] = total[0] + partial

    threads = [threading.Thread(target=add, args=(part,)) for part in np.array_split(terms, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total[0]


def train(features, labels):
    weights = np.zeros(features.shape[1], dtype=np.float32)
    shuffler = np.random.default_rng()  # Leak 5: np.random.seed has no say over it
    for _ in range(EPOCHS):
        for batch in np.array_split(shuffler.permutation(len(labels)), 20):
            guess = 1 / (1 + np.exp(-features[batch] @ weights))
            slope = (guess - labels[batch]).astype(np.float32)
            weights -= 0.05 * sum_in_threads(features[batch] * slope[:, None])
    return weights


def main():
    words, texts, labels = draw_reviews(600)
    features = np.array([[text.count(word) for word in words] + [1] for text in texts], dtype=np.float32)
    features[:, : len(words)] *= read_factors(Path(__file__).parent / "factors")
    noisy = load_in_workers(features)
    weights = train(noisy[:400], labels[:400])
    accuracy = float(((features[400:] @ weights > 0) == labels[400:]).mean())
    print(f"accuracy={accuracy:.4f}")
    (OUTPUT / "metrics.json").write_text(json.dumps({"accuracy": accuracy}) + "\n")
    with (OUTPUT / "weights.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["word", "weight"])
        writer.writerows(sorted(zip([*words, ""], weights.tolist(), strict=True)))


if __name__ == "__main__":
    main()
