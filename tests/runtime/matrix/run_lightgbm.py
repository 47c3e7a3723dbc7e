"""LightGBM: a model's seed drawn from the run's, and a model without one."""

import numpy
from harness import main
from lightgbm import LGBMRegressor


def fit(**seed):
    data = numpy.arange(600.0).reshape(200, 3) % 7
    model = LGBMRegressor(n_estimators=5, subsample=0.5, subsample_freq=1, verbose=-1, **seed)
    return model.fit(data, data.sum(1) % 5).predict(data[:8]).tolist()


def draw():
    return fit(random_state=int(numpy.random.randint(2**31 - 1)))


def bare():
    return fit()


if __name__ == "__main__":
    main(draw, bare)
