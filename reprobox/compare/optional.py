"""Formats for which a library must be there: how it is found, and images with Pillow."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Document, Numbers

_MOST_PIXELS = 1 << 28
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
            raise NotComparable("pixels_more", width=width, height=height)
        # Not their number: to count a TIFF's, Pillow looks for each among all before it.
        if getattr(image, "is_animated", False):
            raise NotComparable("pictures_several")
        data = np.ascontiguousarray(np.asarray(image))
        mode, palette, clear = str(image.mode), image.getpalette(), image.info.get("transparency")
    pixels = Numbers(data.dtype.str, data.shape, lambda: iter((data.tobytes(),)))
    return {
        "mode": mode,
        "palette": str(palette) if palette else None,
        "transparency": None if clear is None else repr(clear),
        "pixels": pixels,
    }
