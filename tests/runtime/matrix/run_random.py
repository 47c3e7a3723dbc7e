"""Python's own generator."""

import random

from harness import main


def draw():
    return [random.random() for _ in range(4)]


def bare():
    return random.Random().random()


if __name__ == "__main__":
    main(draw, bare)
