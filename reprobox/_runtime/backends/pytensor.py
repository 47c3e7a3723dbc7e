"""PyTensor, and Aesara before it: generators are NumPy's, made with a graph; no GPU of their own.

https://pytensor.readthedocs.io/en/latest/tutorial/prng.html
"""

NOTE = "has no global seed: RandomStream(n) takes its own; without one it draws entropy through NumPy"


def find_version(module):
    """Return the version, with the name of the older package where it is that."""
    older = "" if module.__name__ == "pytensor" else module.__name__ + " "
    return older + str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: a graph's generators take their seeds when they are made."""
    return None


def list_switches(module, switches):
    """Return none: the flags left from Theano are about GPUs."""
    return []
