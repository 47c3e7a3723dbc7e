"""Transformers: the generators of PyTorch, NumPy and Python; its Trainer seeds them itself.

https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments.seed
"""

from ..switches import environment_switch

NOTE = "draws from torch, numpy and random; Trainer seeds all of them with TrainingArguments(seed=42) unless told"


def find_version(module):
    """Return the version of Transformers."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed nothing: it has no generator."""
    return None


def list_switches(module, switches):
    """Return the check of the variable that makes flash-attn's backward deterministic."""
    return [environment_switch("FLASH_ATTENTION_DETERMINISTIC", "1")] if switches.get("deterministic_kernels") else []
