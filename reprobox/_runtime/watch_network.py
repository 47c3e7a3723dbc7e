"""Watch ``socket``: what comes over a network may be something else tomorrow."""

import os

from .suspects import find_place, note_at
from .watch_calls import watch_builtin, watch_function

_HERE = ("", "localhost", "localhost.localdomain", "::1", "::", "0.0.0.0")


def watch(socket):
    """Note look-ups and connections that leave this machine, whoever makes them on the user's behalf."""
    watch_function(socket, "getaddrinfo", _report_name)
    for name in ("gethostbyname", "gethostbyname_ex"):
        watch_builtin(socket, name, _report_name)
    for name in ("connect", "connect_ex", "sendto"):
        watch_function(socket.socket, name, _report_address)


def _report_name(frame, args, kwargs=None):
    # Only getaddrinfo takes it by its name.
    _report(frame, args[0] if args else kwargs["host"])


def _report_address(frame, args, kwargs):
    # Other kinds of sockets have a path, or numbers.
    address = args[-1]
    if isinstance(address, tuple) and isinstance(address[0], str):
        _report(frame, address[0])


def _report(frame, host):
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in _HERE or host.startswith("127.") or host == os.uname().nodename:
        return
    where = find_place(frame)
    if where is not None:
        note_at("network", where, host)
