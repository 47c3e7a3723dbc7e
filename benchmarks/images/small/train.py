"""A script that imports NumPy and nothing else."""

import numpy  # noqa: F401
