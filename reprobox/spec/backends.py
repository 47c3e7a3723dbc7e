"""What the table of backends says: which frameworks there are, and which seeds each takes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from packaging.utils import canonicalize_name

from reprobox.spec.model import WIDE_SEED_MAX

ALIASES = {
    "pytorch": "torch",
    "tf": "tensorflow",
    "tensorflow2": "tensorflow",
    "sklearn": "scikit-learn",
    "scikit": "scikit-learn",
    "paddle": "paddlepaddle",
    "xgb": "xgboost",
    "lgbm": "lightgbm",
    "huggingface": "transformers",
}
"""What people call a framework -> its package."""


@cache
def seed_limits() -> dict[str, int]:
    """Return the largest seed of every backend, by the normalised names of its packages."""
    table = tomllib.loads(files(__package__).joinpath("backends.toml").read_text(encoding="utf-8"))
    return {
        canonicalize_name(package): entry.get("max_seed", WIDE_SEED_MAX)
        for name, entry in table.items()
        for package in (name, *entry.get("same", ()))
    }


def narrow_backends(names: Iterable[str], seed: int) -> list[str]:
    """Return those of the named packages that would not take ``seed`` unchanged, sorted."""
    limits = seed_limits()
    return sorted(name for name in {canonicalize_name(name) for name in names} if seed > limits.get(name, seed))


def mentioned_backends(requirement_text: str) -> set[str]:
    """Return the backends whose names occur as words in a requirements file of any kind."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement_text)}
    return {str(word) for word in words} & set(seed_limits())
