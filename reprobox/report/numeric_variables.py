"""Which environment variables change numbers: those alone are shown, since others may be secrets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reprobox.backend_variables import load_variables
from reprobox.determinism import Switch, decide_environment
from reprobox.pins import pinned_variables
from reprobox.tables import load_table

_EVERYTHING: dict[str, Switch] = {"hash_seed": 0, "threads": 1, "deterministic_kernels": True, "cublas_workspace": ""}


def select_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those of an environment that change numbers, sorted."""
    return {name: environment[name] for name in sorted(environment) if name in list_numeric_variables()}


@cache
def list_numeric_variables() -> frozenset[str]:
    """Return what the levels set, what single backends read, what pins processors, and what else is known."""
    ours = decide_environment(_EVERYTHING, {}).keys()
    others = {entry["name"] for entry in load_table("numeric_variables")["variables"]}
    return frozenset({*ours, *others, *pinned_variables(), *(entry["name"] for entry in load_variables())})
