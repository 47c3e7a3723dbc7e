"""Run a command in a view of this machine that has an image's folders: ``python -I enter.py CONFIG COMMAND ...``.

A program of its own, of the standard library alone, since it gives up its namespaces before it becomes the command.
CONFIG is JSON: ``namespaces``, ``root`` (an empty folder), ``mounts`` ([source, target, read-only]), ``workdir``, and
``failure``, a file that comes to be where the view cannot be made. What
belongs to the machine stays where it is; each mount is laid over it, whether its target is there or not.

https://man7.org/linux/man-pages/man7/user_namespaces.7.html
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

FLAGS = {
    "mount": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_NO_NEW_PRIVILEGES, _PARENT_DEATH = 38, 1
_INTERFACE_UP = 0x8914
_PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
FAILED = 125
"""Exit code where the view cannot be made, as ``docker run`` has it."""

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Make the view and run the command in it; return the exit code, if it does not become the command."""
    config, command = json.loads(sys.argv[1]), sys.argv[2:]
    # Whoever waits for it may be killed: then nobody is left to end it.
    _libc.prctl(_PARENT_DEATH, int(signal.SIGKILL), 0, 0, 0)
    try:
        _leave(config["namespaces"])
        if "mount" in config["namespaces"]:
            _make_view(config)
        if "net" in config["namespaces"]:
            _start_loopback()
    except OSError as error:
        return _give_up(config, error)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if "pid" in config["namespaces"]:
        return _run_as_first(config, command)
    return _become(config, command)


def _give_up(config: dict[str, Any], error: OSError) -> int:
    with contextlib.suppress(OSError):
        Path(config["failure"]).write_text(str(error))
    return FAILED


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _leave(namespaces: list[str]) -> None:
    """Leave the machine's namespaces; in a user namespace of its own the user stays who they are."""
    uid, gid = os.geteuid(), os.getegid()
    flags = 0
    for name in namespaces:
        flags |= FLAGS[name]
    if flags:
        _call("unshare", flags)
    if "user" in namespaces:
        for path, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{path}").write_text(text)
    if "uts" in namespaces:
        socket.sethostname("reprobox")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), None if options is None else options.encode())


def _make_view(config: dict[str, Any]) -> None:
    root, own_processes = Path(config["root"]), "pid" in config["namespaces"]
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("reprobox", str(root), "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=16m")
    targets = {Path(target) for _, target, _ in config["mounts"]}
    opened = {parent for target in targets for parent in target.parents}
    left_out = {*targets, root, *([Path("/proc")] if own_processes else [])}
    _show_folder(Path("/"), root, opened, left_out)
    for source, target, read_only in sorted(config["mounts"], key=lambda mount: str(mount[1])):
        _lay(Path(source), root / target.lstrip("/"), read_only=read_only)
    if own_processes:
        (root / "proc").mkdir(exist_ok=True)


def _show_folder(folder: Path, shown: Path, opened: set[Path], left_out: set[Path]) -> None:
    """Show what is in a folder, entry by entry where something is laid into it; what cannot be shown is left out."""
    for path in folder.iterdir():
        place = shown / path.name
        if path in left_out:
            continue
        with contextlib.suppress(OSError):
            if path.is_symlink() and path not in opened:
                place.symlink_to(path.readlink())
            elif path in opened and path.is_dir():
                place.mkdir(0o755)
                _show_folder(path, place, opened, left_out)
            else:
                _lay(path, place, read_only=False)


def _lay(source: Path, target: Path, *, read_only: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    _mount(str(source), str(target), None, _BIND | _RECURSIVE)
    if read_only:
        # Flags that the machine has set may not be taken off in a user namespace.
        kept = os.statvfs(target).f_flag & (_NO_SUID | _NO_DEVICES | _NO_EXEC)
        _mount(str(source), str(target), None, _BIND | _REMOUNT | _READ_ONLY | kept)


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection, contextlib.suppress(OSError):
        fcntl.ioctl(connection, _INTERFACE_UP, struct.pack("16sh22x", b"lo", 1))


def _run_as_first(config: dict[str, Any], command: list[str]) -> int:
    """Run it as process 1 of its namespace, whose end is everybody's there; pass signals on to it."""
    child = os.fork()
    if child == 0:
        _libc.prctl(_PARENT_DEATH, int(signal.SIGKILL), 0, 0, 0)
        try:
            root = config["root"] if "mount" in config["namespaces"] else ""
            _mount("proc", f"{root}/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
        except OSError as error:
            os._exit(_give_up(config, error))
        os._exit(_become(config, command))
    for number in _PASSED:
        signal.signal(number, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _become(config: dict[str, Any], command: list[str]) -> int:
    if "mount" in config["namespaces"]:
        os.chroot(config["root"])
    try:
        os.chdir(config["workdir"])
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"reprobox: {command[0]} cannot be run: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main())
