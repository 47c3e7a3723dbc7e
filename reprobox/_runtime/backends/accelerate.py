"""Accelerate: PyTorch's, NumPy's and Python's generators, the same in every process of a job.

https://huggingface.co/docs/accelerate/concept_guides/performance#setting-the-seed
"""

NOTE = "draws from torch, numpy and random"


def find_version(module):
    """Return the version of Accelerate."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: it has no generator."""
    return None


def list_switches(module, switches):
    """Return none: they are PyTorch's."""
    return []
