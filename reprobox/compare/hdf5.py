"""HDF5 through h5py: datasets by their paths, attributes beside them; links that lead out or about are not followed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import numpy as np

from reprobox.compare.model import NotComparable
from reprobox.compare.names import escape_name
from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Document, Mark, Numbers, Part, Parts

_BLOCK = 1 << 26
"""Bytes of a dataset that are read at once; no chunk may be larger."""
_MOST_BYTES = 1 << 34
"""Of all datasets, unpacked: a file of a kilobyte can say that it holds petabytes of zeros."""
_MOST_TEXT = 1 << 30
"""What texts of any length may come to if each of them is as long as the file: they may share their bytes."""
_LONGEST_ELEMENT = 1 << 16
"""Bytes of a text that is one element of an array; longer ones are compared as a whole."""
_LONGEST_NAME = 4000
_FILTERS = {1, 2, 3, 5, 6, 32000}
"""deflate, shuffle, fletcher32, nbit, scaleoffset, LZF; any other is a library that HDF5 would look for and load."""

Found = Any
"""A group, a dataset or a type: what h5py returns."""


def read_hdf5(file: Opened, h5py: Found, opened: ExitStack) -> Document:
    """Read what a file holds; its datasets are read when they are compared, as long as ``opened`` is."""
    # No path: the library would look for the real one, and a file from an archive has none.
    stream = opened.enter_context(os.fdopen(os.dup(file.descriptor), "rb"))
    root = opened.enter_context(h5py.File(stream, "r", rdcc_nbytes=_BLOCK))
    return _Walk(h5py, file.size).visit(root)


class _Walk:
    """One way through a file, each object once."""

    def __init__(self, h5py: Found, size: int) -> None:
        self._h5py = h5py
        self._size = size
        self._bytes = 0
        self._seen: dict[int, str] = {}
        self._parts = Parts()

    def visit(self, root: Found) -> Document:
        """Return every part below ``root``."""
        waiting = [("", root)]
        while waiting:
            path, found = waiting.pop()
            if path and self._is_seen(path, found):
                continue
            self._add_attributes(path, found)
            if isinstance(found, self._h5py.Dataset):
                self._parts.add(path, self._describe(path, found))
                self._add_members(path, found.dtype)
            elif isinstance(found, self._h5py.Group):
                waiting += reversed(list(self._list_members(path, found)))
            else:
                self._parts.add(path, Mark("the type", str(found.dtype)))
                self._add_members(path, found.dtype)
        return self._parts.found

    def _is_seen(self, path: str, found: Found) -> bool:
        """Note an object that has another name already: groups may hold each other."""
        first = self._seen.setdefault(self._h5py.h5o.get_info(found.id).addr, path)
        if first != path:
            self._parts.add(path, Mark("the same as", first))
        return first != path

    def _list_members(self, path: str, group: Found) -> Iterator[tuple[str, Found]]:
        if not len(group):
            self._parts.add(path, Mark("an empty group"))
        for name in group:
            inner = f"{path}/{escape_name(name)}" if path else escape_name(name)
            if len(inner) > _LONGEST_NAME:
                raise NotComparable("name_long", most=_LONGEST_NAME)
            link = group.get(name, getlink=True)
            if isinstance(link, self._h5py.HardLink):
                yield inner, group[name]
            else:
                kind = "external" if isinstance(link, self._h5py.ExternalLink) else "soft"
                file = f"{link.filename}: " if kind == "external" else ""
                self._parts.add(inner, Mark(f"{kind} link to", f"{file}{link.path}, not followed"))

    def _add_attributes(self, path: str, found: Found) -> None:
        for name in sorted(found.attrs):
            attribute = found.attrs.get_id(name)
            where = f"{path}@{escape_name(name)}"
            self._count(where, attribute.dtype, attribute.shape)
            self._parts.add(where, _read_value(where, found.attrs[name]))
            self._add_members(where, attribute.dtype)

    def _add_members(self, path: str, dtype: np.dtype[Any]) -> None:
        """Add which numbers stand for which names, where they do."""
        if names := self._h5py.check_enum_dtype(dtype):
            said = ", ".join(f"{number} {name!r}" for name, number in sorted(names.items(), key=lambda one: one[1]))
            self._parts.add(f"{path}@<names>", Mark("the names", said))

    def _describe(self, path: str, dataset: Found) -> Part:
        if dataset.shape is None:
            return Mark("an empty dataset of type", dataset.dtype.str)
        self._refuse_storage(path, dataset)
        self._count(path, dataset.dtype, dataset.shape)
        if dataset.dtype.kind in "iufbc" or (dataset.shape and _is_element(dataset.dtype)):
            return Numbers(dataset.dtype.str, dataset.shape, lambda: _read_blocks(dataset))
        return _read_value(path, dataset[()])

    def _refuse_storage(self, path: str, dataset: Found) -> None:
        """Raise for what lies in other files, and for what a library from elsewhere would have to unpack."""
        if dataset.external or dataset.is_virtual:
            raise NotComparable("hdf5_elsewhere", path=path)
        plan = dataset.id.get_create_plist()
        filters = {plan.get_filter(index)[0] for index in range(plan.get_nfilters())}
        if filters - _FILTERS:
            raise NotComparable("hdf5_filter", path=path, filter=min(filters - _FILTERS))
        if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _BLOCK:
            raise NotComparable("hdf5_chunks", path=path, most=_BLOCK >> 20)

    def _count(self, path: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> None:
        count = math.prod(shape or ())
        self._bytes += count * dtype.itemsize
        if self._bytes > _MOST_BYTES:
            raise NotComparable("holds_more", most=_MOST_BYTES >> 30)
        longest = dtype.itemsize if dtype.kind == "S" else max(self._size, dtype.itemsize)
        if dtype.kind not in "iufbc" and not _is_element(dtype) and count * longest > _MOST_TEXT:
            raise NotComparable("hdf5_texts", path=path)


def _is_element(dtype: np.dtype[Any]) -> bool:
    """Whether it is a text of a length that is not too long to be compared as a number is."""
    return dtype.kind == "S" and 0 < dtype.itemsize <= _LONGEST_ELEMENT


def _read_value(path: str, value: Any) -> Part:  # noqa: ANN401 — what h5py makes of it
    """Return a small value as a part: a text, a number, an array of either."""
    if isinstance(value, str | bytes | bool | int | float):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "iufbc" or _is_element(array.dtype):
        return Numbers(array.dtype.str, array.shape, lambda: iter((array.tobytes(),)))
    if array.dtype.kind in "SO" and all(isinstance(one, str | bytes) for one in array.flat):
        joined = repr((array.shape, array.tolist())).encode("utf-8", "backslashreplace")
        return Data(len(joined), lambda: iter((joined,)))
    if type(value).__name__ == "Empty":
        return Mark("empty, of type", value.dtype.str)
    raise NotComparable("hdf5_type", path=path, type=str(array.dtype))


def _read_blocks(dataset: Found) -> Iterator[bytes]:
    """Yield a dataset's elements in the order of its axes, at most a block of them at a time."""
    shape, size = dataset.shape, dataset.dtype.itemsize
    if math.prod(shape) * size <= _BLOCK:
        yield np.asarray(dataset[()]).tobytes()
        return
    # The first axis of which whole rows fit into a block.
    axis = next(index for index in range(len(shape)) if math.prod(shape[index + 1 :]) * size <= _BLOCK)
    step = _BLOCK // (math.prod(shape[axis + 1 :]) * size)
    if dataset.chunks and step > dataset.chunks[axis]:
        step -= step % dataset.chunks[axis]
    for outer in product(*(range(length) for length in shape[:axis])):
        for start in range(0, shape[axis], step):
            yield np.asarray(dataset[(*outer, slice(start, start + step))]).tobytes()
