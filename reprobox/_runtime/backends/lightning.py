"""Lightning: PyTorch's, NumPy's and Python's generators; ``seed_everything()`` finds the run's seed in the environment.

https://lightning.ai/docs/pytorch/stable/common/trainer.html#reproducibility
"""

NOTE = "draws from torch, numpy and random; Trainer(deterministic=False) switches PyTorch's deterministic kernels off"


def find_version(module):
    """Return Lightning's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: it has no generator."""
    return None


def list_switches(module, switches):
    """Return none: they are PyTorch's, and its Trainer leaves them alone unless it is told."""
    return []
