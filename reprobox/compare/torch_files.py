"""Read what ``torch.save`` writes: zip archives, and the format before PyTorch 1.6.

https://github.com/pytorch/pytorch/blob/v2.13.0/torch/serialization.py
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from reprobox.compare.arrays import check_shape
from reprobox.compare.model import NotComparable
from reprobox.compare.opened import Opened, spool
from reprobox.compare.parts import Data, Document, Numbers, Part, Pieces
from reprobox.compare.pickle_values import Call, Global, Persistent, Value
from reprobox.compare.pickle_walk import list_parts
from reprobox.compare.pickled_arrays import Arrays
from reprobox.compare.pickles import read_pickle
from reprobox.layers.zip_members import Member, ZipMembers

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_REBUILD = Global("torch._utils _rebuild_tensor_v2")
_MOST_SHARED = 64
"""How many tensors of its size may look at one storage, together: each is read on its own."""
_LONGEST_ORDER = 16
_NO_CONTENT = {"data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
_TYPES = {
    "BFloat16Storage": ("bfloat16", 2),
    "BoolStorage": ("|b1", 1),
    "ByteStorage": ("|u1", 1),
    "CharStorage": ("|i1", 1),
    "ComplexDoubleStorage": ("<c16", 16),
    "ComplexFloatStorage": ("<c8", 8),
    "DoubleStorage": ("<f8", 8),
    "FloatStorage": ("<f4", 4),
    "HalfStorage": ("<f2", 2),
    "IntStorage": ("<i4", 4),
    "LongStorage": ("<i8", 8),
    "QInt32Storage": ("qint32", 4),
    "QInt8Storage": ("qint8", 1),
    "QUInt2x4Storage": ("quint2x4", 1),
    "QUInt4x2Storage": ("quint4x2", 1),
    "QUInt8Storage": ("quint8", 1),
    "ShortStorage": ("<i2", 2),
    "UntypedStorage": ("|u1", 1),
}


def is_torch(archive: ZipMembers) -> bool:
    """Whether the archive is one of ``torch.save``."""
    return _find_pickle(archive) is not None


def read_torch(archive: ZipMembers, opened: ExitStack) -> Document:
    """Read the tensors of an archive, and whatever else lies beside them in its pickle."""
    member = _find_pickle(archive)
    if member is None:
        raise NotComparable("no_data_pkl")
    file = opened.enter_context(spool(lambda: archive.stream(member), "data.pkl"))
    prefix = member.name.removesuffix("data.pkl")

    def find_storage(key: str, size: int) -> Data:
        storage = archive.members[f"{prefix}data/{key}"]
        return Data(storage.size, _streamer(archive, storage))

    size = sum(one.size for one in archive.members.values())
    tensors = _Tensors(find_storage, size, big=_is_big(archive, prefix))
    arrays = Arrays(file)
    found = list_parts(read_pickle(file)[0], lambda one: tensors.find(one) or arrays.find(one), file)
    for path, other in archive.members.items():  # code and constants of TorchScript, say
        name = path.removeprefix(prefix)
        if not name.startswith("data/") and name not in _NO_CONTENT:
            if f"<{name}>" in found:
                raise NotComparable("file_called", name=repr(name[:80]))
            found[f"<{name}>"] = Data(other.size, _streamer(archive, other))
    return found


def _is_big(archive: ZipMembers, prefix: str) -> bool:
    """Whether the machine that wrote the archive has the larger end of a number first; old ones do not say."""
    member = archive.members.get(f"{prefix}byteorder")
    if member is None:
        return False
    order = b"".join(archive.stream(member)) if member.size <= _LONGEST_ORDER else b""
    if order not in (b"little", b"big"):
        raise NotComparable("no_byte_order")
    return order == b"big"


def read_legacy_torch(file: Opened) -> Document:
    """Read five pickles in a row, then the storages; their names are addresses of the process that wrote them."""
    values: list[Value] = []
    end = 0
    for _ in range(5):
        value, end = read_pickle(file, end)
        values.append(value)
    _, _, system, content, keys = values
    places = _place_storages(file, end, content, keys)

    def find_storage(key: str, size: int) -> Data:
        place = places[key]
        return Data(size, lambda: file.pieces(place, size))

    tensors = _Tensors(find_storage, file.size)
    arrays = Arrays(file)
    found = list_parts(content, lambda one: tensors.find(one) or arrays.find(one), file)
    about = list_parts(system, lambda one: None, file)
    return {**found, **{f"<system>.{name}": part for name, part in about.items()}}


def _place_storages(file: Opened, start: int, content: Value, keys: Value) -> dict[str, int]:
    """Return where each storage's bytes begin; before each stands how many elements it has."""
    sizes: dict[str, int] = {}

    def note(one: Call | Persistent) -> Part | None:
        if isinstance(one, Persistent):
            _, kind, key, _, *_ = one.key.items
            sizes[key] = _TYPES[kind.name.rpartition(" ")[2]][1]
        return None

    list_parts(content, note, file)
    places = {}
    for key in keys.items:
        (count,) = struct.unpack("<q", file.read_at(start, 8))
        check_shape((count,))
        places[key] = start + 8
        start += 8 + count * sizes[key]
    if start != file.size:
        raise NotComparable("storages_short")
    return places


def _streamer(archive: ZipMembers, member: Member) -> Pieces:
    return lambda: archive.stream(member)


def _find_pickle(archive: ZipMembers) -> Member | None:
    found = (member for name, member in archive.members.items() if name.count("/") == 1 and name.endswith("/data.pkl"))
    return next(found, None)


class _Tensors:
    """Finds the bytes of tensors."""

    def __init__(self, find_storage: Callable[[str, int], Data], size: int, *, big: bool = False) -> None:
        self._find_storage = find_storage
        self._big = big
        self._room = _MOST_SHARED * size

    def find(self, one: Call | Persistent) -> Part | None:
        """Return a tensor, or a storage that no tensor of the usual kind looks at; ``None`` for anything else."""
        if isinstance(one, Persistent):
            data, dtype, size = self._open_storage(one)
            return Numbers(dtype, (data.size // size,), data.pieces)
        if one.function != _REBUILD:
            return None
        storage, offset, shape, stride = one.arguments.items[:4]
        return self._find_tensor(storage, offset, tuple(shape.items), tuple(stride.items))

    def _open_storage(self, storage: Persistent) -> tuple[Data, str, int]:
        _, kind, key, _, count, *_ = storage.key.items
        check_shape((count,))
        name = kind.name.rpartition(" ")[2]
        if name not in _TYPES:
            raise NotComparable("storage_kind", type=name[:80])
        dtype, size = _TYPES[name]
        if self._big and size > 1:
            dtype = _swap_bytes(dtype)
        return self._find_storage(key, count * size), dtype, size

    def _find_tensor(
        self, storage: Persistent, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> Numbers:
        data, dtype, size = self._open_storage(storage)
        check_shape((*shape, offset))
        order = "C"
        if not _is_contiguous(shape, stride):
            # Elements in an order of their own, or shared: the whole storage is looked at.
            order = f"shape {shape}, stride {stride}, from {offset}"
            offset, shape = 0, (data.size // size,)
        begin, length = offset * size, math.prod(shape) * size
        self._room -= length
        if begin + length > data.size or self._room < 0:
            raise NotComparable("tensor_beyond_storage")
        return Numbers(dtype, shape, lambda: _cut_out(data.pieces(), begin, length), order)


def _swap_bytes(dtype: str) -> str:
    if not dtype.startswith("<"):
        raise NotComparable("big_endian", type=dtype)
    return dtype.replace("<", ">")


def _is_contiguous(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    wanted = 1
    for length, step in zip(reversed(shape), reversed(stride), strict=True):
        if length != 1 and step != wanted:
            return math.prod(shape) == 0
        wanted *= length
    return True


def _cut_out(pieces: Iterator[bytes], begin: int, length: int) -> Iterator[bytes]:
    for piece in pieces:
        if length <= 0:
            return
        if begin < len(piece):
            cut = piece[begin : begin + length]
            begin, length = 0, length - len(cut)
            yield cut
        else:
            begin -= len(piece)
