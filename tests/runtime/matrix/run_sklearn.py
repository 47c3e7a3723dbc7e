"""scikit-learn with random_state=None."""

import numpy
from harness import main
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestRegressor


def draw():
    data = numpy.sin(numpy.arange(120.0)).reshape(40, 3)
    forest = RandomForestRegressor(5, n_jobs=2).fit(data, data.sum(1))
    return forest.predict(data[:8]).tolist()


def bare():
    data = numpy.sin(numpy.arange(120.0)).reshape(40, 3)
    return KMeans(3, init="random", n_init=1).fit(data).cluster_centers_.tolist()


if __name__ == "__main__":
    main(draw, bare)
