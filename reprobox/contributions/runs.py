"""The contributions among a run's outputs."""

from __future__ import annotations

from pathlib import Path

from reprobox.contributions.agreement import Comparison, compare_contributions
from reprobox.contributions.model import Contributions
from reprobox.contributions.read import META, TABLE, read_contributions
from reprobox.errors import UsageError


def has_contributions(folder: Path) -> bool:
    """Whether either file is there, readable or not."""
    return any((folder / name).is_symlink() or (folder / name).exists() for name in (TABLE, META))


def read_folder(folder: Path) -> Contributions:
    """Read what stands in ``folder``; raise ``UsageError`` as :func:`read_contributions` does."""
    return read_contributions(folder / TABLE, folder / META)


def compare_folders(a: Path, b: Path) -> Comparison | None:
    """Compare the contributions in two runs' outputs; ``None`` where one of them left none."""
    if not has_contributions(a) or not has_contributions(b):
        return None
    try:
        return compare_contributions(read_folder(a), read_folder(b))
    except UsageError as exc:
        return Comparison((), f"not compared: {exc.message.splitlines()[0]}")
