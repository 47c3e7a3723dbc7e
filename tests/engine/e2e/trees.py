"""Look at all the files of an image, as the engine that holds it has them."""

import hashlib
import io
import tarfile
from typing import NamedTuple


class Node(NamedTuple):
    """What must be equal about a file: everything but its times."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    link: str
    sha256: str


def read_tree(client, image):
    """Return path -> Node of every file of an image, with hard links told as the files they are."""
    container = client.create_container(image, command=["true"])["Id"]
    try:
        stream = io.BufferedReader(_Chunks(client.export(container)), 1 << 20)
        return _read(tarfile.open(fileobj=stream, mode="r|"))
    finally:
        client.remove_container(container)


def _read(tar):
    nodes = {}
    for member in tar:
        name = member.name.removeprefix("./").rstrip("/")
        if member.islnk():
            nodes[name] = nodes[member.linkname.removeprefix("./")]
            continue
        data = hashlib.file_digest(tar.extractfile(member), "sha256").hexdigest() if member.isreg() else ""
        owner = (member.uid, member.gid)
        nodes[name] = Node(member.type, member.mode & 0o7777, owner, member.linkname, data)
    return nodes


class _Chunks(io.RawIOBase):
    def __init__(self, chunks):
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._rest:
            self._rest = next(self._chunks, None)
            if self._rest is None:
                self._rest = b""
                return 0
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)
