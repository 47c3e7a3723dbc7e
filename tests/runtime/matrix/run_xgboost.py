"""XGBoost: a model's seed drawn from the run's, and a model without one."""

import numpy
from harness import main
from xgboost import XGBRegressor


def fit(**seed):
    data = numpy.arange(600.0).reshape(200, 3) % 7
    model = XGBRegressor(n_estimators=5, subsample=0.5, **seed).fit(data, data.sum(1) % 5)
    return model.predict(data[:8]).tolist()


def draw():
    return fit(random_state=int(numpy.random.randint(2**31 - 1)))


def bare():
    return fit()


if __name__ == "__main__":
    main(draw, bare)
