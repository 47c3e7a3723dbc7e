"""Two files -> what differs between them, by the format they have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from reprobox.compare.arrays import read_npy, read_npz, read_safetensors
from reprobox.compare.documents import compare_documents
from reprobox.compare.formats import find_format
from reprobox.compare.hdf5 import read_hdf5
from reprobox.compare.model import (
    MOST_DIFFERENCES,
    Difference,
    FileComparison,
    NotComparable,
    Remark,
    Result,
    Tolerance,
    make_difference,
    make_remark,
)
from reprobox.compare.opened import Opened, open_file, pair_blocks, same_pieces, spool
from reprobox.compare.optional import find_library, read_image
from reprobox.compare.parquet_files import read_parquet
from reprobox.compare.parts import Document
from reprobox.compare.pickled import read_pickled
from reprobox.compare.tables import compare_tables
from reprobox.compare.texts import compare_texts, read_json, read_json_lines
from reprobox.compare.torch_files import is_torch, read_torch
from reprobox.compare.unpacking import unpack
from reprobox.errors import ReproboxError
from reprobox.layers.zip_members import ZipMembers, open_zip

Remarks = tuple[Remark, ...]
Found = tuple[str, int, list[Difference], Remarks]
"""The format, how many parts were looked at, what differs, and remarks."""
_LARGEST_DIRECTORY = 1 << 24
"""Bytes of a zip archive's table of contents: it is read as a whole."""
_LONGEST_END = 0xFFFF + 22 + 20 + 56
_READERS: dict[str, Callable[[Opened], Document]] = {
    "npy": read_npy,
    "safetensors": read_safetensors,
    "pickle": read_pickled,
    "json": read_json,
    "json lines": read_json_lines,
}
_LIBRARIES = {
    "image": ("PIL.Image", "pillow"),
    "parquet": ("pyarrow.parquet", "pyarrow"),
    "hdf5": ("h5py", "h5py"),
}
"""Module and package, from the extra ``compare``."""
_NO_CONTENT = re.compile(r"^date_saved$|\.shared_object_id$")
"""Keys in Keras's archives: when it was written, and addresses of the process that wrote it."""
_MOST_NESTED = 2
"""Archives within archives."""
_MOST_REMARKS = 3
"""On what is packed in an archive."""


def compare_files(one: Path, other: Path, tolerance: Tolerance | None = None) -> FileComparison:
    """Compare two files; what cannot be read ends in NOT_COMPARABLE with the reason, never in an error.

    Reads at most one block of each array, one line of each table and one small document at a time into memory.
    """
    kind = "bytes"
    try:
        with open_file(one) as a, open_file(other) as b:
            if a.size == b.size and same_pieces(a.pieces(), b.pieces()):
                return FileComparison(kind, Result.SAME_BYTES, 1, tolerable=True)
            kind = find_format(a)
            return _judge(*_compare(a, b, tolerance or Tolerance(), _MOST_NESTED))
    except NotComparable as exc:
        return FileComparison(kind, Result.NOT_COMPARABLE, 0, remarks=(Remark(exc.reason),))
    except ReproboxError as exc:
        return FileComparison(kind, Result.NOT_COMPARABLE, 0, remarks=make_remark("told", text=exc.message[:300]))
    except Exception as exc:  # a reader that a hostile file has led astray
        remarks = make_remark("cannot_read", kind=kind, error=str(exc)[:260])
        return FileComparison(kind, Result.NOT_COMPARABLE, 0, remarks=remarks)


def _judge(kind: str, parts: int, differences: list[Difference], remarks: Remarks) -> FileComparison:
    return FileComparison(
        format=kind,
        result=Result.DIFFERENT if differences else Result.SAME_CONTENT,
        parts=parts,
        differences=tuple(differences[:MOST_DIFFERENCES]),
        differing_parts=len(differences),
        tolerable=all(one.tolerable for one in differences),
        remarks=remarks,
    )


def _compare(a: Opened, b: Opened, tolerance: Tolerance, depth: int) -> Found:
    kind, other = find_format(a), find_format(b)
    if kind != other:
        return kind, 1, [make_difference("", "kinds", one=kind, other=other)], ()
    match kind:
        case "table":
            return kind, *compare_tables(a, b, tolerance), ()
        case "text":
            return kind, *compare_texts(a, b, tolerance), ()
        case "zip":
            return _compare_archives(a, b, tolerance, depth)
        case "packed":
            with unpack(a) as inner, unpack(b) as inners:
                return _compare_inner(inner, inners, tolerance, depth)
        case "image" | "parquet" | "hdf5":
            return _compare_with_library(kind, a, b, tolerance)
        case _ if kind in _READERS:
            read = _READERS[kind]
            return _compare_documents(kind, read(a), read(b), tolerance)
        case _:
            return kind, 1, _compare_bytes(a, b), make_remark("format_unknown")


def _compare_inner(a: Opened, b: Opened, tolerance: Tolerance, depth: int) -> Found:
    if depth == 0:
        return "bytes", 1, _compare_bytes(a, b), make_remark("archives_deep")
    return _compare(a, b, tolerance, depth - 1)


def _compare_bytes(a: Opened, b: Opened) -> list[Difference]:
    start = 0
    for x, y in pair_blocks(a.pieces(), b.pieces(), 1 << 20):
        if x != y:
            shorter = min(len(x), len(y))
            place = next((index for index in range(shorter) if x[index] != y[index]), shorter)
            return [make_difference("", "bytes_at", one=a.size, other=b.size, place=start + place)]
        start += len(x)
    return []


def _compare_documents(kind: str, one: Document, other: Document, tolerance: Tolerance) -> Found:
    return kind, len(one), list(compare_documents(one, other, tolerance)), ()


def _compare_with_library(kind: str, a: Opened, b: Opened, tolerance: Tolerance) -> Found:
    name, package = _LIBRARIES[kind]
    library = find_library(name)
    if library is None:
        return kind, 1, _compare_bytes(a, b), make_remark("library_missing", package=package)
    with ExitStack() as opened:
        one, other = (_read_with_library(kind, file, library, opened) for file in (a, b))
        return _compare_documents(kind, one, other, tolerance)


def _read_with_library(kind: str, file: Opened, library: Any, opened: ExitStack) -> Document:  # noqa: ANN401
    match kind:
        case "image":
            return read_image(file, library)
        case "parquet":
            return read_parquet(file, library)
        case _:
            return read_hdf5(file, library, opened)


def _compare_archives(a: Opened, b: Opened, tolerance: Tolerance, depth: int) -> Found:
    with ExitStack() as opened:
        one, other = (opened.enter_context(_open_archive(file)) for file in (a, b))
        names = (*one.members, *other.members)
        if names and all(name.endswith(".npy") for name in names):
            return _compare_documents("npz", read_npz(one), read_npz(other), tolerance)
        if is_torch(one) and is_torch(other):
            return _compare_documents("torch", read_torch(one, opened), read_torch(other, opened), tolerance)
        kind = "keras" if "model.weights.h5" in one.members else "zip"
        return _compare_members(kind, one, other, tolerance, depth)


@contextmanager
def _open_archive(file: Opened) -> Iterator[ZipMembers]:
    # Where the two kinds of records that say how long the table of contents is can stand.
    end = file.read_at(max(0, file.size - _LONGEST_END), _LONGEST_END)
    sizes = [end[place + 12 : place + 16] for place in _find_all(end, b"PK\x05\x06")]
    sizes += [end[place + 40 : place + 48] for place in _find_all(end, b"PK\x06\x06")]
    if any(int.from_bytes(size, "little") > _LARGEST_DIRECTORY for size in sizes):
        raise NotComparable("contents_long")
    with open_zip(file.path, "it") as archive:
        yield archive


def _find_all(data: bytes, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)


def _compare_members(kind: str, one: ZipMembers, other: ZipMembers, tolerance: Tolerance, depth: int) -> Found:
    """Compare what lies in two archives, file by file; when it was put there is no content."""
    differences = [
        make_difference(name, f"only_{where}")
        for where, names in (
            ("first", one.members.keys() - other.members.keys()),
            ("second", other.members.keys() - one.members.keys()),
        )
        for name in sorted(names)
    ]
    remarks: list[Remark] = []
    for name in one.members.keys() & other.members.keys():
        found, remarked = _compare_member(name, one, other, tolerance, depth)
        differences += found
        remarks += remarked
    remarks.sort(key=lambda remark: (remark.member, remark.reason.key, remark.reason.values))
    return kind, len(one.members), sorted(differences, key=lambda item: item.part), tuple(remarks[:_MOST_REMARKS])


def _compare_member(
    name: str, one: ZipMembers, other: ZipMembers, tolerance: Tolerance, depth: int
) -> tuple[list[Difference], Remarks]:
    member, others = one.members[name], other.members[name]
    if (member.size, member.crc) == (others.size, others.crc) and same_pieces(one.stream(member), other.stream(others)):
        return [], ()
    short = PurePath(name).name
    with spool(lambda: one.stream(member), short) as a, spool(lambda: other.stream(others), short) as b:
        _, _, found, remarks = _compare_inner(a, b, tolerance, depth)
    if "model.weights.h5" in one.members:
        found = [one for one in found if not _NO_CONTENT.search(one.part)]
    placed = [replace(one, part=f"{name}: {one.part}" if one.part else name) for one in found]
    return placed, tuple(replace(one, member=f"{name}: {one.member}" if one.member else name) for one in remarks)
