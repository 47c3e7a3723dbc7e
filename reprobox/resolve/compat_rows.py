"""The tables of what goes together, for people to read."""

from __future__ import annotations

import difflib
from typing import Any

from packaging.version import InvalidVersion, Version

from reprobox.errors import UsageError
from reprobox.gpus.drivers import find_minimum_driver
from reprobox.resolve.compat import list_torch_builds
from reprobox.spec.packages import BUILT
from reprobox.tables import load_table

NAMES = ("torch", "tensorflow", "cuda", "images")
Row = dict[str, str]
"""What it is, and each fact in words; the same keys in every row of one kind."""


def list_rows(name: str, version: str) -> list[Row]:
    """Return the rows of a framework or of CUDA, newest first; of one version, or of all that begin with it.

    Raises ``UsageError`` for what no table has.
    """
    if name and name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}"
        raise UsageError(f"there is no table of {name}", hint=hint)
    makers = {"torch": _list_torch, "tensorflow": _list_tensorflow, "cuda": _list_cuda, "images": _list_images}
    found = [row for one in ([name] if name else NAMES) for row in makers[one]()]
    if not version:
        return found
    chosen = [row for row in found if f"{row['version']}.".startswith(f"{version}.")]
    if not chosen:
        newest = found[0]["version"]
        hint = f"the newest there is {newest}"
        if name in BUILT:
            hint += f"; a spec can say itself what it was built for: `compat: {{{name}: {{cuda: …}}}}`"
        raise UsageError(f"the table of {name} has no {version}", hint=hint)
    return chosen


def describe_rows(rows: list[Row]) -> str:
    """Return rows as lines of text, in columns; each kind has a heading of its own."""
    lines: list[str] = []
    for kind in dict.fromkeys(row["name"] for row in rows):
        table = [row for row in rows if row["name"] == kind]
        columns = [key for key in table[0] if key != "name"]
        cells = [[kind, *columns[1:]], *([row[key] for key in columns] for row in table)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
        lines += [
            "",
            *(
                "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
                for line in cells
            ),
        ]
    return "\n".join(lines[1:])


def _list_torch() -> list[Row]:
    return [
        {
            "name": "torch",
            "version": str(release["torch"]),
            "Python": _span(release["pythons"]),
            "CUDA (the usual one first)": ", ".join(list_torch_builds(str(release["torch"]))),
            "cuDNN of that": str(release["pypi_default"].get("cudnn", "")),
        }
        for release in _newest_first("compat_torch", "releases", "torch")
    ]


def _list_tensorflow() -> list[Row]:
    return [
        {
            "name": "tensorflow",
            "version": str(release["tensorflow"]),
            "Python": _span(release["pythons"]),
            "CUDA it was tested with": str(release["tested"]["cuda"]),
            "cuDNN": str(release["tested"]["cudnn"]),
        }
        for release in _newest_first("compat_tensorflow", "releases", "tensorflow")
    ]


def _list_cuda() -> list[Row]:
    return [
        {
            "name": "cuda",
            "version": str(row["cuda"]),
            "driver at least": find_minimum_driver(str(row["cuda"])) or "",
            "driver it came with": str(row.get("shipped_linux_driver", "")),
        }
        for row in _newest_first("compat_cuda_driver", "toolkits", "cuda")
    ]


def _list_images() -> list[Row]:
    """NVIDIA's images, for who compiles: ``base: {image: …}`` with a tag of these."""
    return [
        {
            "name": "images",
            "version": str(row["cuda"]),
            "system": system,
            "flavours of the tag nvidia/cuda:VERSION-FLAVOUR-SYSTEM": ", ".join(sorted(flavours)),
        }
        for row in _newest_first("cuda_images", "images", "cuda")
        for system, flavours in sorted(row["os"].items())
    ]


def _newest_first(table: str, part: str, key: str) -> list[dict[str, Any]]:
    return sorted(load_table(table)[part], key=lambda row: _order(str(row[key])), reverse=True)


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _span(pythons: list[object]) -> str:
    found = [str(python) for python in pythons]
    return found[0] if len(found) == 1 else f"{found[0]}–{found[-1]}" if found else ""
