"""SciPy's distributions draw from NumPy's global generator, its quasi-random sequences from a fresh one."""

from harness import main
from scipy import stats


def draw():
    return stats.gamma.rvs(2.0, size=4).tolist()


def bare():
    return stats.qmc.Sobol(2).random(2).tolist()


if __name__ == "__main__":
    main(draw, bare)
