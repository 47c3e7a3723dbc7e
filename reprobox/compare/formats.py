"""Know a file's format by its first bytes and its name."""

from __future__ import annotations

from pathlib import PurePath

from reprobox.compare.arrays import NPY_MAGIC
from reprobox.compare.opened import Opened

_MAGIC = (
    (NPY_MAGIC, "npy"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "packed"),
    (b"BZh", "packed"),
    (b"\xfd7zXZ\0", "packed"),
    (b"\x5d\0\0", "packed"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PAR1", "parquet"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"II+\0", "image"),
    (b"MM\0+", "image"),
)
"""The last four are TIFF's, in either order of bytes, the large ones (BigTIFF) too."""
_BINARY_SUFFIXES = {".safetensors": "safetensors"}
_PICKLE_SUFFIXES = {".joblib", ".pickle", ".pkl", ".pk", ".p"}
_TEXT_SUFFIXES = {
    ".csv": "table",
    ".tsv": "table",
    ".json": "json",
    ".ipynb": "json",
    ".geojson": "json",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
}
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x78\x03", b"\x78\x7d")
_HEAD = 1 << 13


def find_format(file: Opened) -> str:
    """Return a format's name; "bytes" where none is known."""
    head = file.read_at(0, _HEAD)
    suffix = PurePath(file.name).suffix.lower()
    if suffix in _BINARY_SUFFIXES:
        return _BINARY_SUFFIXES[suffix]
    if suffix in _TEXT_SUFFIXES:
        return _TEXT_SUFFIXES[suffix]
    for magic, name in _MAGIC:
        if head.startswith(magic) and (magic != b"BM" or suffix == ".bmp"):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image"
    if suffix in _PICKLE_SUFFIXES:
        return "packed" if head.startswith(_ZLIB) else "pickle"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    return "text" if _is_text(head) else "bytes"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as exc:
        return exc.start > len(head) - 4 and len(head) == _HEAD  # cut in the middle of a character
    return bool(head)
