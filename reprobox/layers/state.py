"""What a stack of layers holds, and what a step changed in it: independent of how engines tell differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple, cast

from reprobox.errors import BuildError
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import EntryData, read_entries
from reprobox.layers.rootfs import is_dated_bytecode, is_of_machine, read_root_files
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import CHUNK, Entry, Kind
from reprobox.layers.tree import Tree

_OPAQUE = ".wh..opq"
"""What is left, after the prefix, of the name that hides everything a lower layer has in a folder."""
_SMALL = 8 << 20


class FileState(NamedTuple):
    """Everything that makes two entries of one path equal; of hard links, the file's own."""

    kind: str
    mode: int
    uid: int
    gid: int
    link: str
    content: str
    """sha256 of a file's data."""
    xattrs: tuple[tuple[str, str], ...]


State = dict[str, FileState]


def read_state(layers: Sequence[Layer], store: LayerStore) -> State:
    """Return what is visible when ``layers`` lie upon each other, the lowest first."""
    state: State = {}
    for layer in layers:
        for path, file in _read_layer(layer, store):
            _lay_over(state, path, file)
    return state


def _lay_over(state: State, path: str, file: FileState) -> None:
    if file.kind == Kind.WHITEOUT:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _remove_below(state, folder)
        else:
            state.pop(path, None)
            _remove_below(state, path)
        return
    before = state.get(path)
    if before is not None and before.kind == Kind.DIR != file.kind:
        _remove_below(state, path)
    state[path] = file


def _remove_below(state: State, folder: str) -> None:
    for path in [one for one in state if one.startswith(f"{folder}/")]:
        del state[path]


def _read_layer(layer: Layer, store: LayerStore) -> list[tuple[str, FileState]]:
    """Read a layer's index, made once per layer and kept beside the layers."""
    key, what = f"index 1 of {layer.diff_id}", f"index of {layer.what}"
    index = store.make(key, what, lambda out: _write_index(layer, store, out))
    rows = json.loads(b"".join(store.read_verified(index)))
    return [(row[0], FileState._make((*row[1:7], tuple(map(tuple, row[7]))))) for row in rows]


def _write_index(layer: Layer, store: LayerStore, out: BinaryIO) -> None:
    hashes: dict[str, tuple[Entry, str]] = {}
    rows = []
    for entry, data in read_entries(store.read_verified(layer), f"the layer {layer.what!r}", skip_special=True):
        digest = _hash(data) if data is not None else ""
        if entry.kind is Kind.FILE:
            hashes[entry.path] = entry, digest
        state = state_of(entry, *hashes.get(entry.link, (entry, digest))) if entry.kind is Kind.HARDLINK else None
        rows.append([entry.path, *(state or state_of(entry, entry, digest))])
    out.write(json.dumps(rows, separators=(",", ":")).encode())


def _hash(data: EntryData) -> str:
    digest = hashlib.sha256()
    while chunk := data.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def state_of(entry: Entry, holder: Entry, content: str) -> FileState:
    """Return an entry's state; ``holder`` is the entry itself, or the file that a hard link shares."""
    kind = Kind.FILE if entry.kind is Kind.HARDLINK else entry.kind
    link = entry.link if entry.kind is Kind.SYMLINK else ""
    xattrs = tuple((name, value.hex()) for name, value in holder.xattrs)
    return FileState(str(kind), holder.mode, holder.uid, holder.gid, link, content, xattrs)


def collect_difference(
    chunks: Iterable[bytes], lower: Sequence[Layer], tree: Tree, store: LayerStore, what: str
) -> None:
    """Put into ``tree`` what an exported root file system has other than ``lower``, and removals.

    Changed and new entries come with the folders above them, because engines give folders that a layer
    does not name a mode of their own.
    """
    _Difference(lower, tree, store).collect(chunks, what)


class _Difference:
    def __init__(self, lower: Sequence[Layer], tree: Tree, store: LayerStore) -> None:
        self._lower = lower
        self._state = read_state(lower, store)
        self._tree = tree
        self._store = store
        self._holders: dict[str, tuple[Entry, str]] = {}
        self._folders: dict[str, Entry] = {}
        self._seen: set[str] = set()

    def collect(self, chunks: Iterable[bytes], what: str) -> None:
        for entry, data in read_root_files(chunks, what):
            self._seen.add(entry.path)
            match entry.kind:
                case Kind.FILE:
                    self._compare_file(entry, cast(EntryData, data))
                case Kind.HARDLINK:
                    self._compare_link(entry)
                case _:
                    self._compare_other(entry)
        self._add_removals()
        self._add_folders()

    def _compare_other(self, entry: Entry) -> None:
        if entry.kind is Kind.DIR:
            self._folders[entry.path] = entry
        if self._state.get(entry.path) != state_of(entry, entry, ""):
            self._tree.add(entry)

    def _compare_file(self, entry: Entry, data: EntryData) -> None:
        """Small files are looked at in memory, large ones on their way to the disk."""
        if entry.size > _SMALL:
            self._tree.add(entry, data)
            digest = self._tree.hashes[entry.path]
            if self._is_unchanged(entry, digest):
                self._tree.forget_last(entry)
        else:
            content = data.read()
            digest = hashlib.sha256(content).hexdigest()
            if not self._is_unchanged(entry, digest) and not is_dated_bytecode(entry, content[:16]):
                self._tree.add(entry, content)
        self._holders[entry.path] = entry, digest

    def _is_unchanged(self, entry: Entry, digest: str) -> bool:
        return self._state.get(entry.path) == state_of(entry, entry, digest)

    def _compare_link(self, entry: Entry) -> None:
        if entry.link not in self._holders:
            raise BuildError(f"the container has {entry.path!r} as a hard link to {entry.link!r}, which is no file")
        holder, digest = self._holders[entry.path] = self._holders[entry.link]
        if self._state.get(entry.path) == state_of(entry, holder, digest):
            return
        kept = self._tree.entries.get(holder.path)
        if kept is not None and kept.kind is Kind.FILE:
            self._tree.add(entry._replace(link=holder.path))
        elif self._state.get(holder.path) == state_of(holder, holder, digest):
            # Its data is in a lower layer only, and a hard link cannot reach into another layer.
            self._tree.add(holder._replace(path=entry.path), _read_lower(holder.path, self._lower, self._store))

    def _add_removals(self) -> None:
        for path in sorted(self._state):
            if path in self._seen or is_of_machine(path):
                continue
            parent = path.rpartition("/")[0]
            if not parent or parent in self._folders:
                self._tree.add(Entry(path, Kind.WHITEOUT))

    def _add_folders(self) -> None:
        for path in list(self._tree.entries):
            folder = path.rpartition("/")[0]
            while folder and folder not in self._tree.entries:
                self._tree.add(self._folders[folder])
                folder = folder.rpartition("/")[0]


def _read_lower(path: str, layers: Sequence[Layer], store: LayerStore) -> bytes:
    found = (_read_file(path, layer, store) for layer in reversed(layers))
    data = next((one for one in found if one is not None), None)
    if data is None:
        raise BuildError(f"{path!r} is in no layer")
    return data


def _read_file(path: str, layer: Layer, store: LayerStore) -> bytes | None:
    target = None
    found = None
    for entry, data in read_entries(store.read_verified(layer), f"the layer {layer.what!r}", skip_special=True):
        if entry.path == path and data is not None:
            found = data.read()
        elif entry.path == path and entry.kind is Kind.HARDLINK:
            target = entry.link
    return _read_file(target, layer, store) if target is not None else found
