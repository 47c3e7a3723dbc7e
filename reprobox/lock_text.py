"""The lock as text: TOML with one table a package, so that a diff shows what changed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import tomli_w

from reprobox.errors import LockError
from reprobox.lock import (
    LOCK_SCHEMA,
    ArchiveBase,
    DebianBase,
    DebPackage,
    ImageBase,
    Lock,
    PythonTarget,
    Sdist,
    Wheel,
    lock_digest,
    sort_lock,
)
from reprobox.lock_fields import CHECKS, check_sdist, check_wheel

_T = TypeVar("_T")
_F = TypeVar("_F", Wheel, Sdist)
_HEADER = """\
# made by `reprobox lock`: the hash of every byte that enters the image
# do not edit; commit this file beside the spec, and run `reprobox lock` after changing the spec
"""
_MOST_DOTS = 500
"""In one line: tomllib takes the square of their number for a key of dotted parts."""
_MAKE_ANEW = "make it anew with `reprobox lock`"
_BASES: dict[str, type[DebianBase | ImageBase | ArchiveBase]] = {
    "debian": DebianBase,
    "image": ImageBase,
    "archive": ArchiveBase,
}


def format_lock(lock: Lock) -> str:
    """Write ``lock`` as text; the same lock always gives the same text."""
    lock = sort_lock(lock)
    document = {
        "schema_version": LOCK_SCHEMA,
        "lock_digest": lock_digest(lock),
        "reprobox": lock.reprobox,
        "layer_format": lock.layer_format,
        "spec": {"digest": lock.spec_digest, "keys": dict(lock.spec_keys)},
        "python": asdict(lock.python),
        "base": _dump_base(lock.base),
        "system": [asdict(package) for package in lock.system],
        "wheel": [_dump_file(wheel) for wheel in lock.wheels],
        "sdist": [_dump_file(sdist) for sdist in lock.sdists],
    }
    return _HEADER + tomli_w.dumps({key: value for key, value in document.items() if value != []})


def parse_lock(text: str, file: str) -> Lock:
    """Read a lock; every value is checked, as a lock may come from a stranger.

    Raises LockError naming ``file`` and, where it is known, the line.
    """
    document = _parse_toml(text, file)
    _check_version(document, file)
    reader = _Reader(text, file)
    spec = reader.read_table(document, "spec")
    lock = Lock(
        reprobox=str(reader.read_value(document, "reprobox", "text", "")),
        layer_format=int(str(reader.read_value(document, "layer_format", "count", ""))),
        spec_digest=str(reader.read_value(spec, "digest", "digest", "[spec]")),
        spec_keys=reader.read_keys(spec),
        base=reader.read_base(document),
        python=reader.read_fields(PythonTarget, reader.read_table(document, "python"), "[python]"),
        system=reader.read_packages(document, "system", "[[system]]"),
        wheels=reader.read_wheels(document),
        sdists=reader.read_sdists(document),
    )
    _check_digest(str(reader.read_value(document, "lock_digest", "digest", "")), lock, file)
    return lock


def _dump_file(file: Wheel | Sdist) -> dict[str, object]:
    return {key: value for key, value in asdict(file).items() if value != ""}


def _dump_base(base: DebianBase | ImageBase | ArchiveBase) -> dict[str, object]:
    kind = next(name for name, cls in _BASES.items() if isinstance(base, cls))
    values = {"kind": kind, **asdict(base)}
    if isinstance(base, DebianBase):
        values["package"] = [asdict(package) for package in base.packages]
        del values["packages"]
    return values


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > _MOST_DOTS:
            raise LockError(f"{file}:{number}: not a readable lock: a line of dots", hint=_MAKE_ANEW)
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            raise LockError(
                f"{file}:{number}: an unfinished merge left both sides in the lock",
                hint=f"resolve the spec first, then take either side and {_MAKE_ANEW}",
            )
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as exc:
        # tomllib lets ValueError out for impossible dates and numbers.
        raise LockError(f"{file}: not a readable lock: {exc}", hint=_MAKE_ANEW) from exc


def _check_version(document: Mapping[str, Any], file: str) -> None:
    version = document.get("schema_version")
    if version == LOCK_SCHEMA and type(version) is int:
        return
    if type(version) is int and version > LOCK_SCHEMA:
        raise LockError(
            f"{file}: the lock has schema_version {version}, this reprobox reads {LOCK_SCHEMA}",
            hint="use the newer reprobox that made it",
        )
    raise LockError(f"{file}: not a lock: no schema_version = {LOCK_SCHEMA} in it", hint=_MAKE_ANEW)


def _check_digest(claimed: str, lock: Lock, file: str) -> None:
    """Catch what no single value shows: a lock cut short between two tables, edited, or merged without a conflict."""
    if claimed != lock_digest(lock):
        raise LockError(
            f"{file}: the lock does not hash to its own lock_digest: it was edited, merged or cut short",
            hint=_MAKE_ANEW,
        )


class _Reader:
    """Takes values out of the parsed document, and knows where to point when one is wrong."""

    def __init__(self, text: str, file: str) -> None:
        self._lines = text.splitlines()
        self._file = file

    def read_table(self, parent: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = parent.get(key)
        if not isinstance(value, dict):
            raise self._refuse(f"the table [{key}] is missing; was the file cut short?", "", 0)
        return value

    def read_value(self, table: Mapping[str, Any], key: str, kind: str, header: str, number: int = 0) -> object:
        """Return ``table[key]`` after its check; ``header`` and ``number`` say which table it is."""
        if key not in table:
            where = f" in {header}" if header else ""
            raise self._refuse(f"{key} is missing{where}; was the file cut short?", header, number)
        problem = CHECKS[kind](table[key])
        if problem:
            raise self._refuse(f"{key} = {_shorten(table[key])}: {problem}", header, number, key)
        return table[key]

    def read_fields(self, cls: type[_T], table: object, header: str, number: int = 0) -> _T:
        """Make a ``cls`` from a table that has its fields and nothing else."""
        if not isinstance(table, dict):
            raise self._refuse(f"{header} is not a table", header, number)
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for key in table.keys() - set(known):
            raise self._refuse(f"unknown key {_shorten(key)}", header, number)
        if cls in (Wheel, Sdist):
            table = {"index": "", **table}
        return cls(**{key: self.read_value(table, key, f"{cls.__name__}.{key}", header, number) for key in known})

    def read_keys(self, spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        keys = self.read_table(spec, "keys")
        return tuple(sorted((key, str(self.read_value(keys, key, "digest", "[spec.keys]"))) for key in keys))

    def read_base(self, document: Mapping[str, Any]) -> DebianBase | ImageBase | ArchiveBase:
        table = dict(self.read_table(document, "base"))
        kind = str(self.read_value(table, "kind", "base", "[base]"))
        del table["kind"]
        if kind == "debian":
            values = {key: value for key, value in table.items() if key != "package"}
            packages = self.read_packages(table, "package", "[[base.package]]")
            return self.read_fields(DebianBase, {**values, "packages": packages}, "[base]")
        if kind == "image":
            table |= {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        return self.read_fields(_BASES[kind], table, "[base]")

    def read_packages(self, parent: Mapping[str, Any], key: str, header: str) -> tuple[DebPackage, ...]:
        tables = self._read_list(parent, key, header)
        packages = [self.read_fields(DebPackage, table, header, n) for n, table in enumerate(tables)]
        self._refuse_duplicates([f"{p.name}:{p.architecture}" for p in packages], header)
        return tuple(sorted(packages))

    def read_wheels(self, document: Mapping[str, Any]) -> tuple[Wheel, ...]:
        return self._read_files(document, "wheel", Wheel, check_wheel)

    def read_sdists(self, document: Mapping[str, Any]) -> tuple[Sdist, ...]:
        return self._read_files(document, "sdist", Sdist, check_sdist)

    def _read_files(
        self, document: Mapping[str, Any], key: str, cls: type[_F], check: Callable[[_F], str]
    ) -> tuple[_F, ...]:
        header = f"[[{key}]]"
        files = []
        for number, table in enumerate(self._read_list(document, key, header)):
            file = self.read_fields(cls, table, header, number)
            if problem := check(file):
                raise self._refuse(problem, header, number, "filename")
            files.append(file)
        self._refuse_duplicates([file.name for file in files], header)
        return tuple(sorted(files))

    def _read_list(self, parent: Mapping[str, Any], key: str, header: str) -> list[Any]:
        value = parent.get(key, [])
        if not isinstance(value, list):
            raise self._refuse(f"{key} is not a list of {header} tables", header, 0)
        return value

    def _refuse_duplicates(self, names: list[str], header: str) -> None:
        seen: set[str] = set()
        for number, name in enumerate(names):
            if name in seen:
                raise self._refuse(f"{name} is there twice", header, number)
            seen.add(name)

    def _refuse(self, problem: str, header: str, number: int, key: str = "") -> LockError:
        line = self._find_line(header, number, key)
        where = f"{self._file}:{line}" if line else self._file
        return LockError(f"{where}: {problem}", hint=_MAKE_ANEW)

    def _find_line(self, header: str, number: int, key: str) -> int:
        """Find the line of ``key`` in the ``number``-th table called ``header``, or of that table, or 0."""
        starts = [n for n, line in enumerate(self._lines, 1) if line.strip() == header] if header else [0]
        if number >= len(starts):
            return 0
        start = starts[number]
        for n, line in enumerate(self._lines[start:], start + 1):
            if key and line.split("=")[0].strip().strip('"') == key:
                return n
            if line.startswith("["):
                break
        return start


def _shorten(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "…"
