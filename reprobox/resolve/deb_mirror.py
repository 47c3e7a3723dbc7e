"""Where a Debian archive is read from: a mirror that was named, the host's own, or the snapshot archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from reprobox.errors import UsageError
from reprobox.http import check_urls
from reprobox.lock import DebPackage
from reprobox.resolve.deb_releases import read_debian_facts

_ONE_LINE = re.compile(r"^deb(?:\s+\[[^]]*])?\s+(\S+)\s+(\S+)")


@dataclass(frozen=True)
class DebianMirror:
    """Roots of the two archives a release is made of."""

    main: str
    security: str

    def url(self, archive: str, path: str) -> str:
        """Return the address of ``path`` in ``debian`` or ``debian-security``."""
        root = self.security if archive == "debian-security" else self.main
        return f"{root.rstrip('/')}/{path}"


def parse_mirror(text: str) -> DebianMirror:
    """Read a mirror that a person named: one address, or two (the second is the security archive's).

    With one, the security archive is taken to lie beside it, as on Debian's own mirrors.
    """
    words = text.split()
    if not 1 <= len(words) <= 2 or not all(re.match(r"(https?|file)://", word) for word in words):
        raise UsageError(
            f"the Debian mirror {text!r} is not one or two addresses that start with http://, https:// or file://",
            hint="for example http://mirror.example/debian http://mirror.example/debian-security",
        )
    check_urls(words, "the Debian mirror, of REPROBOX_DEBIAN_MIRROR or apt")
    main = words[0].rstrip("/")
    beside = f"{main.removesuffix('/debian')}/debian-security"
    return DebianMirror(main, words[1].rstrip("/") if len(words) == 2 else beside)


def read_host_mirror(etc_apt: Path) -> DebianMirror | None:
    """Return the mirror that this machine's own apt uses, where it is a Debian and says so."""
    sources = [*_one_line_sources(etc_apt), *_deb822_sources(etc_apt)]
    main = next((uri for uri, suite in sources if _is_main(uri, suite)), None)
    if main is None:
        return None
    security = next((uri for uri, suite in sources if suite.endswith("-security")), None)
    if security is None:
        return parse_mirror(main)
    return DebianMirror(main.rstrip("/"), security.rstrip("/"))


def snapshot_mirror(timestamp: str) -> DebianMirror:
    """Return the snapshot archive as it was at ``timestamp``."""
    root = f"{read_debian_facts().snapshot}/archive"
    return DebianMirror(f"{root}/debian/{timestamp}", f"{root}/debian-security/{timestamp}")


def package_urls(package: DebPackage, mirror: DebianMirror | None, snapshot: str) -> tuple[str, ...]:
    """Return where to look for a locked package, best first: the mirror, then the snapshot archive.

    ``snapshot`` is empty where nobody knows when: then only the mirror is left.
    """
    places = [mirror, snapshot_mirror(snapshot) if snapshot else None]
    return tuple(one.url(package.archive, package.path) for one in places if one is not None)


def _is_main(uri: str, suite: str) -> bool:
    return suite in {"stable", "oldstable", "oldoldstable"} | {one.suite for one in read_debian_facts().releases}


def _one_line_sources(etc_apt: Path) -> list[tuple[str, str]]:
    found = []
    for path in [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*.list"))]:
        for line in _read_lines(path):
            if match := _ONE_LINE.match(line.strip()):
                found.append((match[1], match[2]))
    return _fetchable(found)


def _deb822_sources(etc_apt: Path) -> list[tuple[str, str]]:
    found = []
    for path in sorted((etc_apt / "sources.list.d").glob("*.sources")):
        for stanza in Deb822.iter_paragraphs(_read_lines(path), use_apt_pkg=False):
            if "deb" in stanza.get("Types", "").split() and stanza.get("Enabled", "yes").lower() != "no":
                uris, suites = stanza.get("URIs", "").split(), stanza.get("Suites", "").split()
                found += [(uri, suite) for uri in uris for suite in suites]
    return _fetchable(found)


def _fetchable(sources: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(uri, suite) for uri, suite in sources if uri.startswith(("http://", "https://"))]


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
