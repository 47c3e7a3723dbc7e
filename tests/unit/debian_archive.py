"""A made-up Debian archive for tests: package files, package lists and Release files, in a folder."""

import hashlib
import io
import lzma
import tarfile

from reprobox.errors import FetchError
from reprobox.resolve.deb_mirror import DebianMirror


def make_tar(*members):
    """Make a tar of (name, content) pairs: bytes are a file, ``None`` a folder, text a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            tar.addfile(*_make_member(member))
    return out.getvalue()


def _make_member(member):
    if isinstance(member, tarfile.TarInfo):
        return member, io.BytesIO(b"x" * member.size)
    name, content = member
    info = tarfile.TarInfo(name)
    if content is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif isinstance(content, str):
        info.type, info.linkname = tarfile.SYMTYPE, content
    else:
        info.size = len(content)
    return info, io.BytesIO(content if isinstance(content, bytes) else b"")


def make_deb(data, suffix=".xz", compress=lzma.compress):
    """Wrap a tar of files into a .deb."""
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", compress(make_tar())),
        (f"data.tar{suffix}", compress(data)),
    ]
    out = b"!<arch>\n"
    for name, content in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def make_stanza(name, version="1", architecture="amd64", **fields):
    """Make one stanza of a package list; ``pre_depends="x"`` is the field Pre-Depends."""
    lines = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        **{key.replace("_", "-").title(): value for key, value in fields.items()},
    }
    lines.setdefault("Filename", f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb")
    lines.setdefault("Size", "10")
    lines.setdefault("SHA256", hashlib.sha256(f"{name} {version}".encode()).hexdigest())
    return "".join(f"{key}: {value}\n" for key, value in lines.items()) + "\n"


class MadeUpArchive:
    """A mirror in memory; also the downloads that read it."""

    mirror = DebianMirror("http://mirror.example/debian", "http://mirror.example/debian-security")

    def __init__(self, suite="bookworm"):
        self.suite = suite
        self.files = {}
        for dist in (suite, f"{suite}-updates", f"{suite}-security"):
            self.publish(dist, "")

    def publish(self, dist, packages, **release):
        """Put a package list and its Release file there."""
        root = self.mirror.security if dist.endswith("-security") else self.mirror.main
        packed = lzma.compress(packages.encode())
        digest = hashlib.sha256(packed).hexdigest()
        fields = {"Codename": dist, "Date": "Sat, 11 Jul 2026 10:16:37 UTC", "Acquire-By-Hash": "yes", **release}
        text = "".join(f"{key}: {value}\n" for key, value in fields.items())
        text += f"SHA256:\n {digest} {len(packed)} main/binary-amd64/Packages.xz\n"
        self.files[f"{root}/dists/{dist}/InRelease"] = sign(text).encode()
        self.files[f"{root}/dists/{dist}/main/binary-amd64/by-hash/SHA256/{digest}"] = packed

    def read(self, url):
        if url not in self.files:
            raise FetchError(f"{url} is gone")
        return self.files[url]

    def save_into(self, folder):
        """Return downloads that keep what they fetch in ``folder``."""
        return _Downloads(self, folder)


class _Downloads:
    def __init__(self, archive, folder):
        self.read = archive.read
        self._folder = folder

    def fetch(self, urls, sha256, size):
        data = self.read(urls[0])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, size)
        path = self._folder / sha256
        path.write_bytes(data)
        return path


def sign(text):
    """Wrap a text as a clear-signed one; the signature is none."""
    return (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"{text}-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
    )
