"""A container's standard streams over the engine's hijacked connections."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import Any, BinaryIO, cast

import docker

from reprobox.engines.docker.errors import translate_errors

_CHUNK = 256 * 1024
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


@contextmanager
def attach_output(client: docker.APIClient, container: str) -> Iterator[BufferedReader]:
    """Open the container's stdout and stderr, multiplexed; attach before the start to miss nothing."""
    params = {"stdout": 1, "stderr": 1, "stream": 1}
    with (
        _attached(client, container, params) as connection,
        connection.makefile("rb", buffering=_CHUNK) as stream,
    ):
        yield cast(BufferedReader, stream)


def read_frames(stream: BufferedReader) -> Iterator[tuple[str, bytes]]:
    """Yield (``"stdout"`` or ``"stderr"``, bytes) until the container has closed both.

    The framing is the engine's: one byte of stream number, three of nothing, four of length.
    """
    while len(header := stream.read(8)) == 8:
        number, left = struct.unpack(">BxxxL", header)
        while left:
            data = stream.read1(min(left, _CHUNK))
            if not data:
                return
            left -= len(data)
            yield _STREAMS.get(number, "stderr"), data


@contextmanager
def feed_input(client: docker.APIClient, container: str, source: BinaryIO | None) -> Iterator[None]:
    """Copy ``source`` into the container's stdin in the background; its end is the container's end of file.

    A connection of its own: closing it says "end of file" in the same way on a Unix socket, TCP and TLS,
    where half a TLS connection cannot be closed from Python.
    """
    if source is None:
        yield
        return
    failures: list[BaseException] = []
    with _attached(client, container, {"stdin": 1, "stream": 1}) as connection:
        writer = threading.Thread(target=_copy_in, args=(source, connection, failures.append), daemon=True)
        writer.start()
        try:
            yield
        finally:
            # The container is gone: what it did not read is nobody's, and the writer may still be waiting for it.
            _close(connection)
            writer.join(timeout=10)
    if failures:
        raise failures[0]


def _copy_in(source: BinaryIO, connection: socket.socket, on_failure: Callable[[BaseException], None]) -> None:
    try:
        while data := source.read(_CHUNK):
            connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
        pass  # the container ended without reading it all
    except OSError as error:
        if connection.fileno() >= 0:
            on_failure(error)
    except BaseException as error:
        on_failure(error)
    finally:
        _close(connection)


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
