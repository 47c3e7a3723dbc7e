"""What one wheel installs into the venv: paths, modes and contents, by the rules pip and ``installer`` follow."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from reprobox.errors import BuildError
from reprobox.layers.tar import WHITEOUT
from reprobox.layers.zip_members import WHOLE, Member, ZipMembers, bad_member
from reprobox.lock import PythonTarget, Wheel

VENV = "opt/venv"
INSTALLER = b"reprobox\n"
DIFFERENCES_FROM_PIP = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Files of a ``.dist-info`` folder that differ from, or are missing beside, what pip writes there."""
_OWN_PATHS = re.compile(
    rf"{VENV}/(pyvenv\.cfg|lib64|bin/(python[0-9.]*|[Aa]ctivate[.a-z0-9]*)|(bin|lib|include)(/python[0-9.]+(/site-packages)?)?)$"
    r"|.*/reprobox\.pth$"
)
"""What the venv itself and the runtime put there; a wheel that does too would change what Python starts."""
_PYTHON_LINE = b"#!python"
"""How a script begins that wants the environment's interpreter."""
_SCRIPT = Path(__file__).parent / "data" / "console_script.txt"
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_\w+")
_OLD_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


class InstalledFile(NamedTuple):
    """One file in the image; ``data`` is ``None`` where it is the archive's member unchanged."""

    path: str
    size: int
    executable: bool
    member: Member | None
    data: bytes | None
    crc: int


def describe_wheel(wheel: Wheel) -> str:
    """Return how errors call a wheel."""
    return f"wheel {wheel.filename}"


def site_packages(python: PythonTarget) -> str:
    """Return the venv's site-packages, relative to the root."""
    return f"{VENV}/lib/python{python.short}/site-packages"


def list_installed_files(wheel: Wheel, archive: ZipMembers, python: PythonTarget) -> dict[str, InstalledFile]:
    """Return every file that the wheel installs, by path.

    Raises ``BuildError`` for a wheel whose metadata is missing, contradicts its name or the lock, or that
    would write where it must not.
    """
    check_tags(wheel, python)
    return _Installation(wheel, archive, python).files()


def check_tags(wheel: Wheel, python: PythonTarget) -> None:
    """Raise ``BuildError`` unless the wheel's name says it is this package for this interpreter and libc."""
    try:
        name, version, _, tags = parse_wheel_filename(wheel.filename)
        same = (name, version) == (canonicalize_name(wheel.name), Version(wheel.version))
    except (InvalidWheelFilename, InvalidVersion) as exc:
        raise BuildError(f"{describe_wheel(wheel)}: {exc}") from exc
    if not same:
        raise BuildError(f"{describe_wheel(wheel)}: the lock says it is {wheel.name} {wheel.version}")
    interpreters = _interpreter_tags(python.numbers, python.abi)
    glibc = tuple(int(part) for part in python.glibc.split(".")[:2])
    if not any((tag.interpreter, tag.abi) in interpreters and _fits_platform(tag, glibc) for tag in tags):
        raise BuildError(
            f"{describe_wheel(wheel)}: is not for Python {python.version} on Linux with glibc {python.glibc}",
            hint="lock again: the wheels are chosen for the image's Python there",
        )


@cache
def _interpreter_tags(python: tuple[int, int], abi: str) -> frozenset[tuple[str, str]]:
    native: Iterator[Tag] = cpython_tags(python, [abi], ["any"])
    pure = compatible_tags(python, abi.rstrip("m"), ["any"])
    return frozenset((tag.interpreter, tag.abi) for tag in (*native, *pure))


def _fits_platform(tag: Tag, glibc: tuple[int, ...]) -> bool:
    if tag.platform == "any" or tag.platform.startswith("linux_"):
        return True
    if match := _MANYLINUX.fullmatch(tag.platform):
        return (int(match[1]), int(match[2])) <= glibc
    return _OLD_MANYLINUX.get(tag.platform.partition("_")[0], (99, 0)) <= glibc


class _Installation:
    """Collects the files of one wheel."""

    def __init__(self, wheel: Wheel, archive: ZipMembers, python: PythonTarget) -> None:
        self._wheel = wheel
        self._archive = archive
        self._site = site_packages(python)
        self._headers = f"{VENV}/include/site/python{python.short}/{wheel.name}"
        self._info = self._find_info_folder()
        self._files: dict[str, InstalledFile] = {}
        self._rows: dict[str, tuple[str, str]] = {}

    def files(self) -> dict[str, InstalledFile]:
        self._check_metadata()
        known = self._read_record()
        scripts = self._add_entry_points()
        for member in self._archive.members.values():
            if not self._is_left_out(member.name):
                self._add_member(member, known, scripts)
        self._add(f"{self._site}/{self._info}/INSTALLER", INSTALLER)
        self._add_record()
        return self._files

    def _is_left_out(self, name: str) -> bool:
        """Bytecode of unknown origin is; so is what an installer writes itself."""
        folder, _, base = name.rpartition("/")
        return "__pycache__" in folder.split("/") or (folder == self._info and base in ("RECORD", "INSTALLER"))

    def _find_info_folder(self) -> str:
        tops = {name.partition("/")[0] for name in self._archive.members}
        infos = sorted(top for top in tops if top.lower().endswith(".dist-info"))
        if len(infos) != 1:
            raise BuildError(f"{self._archive.what}: has {len(infos)} .dist-info folders instead of one: {infos}")
        name, _, version = infos[0][: -len(".dist-info")].rpartition("-")
        try:
            same = canonicalize_name(name) == self._wheel.name and Version(version) == Version(self._wheel.version)
        except InvalidVersion:
            same = False
        if not same:
            raise BuildError(f"{self._archive.what}: {infos[0]!r} is not {self._wheel.name} {self._wheel.version}'s")
        return infos[0]

    def _read_info(self, name: str) -> bytes | None:
        member = self._archive.members.get(f"{self._info}/{name}")
        if member is None:
            return None
        if member.size > 1 << 27:
            raise bad_member(self._archive.what, member.name, "is larger than 128 MiB")
        return self._archive.read(member)

    def _need_info(self, name: str) -> bytes:
        data = self._read_info(name)
        if data is None:
            raise BuildError(f"{self._archive.what}: has no {self._info}/{name}")
        return data

    def _check_metadata(self) -> None:
        from installer.utils import parse_metadata_file  # late: a build with nothing new opens no wheel

        version = parse_metadata_file(self._need_info("WHEEL").decode("utf-8", "replace"))["Wheel-Version"]
        if not str(version).strip().startswith("1."):
            raise BuildError(f"{self._archive.what}: has wheel format {version}, of which only 1.x is known")
        head = self._need_info("METADATA").partition(b"\n\n")[0].decode("utf-8", "replace")
        name = str(parse_metadata_file(head)["Name"]).strip()
        if canonicalize_name(name) != self._wheel.name:
            raise BuildError(f"{self._archive.what}: its METADATA says it is {name!r}")

    def _read_record(self) -> dict[str, tuple[str, str]]:
        """Return the wheel's own RECORD: path -> hash and size, as written."""
        try:
            text = self._need_info("RECORD").decode("utf-8")
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except (UnicodeDecodeError, csv.Error) as exc:
            raise bad_member(self._archive.what, f"{self._info}/RECORD", f"cannot be read ({exc})") from exc
        return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}

    def _add_entry_points(self) -> frozenset[str]:
        from installer.utils import parse_entrypoints  # late: a build with nothing new opens no wheel

        data = self._read_info("entry_points.txt")
        names = set()
        try:
            for name, module, attr, _ in parse_entrypoints((data or b"").decode("utf-8")):
                if "/" in name or name in (".", ".."):
                    raise ValueError(f"script name {name!r}")
                names.add(name)
                self._add(f"{VENV}/bin/{name}", _make_script(module, attr), executable=True)
        except (configparser.Error, AssertionError, ValueError) as exc:
            raise bad_member(self._archive.what, f"{self._info}/entry_points.txt", f"cannot be used ({exc})") from exc
        return frozenset(names)

    def _add_member(self, member: Member, known: dict[str, tuple[str, str]], scripts: frozenset[str]) -> None:
        place, is_script = self._place(member.name)
        if is_script:
            if place.rpartition("/")[2] in scripts and place.count("/") == 3:
                return  # pip's rule: the entry point of the same name is the script
            self._add_script(place, member)
            return
        self._put(InstalledFile(place, member.size, member.executable, member, None, member.crc), member.name)
        self._rows[place] = known.get(member.name, ("", ""))

    def _place(self, name: str) -> tuple[str, bool]:
        """Return where a member goes, and whether it is a script."""
        top, _, rest = name.partition("/")
        if not top.endswith(".data") or not rest:
            return f"{self._site}/{name}", False
        scheme, _, rest = rest.partition("/")
        folder = {
            "purelib": self._site,
            "platlib": self._site,
            "headers": self._headers,
            "scripts": f"{VENV}/bin",
            "data": VENV,
        }.get(scheme)
        if folder is None or not rest:
            raise bad_member(self._archive.what, name, "is in no folder that wheels may have")
        if scheme == "data" and rest.startswith("lib64/"):
            rest = f"lib/{rest.removeprefix('lib64/')}"  # lib64 is a link to lib
        return f"{folder}/{rest}", scheme == "scripts"

    def _add_script(self, place: str, member: Member) -> None:
        """Add a script, or a program among them, which may be as large as any file and stays in the archive."""
        if member.size <= WHOLE or next(self._archive.stream(member)).startswith(_PYTHON_LINE):
            self._add(place, self._read_script(member), executable=member.executable, name=member.name)
            return
        digest = hashlib.sha256()
        for piece in self._archive.stream(member):
            digest.update(piece)
        self._rows[place] = (_format_hash(digest), str(member.size))
        self._put(InstalledFile(place, member.size, member.executable, member, None, member.crc), member.name)

    def _read_script(self, member: Member) -> bytes:
        data = self._archive.read(member)
        if data.startswith(_PYTHON_LINE):
            data = f"#!/{VENV}/bin/python\n".encode() + data.partition(b"\n")[2]
        return data

    def _add(self, path: str, data: bytes, *, executable: bool = False, name: str = "") -> None:
        """Add a file that is not a member as it stands; ``name`` is what errors call it."""
        self._rows[path] = (_format_hash(hashlib.sha256(data)), str(len(data)))
        self._put(InstalledFile(path, len(data), executable, None, data, crc_of(data)), name or path)

    def _put(self, file: InstalledFile, name: str) -> None:
        if _OWN_PATHS.match(file.path):
            raise bad_member(self._archive.what, name, f"would replace /{file.path}, which belongs to the environment")
        if not _fits_disk(file.path):
            raise bad_member(self._archive.what, name, "has a name that a file on Linux or in a layer cannot have")
        there = self._files.get(file.path)
        if there is not None and (there.size, there.crc) != (file.size, file.crc):
            raise bad_member(self._archive.what, name, f"would be written to /{file.path} a second time")
        self._files[file.path] = file

    def _add_record(self) -> None:
        """Write RECORD as pip does (rows sorted, paths relative to site-packages), without bytecode's rows."""
        path = f"{self._site}/{self._info}/RECORD"
        rows = [(_record_path(place, self._site), *row) for place, row in self._rows.items()]
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows(sorted([*rows, (f"{self._info}/RECORD", "", "")]))
        data = out.getvalue().encode("utf-8", "surrogateescape")
        self._put(InstalledFile(path, len(data), False, None, data, crc_of(data)), path)


def _fits_disk(path: str) -> bool:
    parts = path.split("/")
    return len(path.encode()) < 4000 and all(len(part.encode()) < 256 and part[:4] != WHITEOUT for part in parts)


def _record_path(place: str, site: str) -> str:
    if place.startswith(f"{site}/"):
        return place[len(site) + 1 :]
    return f"../../../{place.removeprefix(f'{VENV}/')}"


def _make_script(module: str, attr: str) -> bytes:
    values = {"python": f"/{VENV}/bin/python", "module": module, "import_name": attr.split(".")[0], "func": attr}
    return _script_template().format(**values).encode()


@cache
def _script_template() -> str:
    return _SCRIPT.read_text("utf-8")


def _format_hash(digest: hashlib._Hash) -> str:
    """Return a hash as RECORD has it."""
    return f"sha256={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')}"


def crc_of(data: bytes) -> int:
    """Return the checksum that a zip would have for ``data``."""
    return zlib.crc32(data)
