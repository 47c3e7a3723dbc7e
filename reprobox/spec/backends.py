"""What the table of backends says: which frameworks there are, and which seeds each takes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from packaging.utils import canonicalize_name

from reprobox.spec.model import SAFE_SEED_MAX, WIDE_SEED_MAX

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
def seed_limits() -> dict[str, tuple[int, int]]:
    """Return the smallest and the largest seed of every backend, by the normalised names of its packages."""
    table = tomllib.loads(files(__package__).joinpath("backends.toml").read_text(encoding="utf-8"))
    return {
        canonicalize_name(package): (entry.get("min_seed", 0), entry.get("max_seed", WIDE_SEED_MAX))
        for name, entry in table.items()
        for package in (name, *entry.get("same", ()))
    }


def explain_seed(names: Iterable[str], seed: int, whence: str = "") -> tuple[str, str] | None:
    """Return a message and a hint where one of the named packages would not take ``seed``; ``whence`` tells of them."""
    if 1 <= seed <= SAFE_SEED_MAX:
        return None
    limits = seed_limits()
    known = sorted({canonicalize_name(name) for name in names} & limits.keys())
    narrow = [name for name in known if not limits[name][0] <= seed <= limits[name][1]]
    if not narrow:
        return None
    size = "large" if seed else "small"
    return (
        f"{seed} is too {size} for {', '.join(narrow)}, which {whence}would refuse {'or shorten ' if seed else ''}it",
        f"a seed from 1 to {SAFE_SEED_MAX} is safe for every backend",
    )


def mentioned_backends(requirement_text: str) -> set[str]:
    """Return the backends whose names occur as words in a requirements file of any kind."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement_text)}
    return {str(word) for word in words} & set(seed_limits())
