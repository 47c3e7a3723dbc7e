"""A container's standard streams over the engine's hijacked connections."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from typing import Any, BinaryIO, cast

import docker

from reprobox.engines.docker.errors import translate_errors

_CHUNK = 256 * 1024
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


@contextmanager
def attach_streams(
    client: docker.APIClient, container: str, source: BinaryIO | None = None
) -> Iterator[BufferedReader]:
    """Open the container's stdout and stderr, multiplexed, and copy ``source`` into its stdin in the background.

    Attach before the start to miss nothing. The end of ``source`` is the container's end of file.
    """
    with ExitStack() as stack:
        params = {"stdout": 1, "stderr": 1, "stream": 1}
        # Half a connection can be closed, unless it is TLS, for want of such a call in Python: there the input gets a
        # connection of its own. Not everywhere, since Podman does not take the end of that one for an end of file.
        apart = source is not None and str(client.base_url).startswith("https://")
        shared = {**params, "stdin": 1} if source is not None and not apart else params
        connection = stack.enter_context(_attached(client, container, shared))
        inlet = stack.enter_context(_attached(client, container, {"stdin": 1, "stream": 1})) if apart else connection
        if source is not None:
            stack.enter_context(_fed(inlet, source))
        yield cast(BufferedReader, stack.enter_context(connection.makefile("rb", buffering=_CHUNK)))


def read_frames(stream: BufferedReader) -> Iterator[tuple[str, bytes]]:
    """Yield (``"stdout"`` or ``"stderr"``, bytes) until the container has closed both.

    The framing is the engine's: one byte of stream number, three of nothing, four of length.
    """
    while len(header := _read(stream.read, 8)) == 8:
        number, left = struct.unpack(">BxxxL", header)
        while left:
            data = _read(stream.read1, min(left, _CHUNK))
            if not data:
                return
            left -= len(data)
            yield _STREAMS.get(number, "stderr"), data


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    """Translate the connection's errors only: what is done with the output has errors of its own."""
    with translate_errors("reading the container's output"):
        return read(size)


@contextmanager
def _fed(inlet: socket.socket, source: BinaryIO) -> Iterator[None]:
    failures: list[BaseException] = []
    writer = threading.Thread(target=_copy_in, args=(source, inlet, failures.append), daemon=True)
    writer.start()
    try:
        yield
    finally:
        # The container is gone: what it did not read is nobody's, and the writer may still be waiting for it.
        _close(inlet)
        writer.join(timeout=1)
    if failures:
        raise failures[0]


def _copy_in(source: BinaryIO, inlet: socket.socket, on_failure: Callable[[BaseException], None]) -> None:
    try:
        while data := source.read(_CHUNK):
            inlet.sendall(data)
    except OSError as error:
        # The container ended without reading it all, or this end was closed after it.
        if not isinstance(error, ConnectionError) and inlet.fileno() >= 0:
            on_failure(error)
    except BaseException as error:
        on_failure(error)
    finally:
        _end_input(inlet)


def _end_input(inlet: socket.socket) -> None:
    if isinstance(inlet, ssl.SSLSocket):
        _close(inlet)
    else:
        with suppress(OSError):
            inlet.shutdown(socket.SHUT_WR)


@contextmanager
def _attached(client: docker.APIClient, container: str, params: dict[str, int]) -> Iterator[socket.socket]:
    with translate_errors("attaching to the container"):
        raw: Any = client.attach_socket(container, params)
    connection: socket.socket = getattr(raw, "_sock", raw)
    connection.settimeout(None)
    try:
        yield connection
    finally:
        _close(connection)
        # The response first: over TLS it holds the connection's last reference.
        if response := getattr(raw, "_response", None):
            response.close()
        raw.close()


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        connection.close()
