"""Have the files a lock names: from the cache, or from where this machine's configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from reprobox.blobs import BlobStore
from reprobox.lock import DebPackage, PythonTarget, Sdist, Wheel
from reprobox.reporting import Advance, format_count, show_tasks
from reprobox.settings import Settings

if TYPE_CHECKING:  # read when something has to be fetched: a build with nothing new pays for none of it
    from reprobox.resolve.deb_downloads import MirrorDownloads
    from reprobox.resolve.deb_mirror import DebianMirror
    from reprobox.uv import PythonConfig

MIRROR_VARIABLE = "REPROBOX_DEBIAN_MIRROR"
ETC_APT = Path("/etc/apt")


class Supply:
    """The download cache, with this machine's package configuration behind it."""

    def __init__(self, settings: Settings, project: Path) -> None:
        self.blobs = BlobStore(settings.cache)
        self._settings = settings
        self._project = project
        self._given = set[str]()

    @cached_property
    def config(self) -> PythonConfig:
        """pip's and uv's configuration."""
        from reprobox.resolve.python_config import read_python_config

        return read_python_config(self._settings.environ, self._settings.home, self._project)

    @cached_property
    def mirror(self) -> DebianMirror:
        """The Debian mirror: the one that is named, this machine's own, or the snapshot archive."""
        from reprobox.resolve.base import choose_mirror

        now = self._settings.now().strftime("%Y%m%dT%H%M%SZ")
        return choose_mirror(self._settings.environ.get(MIRROR_VARIABLE), ETC_APT, now)

    def debian_downloads(self) -> MirrorDownloads:
        """Return what reads package lists."""
        from reprobox.resolve.deb_downloads import MirrorDownloads

        return MirrorDownloads(self.blobs, self.config.http)

    def fetch_wheels(self, wheels: Sequence[Wheel], python: PythonTarget) -> Mapping[str, Path]:
        """Return sha256 -> file for wheels that are locked for an interpreter."""
        from reprobox.fetch import fetch_wheels

        self._given.update(wheel.sha256 for wheel in wheels)
        with show_tasks(self._settings.reporter, "download") as show:
            return fetch_wheels(wheels, self.blobs, self.config, python, progress=show)

    def fetch_sdists(self, sdists: Sequence[Sdist]) -> Mapping[str, Path]:
        """Return sha256 -> file for locked source archives."""
        from reprobox.fetch import fetch_sdists

        self._given.update(sdist.sha256 for sdist in sdists)
        with show_tasks(self._settings.reporter, "download") as show:
            return fetch_sdists(sdists, self.blobs, self.config, progress=show)

    def fetch_debs(self, packages: Sequence[DebPackage], snapshot: str) -> Mapping[str, Path]:
        """Return sha256 -> file for locked Debian packages, which archives may have moved."""
        from reprobox.resolve.deb_downloads import fetch_packages

        self._given.update(package.sha256 for package in packages)
        reporter = self._settings.reporter
        bar: tuple[str, Advance] | None = None
        before = dict[str, int]()

        def show(name: str, done: int, total: int) -> None:
            nonlocal bar
            bar = bar or self._start_deb_bar(packages)
            bar[1](done - before.get(name, 0))
            before[name] = done

        try:
            return fetch_packages(
                packages, self.blobs, mirror=self.mirror, snapshot=snapshot, http=self.config.http, progress=show
            )
        finally:
            if bar is not None:
                reporter.end_task(bar[0])

    def drop_damaged(self) -> bool:
        """Hash everything that was asked for here again; remove what is damaged, and tell whether anything was."""
        here = [sha256 for sha256 in sorted(self._given) if self.blobs.locate(sha256).exists()]
        damaged = [sha256 for sha256 in here if not self.blobs.verify(sha256)]
        return bool(damaged)

    def _start_deb_bar(self, packages: Sequence[DebPackage]) -> tuple[str, Advance]:
        """One bar for all packages that are still to come: there are too many, and too small, for one each."""
        missing = [package for package in packages if self.blobs.find(package.sha256) is None]
        task = f"download {format_count(len(missing), 'Debian package')}"
        return task, self._settings.reporter.start_task(task, sum(package.size for package in missing))
