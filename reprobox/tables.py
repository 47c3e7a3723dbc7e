"""The tables of facts in ``data/``: YAML, each with its sources."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_table(name: str) -> dict[str, Any]:
    """Return the table ``data/<name>.yaml``."""
    import yaml  # late, and the C parser: a table takes 20 ms where pure Python takes 200

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (files("reprobox") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=loader)
    return table
