"""Layers of Debian packages: unpacked from the package files, then installed by a step in a container."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from reprobox.errors import BuildError
from reprobox.layers.deb_file import open_deb_data
from reprobox.layers.model import Layer
from reprobox.layers.read_tar import EntryData, read_entries
from reprobox.layers.state import collect_difference
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import Entry, Kind, make_dir, make_file
from reprobox.layers.tree import Tree
from reprobox.lock import DebianBase, DebPackage
from reprobox.steps.runner import StepRunner
from reprobox.templating import read_template

PACKAGES_FOLDER = "var/cache/reprobox/packages"
"""Where package files and the script lie while they are installed; the script removes the folder."""
INSTALL_SCRIPT = "install-packages.sh"

Debs = Sequence[tuple[DebPackage, Path]]
"""Package files, sorted by package."""

_MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
"""Folders that are links since Debian 12 (and in every new Debian 11, as debootstrap makes it)."""
_LEFT_OUT = ("doc", "info", "linda", "lintian/overrides", "locale", "man")
"""Below /usr/share, as in Debian's own slim images."""
_KEPT = ("copyright", "locale.alias")
_SETTINGS = "etc/dpkg/dpkg.cfg.d/reprobox"


def make_unpacked_layer(base: DebianBase, debs: Debs, store: LayerStore) -> Layer:
    """Return the layer with the files of a base's packages and an empty package database: enough to run dpkg."""
    key = f"unpacked with folders {base.architecture} {_hashes_of(base.packages)}"
    what = f"Debian {base.suite}, unpacked"

    def write(out: BinaryIO) -> None:
        with Tree(store.scratch) as tree:
            _unpack(sorted(debs), base.architecture, tree)
            tree.write(out)

    return store.make(key, what, write)


def _hashes_of(packages: Sequence[DebPackage]) -> str:
    return " ".join(package.sha256 for package in sorted(packages))


def _unpack(debs: Debs, architecture: str, tree: Tree) -> None:
    links = {name: target for name, target in _MERGED.items() if architecture == "amd64" or name != "lib64"}
    for name, target in links.items():
        tree.add(make_dir(target))
        tree.add(Entry(name, Kind.SYMLINK, 0o777, link=target))
    for package, path in debs:
        what = f"Debian package {package.name} {package.version}"
        with open_deb_data(path, what) as stream:
            for entry, data in read_entries(stream, what):
                moved = _follow_links(entry, links)
                if moved is not None and not is_left_out(moved.path):
                    _add_checked(tree, moved, data, what)
    for name, text in _package_database():
        tree.add(make_file(name, len(text)), text)
    _add_folders(tree)


def _add_folders(tree: Tree) -> None:
    """Add the folders of licences, left out with the documentation: an engine makes up a mode for what is not named.

    Docker 20.10 takes 0755 where it is root's and 0600 where it is rootless.
    """
    for path in tuple(tree.entries):
        for parent in PurePosixPath(path).parents[:-1]:
            if str(parent) not in tree.entries:
                tree.add(make_dir(str(parent)))


def _add_checked(tree: Tree, entry: Entry, data: EntryData | None, what: str) -> None:
    before = tree.entries.get(entry.path)
    if before is not None and before.kind is not entry.kind and Kind.DIR in (before.kind, entry.kind):
        raise BuildError(f"{what}: {entry.path!r} is a folder in one package and none in another")
    tree.add(entry._replace(xattrs=()), data)


def _follow_links(entry: Entry, links: Mapping[str, str]) -> Entry | None:
    """Move an entry of a merged folder to where it will be; ``None`` for the folder itself, which is a link."""
    if entry.path in links:
        return None
    link = _move(entry.link, links) if entry.kind is Kind.HARDLINK else entry.link
    return entry._replace(path=_move(entry.path, links), link=link)


def _move(path: str, links: Mapping[str, str]) -> str:
    first, slash, rest = path.partition("/")
    return f"{links[first]}/{rest}" if slash and first in links else path


def is_left_out(path: str) -> bool:
    """Whether a package's file is documentation that bases do without (licences stay)."""
    if not path.startswith("usr/share/"):
        return False
    below = path.removeprefix("usr/share/")
    return any(below.startswith(f"{folder}/") for folder in _LEFT_OUT) and not path.endswith(_KEPT)


def _package_database() -> Iterator[tuple[str, bytes]]:
    """An empty database, and the settings that make dpkg leave out what :func:`is_left_out` does."""
    yield "var/lib/dpkg/available", b""
    yield "var/lib/dpkg/status", b""
    lines = [f"path-exclude=/usr/share/{folder}/*" for folder in _LEFT_OUT]
    lines += [f"path-include=/usr/share/*/{name}" for name in _KEPT]
    yield _SETTINGS, ("# Documentation stays out of the image; licences are kept.\n" + "\n".join(lines) + "\n").encode()


def list_step_files(debs: Debs) -> Iterator[tuple[Entry, bytes | Path]]:
    """Yield what the installing step needs, for a build context or a container: package files and script."""
    script = read_template(INSTALL_SCRIPT).encode()
    for package, path in sorted(debs):
        name = f"{PACKAGES_FOLDER}/{package.name}_{package.architecture}.deb"
        yield make_file(name, package.size), path
    yield make_file(f"{PACKAGES_FOLDER}/{INSTALL_SCRIPT}", len(script), executable=True), script


def make_base_layer(base: DebianBase, debs: Debs, steps: StepRunner) -> Layer:
    """Return the base: the packages' files, unpacked and then installed by dpkg in a container without network."""
    if found := find_base_layer(base, steps.store):
        return found
    unpacked = make_unpacked_layer(base, debs, steps.store)
    return _install(_base_key(base), f"Debian {base.suite}", debs, (), (unpacked,), steps)


def find_base_layer(base: DebianBase, store: LayerStore) -> Layer | None:
    """Return the base's layer if it was made before: no package file is needed then."""
    return store.find(_base_key(base))


def _base_key(base: DebianBase) -> str:
    return f"base {base.architecture} {_script_digest()} {_hashes_of(base.packages)}"


def make_system_layer(debs: Debs, lower: Sequence[Layer], steps: StepRunner) -> Layer:
    """Return what installing further packages on ``lower`` changes."""
    packages = [package for package, _ in debs]
    if found := find_system_layer(packages, lower, steps.store):
        return found
    return _install(_system_key(packages, lower), f"{len(debs)} Debian packages", debs, lower, lower, steps)


def find_system_layer(packages: Sequence[DebPackage], lower: Sequence[Layer], store: LayerStore) -> Layer | None:
    """Return the layer of further packages on ``lower`` if it was made before."""
    return store.find(_system_key(packages, lower))


def _system_key(packages: Sequence[DebPackage], lower: Sequence[Layer]) -> str:
    below = " ".join(layer.diff_id for layer in lower)
    return f"system {_script_digest()} {_hashes_of(packages)} on {below}"


def _install(
    key: str, what: str, debs: Debs, against: Sequence[Layer], image: Sequence[Layer], steps: StepRunner
) -> Layer:
    def write(out: BinaryIO) -> None:
        argv = ("/bin/sh", f"/{PACKAGES_FOLDER}/{INSTALL_SCRIPT}")
        with Tree(steps.store.scratch) as files, Tree(steps.store.scratch) as tree:
            for entry, data in list_step_files(debs):
                _add_step_file(files, entry, data)
            chunks = steps.export(image, argv, what=what, files=files)
            collect_difference(chunks, against, tree, steps.store, what)
            tree.write(out)

    return steps.store.make(key, what, write)


def _add_step_file(files: Tree, entry: Entry, data: bytes | Path) -> None:
    if isinstance(data, bytes):
        files.add(entry, data)
        return
    with data.open("rb") as stream:
        files.add(entry, stream)


def _script_digest() -> str:
    return hashlib.sha256(read_template(INSTALL_SCRIPT).encode()).hexdigest()
