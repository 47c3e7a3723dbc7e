"""Read NumPy's and safetensors' files without trusting a byte of them."""

from __future__ import annotations

import ast
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from itertools import chain

from reprobox.compare.json_objects import make_object
from reprobox.compare.model import NotComparable
from reprobox.compare.names import escape_name
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Document, Numbers, Part, Parts, Pieces
from reprobox.layers.zip_members import ZipMembers

NPY_MAGIC = b"\x93NUMPY"
_LONGEST_NPY_HEADER = 1 << 16
_LARGEST_SAFETENSORS_HEADER = 1 << 25
_SIMPLE_TYPE = re.compile(r"[<>|=]?([biufcSUVmM])(\d{1,4})(\[[a-zA-Z0-9]{1,8}\])?")
# https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs
_SAFETENSORS_TYPES = {
    "BOOL": ("|b1", 1),
    "U8": ("|u1", 1),
    "I8": ("|i1", 1),
    "U16": ("<u2", 2),
    "I16": ("<i2", 2),
    "U32": ("<u4", 4),
    "I32": ("<i4", 4),
    "U64": ("<u8", 8),
    "I64": ("<i8", 8),
    "F16": ("<f2", 2),
    "BF16": ("bfloat16", 2),
    "F32": ("<f4", 4),
    "F64": ("<f8", 8),
    "C64": ("<c8", 8),
    "F8_E4M3": ("float8_e4m3", 1),
    "F8_E5M2": ("float8_e5m2", 1),
}


def read_npy(file: Opened) -> Document:
    """Read one array; its only part has no name."""
    return {"": parse_npy(file.pieces, file.size)}


def read_npz(archive: ZipMembers) -> Document:
    """Read an archive of arrays, whenever it was made."""
    parts = Parts()
    for name, member in archive.members.items():
        if name.endswith(".npy"):
            parts.add(escape_name(name.removesuffix(".npy")), parse_npy(_streamer(archive, name), member.size))
        else:
            parts.add(escape_name(name), Data(member.size, _streamer(archive, name)))
    return parts.found


def _streamer(archive: ZipMembers, name: str) -> Pieces:
    return lambda: archive.stream(archive.members[name])


def parse_npy(pieces: Callable[[], Iterator[bytes]], size: int) -> Part:
    """Return the array of a ``.npy`` stream; one of Python objects is bytes, for reading it would unpickle."""
    head = b""
    for piece in pieces():
        head += piece
        if len(head) > _LONGEST_NPY_HEADER:
            break
    start, dtype, shape, fortran = _parse_npy_header(head)
    simple = _SIMPLE_TYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if simple is None or not isinstance(dtype, str):
        return Data(size, pieces)
    if math.prod(shape) * int(simple[2]) * (4 if simple[1] == "U" else 1) != size - start:
        raise NotComparable("array_short")
    return Numbers(dtype, shape, lambda: _skip(pieces(), start), name_order(fortran, shape))


def _parse_npy_header(head: bytes) -> tuple[int, object, tuple[int, ...], bool]:
    """https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"""
    if head[:6] != NPY_MAGIC or len(head) < 12:
        raise NotComparable("no_npy")
    wide = head[6] >= 2
    (length,) = struct.unpack_from("<I" if wide else "<H", head, 8)
    start = (12 if wide else 10) + length
    if length > _LONGEST_NPY_HEADER or len(head) < start:
        raise NotComparable("header_short")
    try:
        header = ast.literal_eval(head[start - length : start].decode("latin-1"))
        dtype, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as exc:
        raise NotComparable("header_unread") from exc
    if not isinstance(shape, tuple) or not isinstance(fortran, bool):
        raise NotComparable("header_unread")
    check_shape(shape)
    return start, dtype, shape, fortran


def name_order(fortran: object, shape: tuple[int, ...]) -> str:
    """Return in which order the elements lie; with one axis there is but one."""
    return "F" if fortran and len(shape) > 1 else "C"


def check_shape(shape: tuple[object, ...]) -> None:
    """Raise ``NotComparable`` unless these can be the lengths of an array's axes."""
    if len(shape) > 64 or not all(type(one) is int and 0 <= one < 2**48 for one in shape):
        raise NotComparable("shape_impossible")


def _skip(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        if count < len(piece):
            return chain((piece[count:],), pieces)
        count -= len(piece)
    return iter(())


def read_safetensors(file: Opened) -> Document:
    """Read the tensors and, as text, what is said about them."""
    (length,) = struct.unpack("<Q", file.read_at(0, 8).ljust(8, b"\xff"))
    if length > _LARGEST_SAFETENSORS_HEADER or 8 + length > file.size:
        raise NotComparable("header_short")
    try:
        header = json.loads(file.read_at(8, length), object_pairs_hook=make_object)
    except (ValueError, RecursionError) as exc:
        raise NotComparable("header_no_json") from exc
    if not isinstance(header, dict):
        raise NotComparable("header_no_object")
    parts = Parts()
    places = []
    for name, entry in sorted(header.items()):
        if name == "__metadata__":
            parts.add(name, json.dumps(entry, sort_keys=True))
        else:
            tensor, begin, end = _find_tensor(file, 8 + length, entry)
            parts.add(escape_name(name), tensor)
            places.append((begin, end))
    _check_places(places, file.size - 8 - length)
    return parts.found


def _check_places(places: list[tuple[int, int]], size: int) -> None:
    """Raise unless the tensors follow one another from the first byte to the last, as the format says.

    https://github.com/huggingface/safetensors/blob/main/README.md#format
    """
    reached = 0
    for begin, end in sorted(places):
        if begin != reached:
            raise NotComparable("tensors_overlap")
        reached = end
    if reached != size:
        raise NotComparable("bytes_behind")


def _find_tensor(file: Opened, base: int, entry: object) -> tuple[Numbers, int, int]:
    """Return a tensor, and where it begins and ends."""
    try:
        assert isinstance(entry, dict)
        (begin, end), shape = entry["data_offsets"], tuple(entry["shape"])
        dtype, size = _SAFETENSORS_TYPES[entry["dtype"]]
        check_shape(shape)
        assert type(begin) is int
        assert type(end) is int
        right = 0 <= begin <= end <= file.size - base and end - begin == math.prod(shape) * size
    except (AssertionError, KeyError, TypeError, ValueError) as exc:
        raise NotComparable("tensor_undescribed") from exc
    if not right:
        raise NotComparable("tensor_beyond")
    return Numbers(dtype, shape, lambda: file.pieces(base + begin, end - begin)), begin, end
