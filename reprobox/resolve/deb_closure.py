"""Which Debian packages a wish needs: the essential ones, the wanted, and all they depend on. Pure."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Sequence

from reprobox.errors import LockError
from reprobox.resolve.deb_index import Clause, PackageIndex, Record, Relation


class UnknownPackages(LockError):
    """Wanted packages that the archive does not have; ``problems`` maps each to a message and a hint."""

    def __init__(self, suite: str, names: dict[str, tuple[str, ...]]) -> None:
        self.problems = {
            name: (
                f"Debian {suite} has no package {name!r}",
                f"did you mean {_join(near)}?" if near else "names are those of `apt-get install`, without versions",
            )
            for name, near in names.items()
        }
        super().__init__("\n".join(f"{message}; {hint}" for message, hint in self.problems.values()))


def choose_packages(
    index: PackageIndex, wanted: Sequence[str], *, suite: str, installed: Iterable[Record] = (), essential: bool = True
) -> tuple[Record, ...]:
    """Return the closure of ``wanted`` over Pre-Depends and Depends, by name, without Recommends.

    Of alternatives one that is already chosen wins, else the first that the archive has. What is ``installed``
    counts as chosen and is returned only where another version had to be taken. Raises ``UnknownPackages`` for wanted
    names that are nowhere and ``LockError`` for what cannot be satisfied or excludes each other.
    """
    choice = _Choice(index, {record.name: record for record in installed})
    roots = [*(index.essential() if essential else ()), *_find_wanted(index, wanted, suite)]
    for record in roots:
        choice.take(record)
    choice.follow()
    choice.check_exclusions()
    return tuple(choice.chosen[name] for name in sorted(choice.taken))


def _find_wanted(index: PackageIndex, wanted: Sequence[str], suite: str) -> list[Record]:
    found: dict[str, Record | None] = {}
    for name in sorted(set(wanted)):
        relation = Relation(name)
        found[name] = index.best(relation) or index.provider(relation)
    unknown = [name for name, record in found.items() if record is None]
    if unknown:
        raise UnknownPackages(suite, {name: _names_like(index, name) for name in unknown})
    return [record for record in found.values() if record is not None]


class _Choice:
    """The packages chosen so far."""

    def __init__(self, index: PackageIndex, installed: dict[str, Record]) -> None:
        self.chosen = dict(installed)
        self.taken: set[str] = set()
        self._index = index
        self._queue: deque[Record] = deque()
        self._providers: dict[str, set[str]] = {}
        for record in installed.values():
            self._note_provided(record)

    def take(self, record: Record) -> None:
        """Choose ``record``, unless that very version is chosen already."""
        have = self.chosen.get(record.name)
        if have is not None and have.version == record.version:
            return
        if have is not None and record.name in self.taken:
            raise LockError(
                f"Debian package {record.name} is needed in two versions, {have.version} and {record.version}"
            )
        self.chosen[record.name] = record
        self.taken.add(record.name)
        self._note_provided(record)
        self._queue.append(record)

    def follow(self) -> None:
        """Choose what the chosen need, until nothing is missing."""
        while self._queue:
            record = self._queue.popleft()
            for clause in record.depends:
                if not any(self._has(relation) for relation in clause):
                    self.take(self._find(clause, record))

    def check_exclusions(self) -> None:
        """Raise ``LockError`` where two of the chosen exclude each other."""
        for name, record in sorted(self.chosen.items()):
            for relation in record.excludes:
                for other in self._holders(relation):
                    if other.name != name and other.satisfies(relation):
                        raise LockError(
                            f"Debian packages {_label(record)} and {_label(other)} exclude each other",
                            hint="ask for only one of the two, or for packages that need only one",
                        )

    def _has(self, relation: Relation) -> bool:
        return any(record.satisfies(relation) for record in self._holders(relation))

    def _holders(self, relation: Relation) -> list[Record]:
        names = {relation.name, *self._providers.get(relation.name, ())}
        return [self.chosen[name] for name in sorted(names) if name in self.chosen]

    def _find(self, clause: Clause, asker: Record) -> Record:
        for relation in clause:
            record = self._index.best(relation) or self._index.provider(relation)
            if record is not None:
                return record
        raise LockError(
            f"Debian package {_label(asker)} needs {' | '.join(map(str, clause))}, which the archive does not have",
            hint="the mirror may be in the middle of an update: lock again in an hour, or name another mirror",
        )

    def _note_provided(self, record: Record) -> None:
        for name, _ in record.provides:
            self._providers.setdefault(name, set()).add(record.name)


def _names_like(index: PackageIndex, name: str) -> tuple[str, ...]:
    names = sorted(index.names())
    whole = [one for one in names if one in (f"lib{name}", f"{name}1", f"lib{name}1", f"{name}-bin")]
    near = difflib.get_close_matches(name.lower(), [one for one in names if abs(len(one) - len(name)) < 4], 3, 0.75)
    return tuple(dict.fromkeys([*whole, *near]))[:3]


def _label(record: Record) -> str:
    return f"{record.name} {record.version}"


def _join(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)
