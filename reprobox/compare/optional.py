"""Formats for which a library must be there: images with Pillow, Parquet with PyArrow."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Document, Numbers, Parts

_MOST_PIXELS = 1 << 28
_MOST_BYTES = 1 << 31
"""Of a Parquet file, unpacked."""
_IMAGES = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def find_library(name: str) -> Any | None:  # noqa: ANN401 — a module, or none
    """Import a library that need not be there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def read_image(file: Opened, pillow: Any) -> Document:  # noqa: ANN401
    """Read the pixels; when and by what program an image was written is no content."""
    with file.path.open("rb") as stream, pillow.open(stream, formats=_IMAGES) as image:
        width, height = image.size
        if width * height > _MOST_PIXELS:
            raise NotComparable(f"it has {width} × {height} pixels")
        if getattr(image, "n_frames", 1) > 1:
            raise NotComparable("it has several pictures in one file")
        data = np.ascontiguousarray(np.asarray(image))
        mode, palette = str(image.mode), image.getpalette()
    pixels = Numbers(data.dtype.str, data.shape, lambda: iter((data.tobytes(),)))
    return {"mode": mode, "palette": str(palette) if palette else None, "pixels": pixels}


def read_parquet(file: Opened, parquet: Any) -> Document:  # noqa: ANN401
    """Read the columns one by one, each as its Arrow buffers."""
    table = parquet.ParquetFile(str(file.path), memory_map=True)
    total = sum(table.metadata.row_group(index).total_byte_size for index in range(table.metadata.num_row_groups))
    if total > _MOST_BYTES:
        raise NotComparable(f"it unpacks to {total} bytes; more than {_MOST_BYTES} are not read")
    parts = Parts()
    for name in table.schema_arrow.names:
        parts.add(name, _read_column(table, name))
    return parts.found


def _read_column(table: Any, name: str) -> Numbers | Data:  # noqa: ANN401
    column = table.read(columns=[name]).column(0)
    if column.null_count == 0 and str(column.type) in {"float", "double", "halffloat", "bool", *_whole_types()}:
        array = column.to_numpy()
        return Numbers(array.dtype.str, array.shape, lambda: iter((array.tobytes(),)))
    values = [repr(value).encode("utf-8", "surrogateescape") for value in column.to_pylist()]
    return Data(sum(map(len, values)), lambda: _join(values))


def _whole_types() -> Iterator[str]:
    for sign in ("", "u"):
        yield from (f"{sign}int{bits}" for bits in (8, 16, 32, 64))


def _join(values: list[bytes]) -> Iterator[bytes]:
    for value in values:
        yield value + b"\n"
