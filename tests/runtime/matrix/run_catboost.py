"""CatBoost: a model's seed drawn from the run's, and a model without one."""

import numpy
from catboost import CatBoostRegressor
from harness import main


def fit(**seed):
    data = numpy.arange(600.0).reshape(200, 3) % 7
    model = CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False, **seed)
    return model.fit(data, data.sum(1) % 5).predict(data[:8]).tolist()


def draw():
    return fit(random_seed=int(numpy.random.randint(2**31 - 1)))


def bare():
    return fit()


if __name__ == "__main__":
    main(draw, bare)
