"""Gymnasium: an environment's seed drawn from the run's, and one without."""

import gymnasium
import numpy
from harness import main


def play(seed):
    world = gymnasium.make("CartPole-v1")
    world.action_space.seed(seed)
    first = world.reset(seed=seed)[0].tolist()
    return first + [world.step(world.action_space.sample())[0].tolist() for _ in range(5)]


def draw():
    seed = int(numpy.random.randint(2**31 - 1))
    return play(seed)


def bare():
    return play(None)


if __name__ == "__main__":
    main(draw, bare)
