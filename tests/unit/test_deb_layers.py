"""Package files into a layer: what is read, where it goes, and what hostile packages cannot do."""

import contextlib
import gzip
import lzma
import tarfile
from pathlib import Path

import pytest
import zstandard
from debian_archive import make_deb, make_tar
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reprobox.errors import BuildError
from reprobox.layers.deb_file import open_deb_data
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import Kind
from reprobox.lock import DebianBase, DebPackage
from reprobox.steps.debian import INSTALL_SCRIPT, PACKAGES_FOLDER, list_step_files, make_unpacked_layer


def package(name):
    return DebPackage(name, "1", "amd64", "0" * 64, 1, "debian", f"pool/{name}.deb")


def unpack(tmp_path, *debs):
    """Make the unpacked layer of packages, given as the contents of .deb files; return path -> (entry, data)."""
    pairs = []
    for number, deb in enumerate(debs):
        path = tmp_path / f"{number}.deb"
        path.write_bytes(deb)
        pairs.append((DebPackage(f"p{number}", "1", "amd64", f"{number:064}", len(deb), "debian", "pool/p.deb"), path))
    base = DebianBase("bookworm", "amd64", "20261121T000000Z", tuple(one for one, _ in pairs))
    layer = make_unpacked_layer(base, pairs, LayerStore(tmp_path / "store"))
    with layer.path.open("rb") as stream:
        return {entry.path: (entry, data.read() if data else b"") for entry, data in read_entries(stream, "layer")}


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", lambda data: data),
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: zstandard.ZstdCompressor().compress(data)),
    ],
)
def test_every_compression_of_debian_packages_is_read(tmp_path, suffix, compress):
    path = tmp_path / "a.deb"
    path.write_bytes(make_deb(make_tar(("./usr/a", b"hello")), suffix, compress))
    with open_deb_data(path, "a") as stream:
        ((entry, data),) = [(one.path, read.read()) for one, read in read_entries(stream)]
    assert (entry, data) == ("usr/a", b"hello")


def test_the_folders_of_licences_are_named_though_they_are_documentation(tmp_path):
    content = make_tar(("./usr", None), ("./usr/share/doc/a", None), ("./usr/share/doc/a/copyright", b"mine"))
    files = unpack(tmp_path, make_deb(content))
    folders = {path for path, (entry, _) in files.items() if entry.kind is Kind.DIR}
    assert {"usr/share", "usr/share/doc", "usr/share/doc/a"} <= folders
    assert {str(Path(path).parent) for path in files} - {"."} <= folders
    assert files["usr/share/doc/a"][0].mode == 0o755


def test_files_of_merged_folders_go_below_usr_and_the_links_are_there(tmp_path):
    deb = make_deb(make_tar(("./bin", None), ("./bin/sh", b"#!"), ("./lib/x.so", "libx.so.1"), ("./sbin/i", b"")))
    files = unpack(tmp_path, deb)
    assert files["bin"][0].link == "usr/bin"
    assert files["usr/bin/sh"][1] == b"#!"
    assert files["usr/lib/x.so"][0].link == "libx.so.1"
    assert "bin/sh" not in files


def test_packages_that_ship_the_merged_links_themselves_change_nothing(tmp_path):
    plain = make_deb(make_tar(("./bin/sh", b"")))
    linked = make_deb(make_tar(("./bin", "usr/bin"), ("./usr/bin/sh", b"")))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert unpack(tmp_path / "a", plain) == unpack(tmp_path / "b", linked)


def test_hard_links_within_merged_folders_follow_their_file(tmp_path):
    link = tarfile.TarInfo("./bin/b")
    link.type, link.linkname = tarfile.LNKTYPE, "./bin/a"
    files = unpack(tmp_path, make_deb(make_tar(("./bin/a", b"x"), link)))
    assert files["usr/bin/b"][0].link == "usr/bin/a"


def test_documentation_is_left_out_and_licences_are_kept(tmp_path):
    names = ("doc/a/README", "doc/a/copyright", "man/man1/a.1", "locale/de/a.mo", "locale/locale.alias", "doc-base/a")
    files = unpack(tmp_path, make_deb(make_tar(*((f"./usr/share/{name}", b"") for name in names))))
    below = [path for path, (entry, _) in files.items() if entry.kind is Kind.FILE and path.startswith("usr/share/")]
    assert {path.removeprefix("usr/share/") for path in below} == {
        "doc/a/copyright",
        "locale/locale.alias",
        "doc-base/a",
    }
    assert b"path-exclude=/usr/share/man/*" in files["etc/dpkg/dpkg.cfg.d/reprobox"][1]


def test_dpkg_finds_an_empty_database(tmp_path):
    files = unpack(tmp_path, make_deb(make_tar()))
    assert files["var/lib/dpkg/status"][1] == b""


def test_modes_and_owners_of_the_package_are_kept(tmp_path):
    setuid = tarfile.TarInfo("./usr/bin/su")
    setuid.mode, setuid.uid, setuid.gid, setuid.size = 0o4755, 0, 42, 3
    entry, data = unpack(tmp_path, make_deb(make_tar(setuid)))["usr/bin/su"]
    assert (entry.mode, entry.uid, entry.gid, data) == (0o4755, 0, 42, b"xxx")


def test_a_path_that_is_a_folder_in_one_package_and_a_file_in_another_is_refused(tmp_path):
    with pytest.raises(BuildError, match="'usr/a' is a folder in one package and none in another"):
        unpack(tmp_path, make_deb(make_tar(("usr/a", None))), make_deb(make_tar(("usr/a", b""))))


def _special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "member",
    [
        ("../escape", b""),
        ("/etc/passwd", b""),
        ("usr/../../escape", b""),
        _special("dev/sda", tarfile.BLKTYPE),
        _special("dev/null", tarfile.CHRTYPE),
        _special("pipe", tarfile.FIFOTYPE),
        _special("usr/link", tarfile.LNKTYPE, "../../etc/passwd"),
        _special("usr/link", tarfile.LNKTYPE, "nowhere"),
    ],
)
def test_hostile_members_are_refused_and_nothing_is_left(tmp_path, member):
    with pytest.raises(BuildError):
        unpack(tmp_path, make_deb(make_tar(member)))
    assert not list((tmp_path / "store").rglob("*.tar"))


def test_a_file_below_a_symbolic_link_is_refused(tmp_path):
    with pytest.raises(BuildError, match="is no folder"):
        unpack(tmp_path, make_deb(make_tar(("usr/out", "/etc"), ("usr/out/passwd", b""))))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"!<arch>\n",
        b"PK\x03\x04",
        make_deb(make_tar(), ".lz4", bytes),
        make_deb(make_tar(("a", b"x" * 9000)))[:-40],
        make_deb(make_tar(("a", b"x")), ".gz", lambda data: gzip.compress(data)[:-12]),
        make_deb(make_tar(("a", b"x")), ".zst", lambda data: b"\x28\xb5\x2f\xfdjunk"),
        make_deb(b"no tar at all" * 100),
    ],
)
def test_what_is_no_whole_package_is_one_clear_error_that_names_it(tmp_path, content):
    with pytest.raises(BuildError, match="Debian package p0 1"):
        unpack(tmp_path, content)


_DEB = make_deb(make_tar(("./usr/bin/a", b"hello"), ("./usr/b", "a")))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(_DEB) - 1), st.integers(1, 255))
@example(56, 1)
def test_a_package_with_one_damaged_byte_is_read_or_refused_but_never_a_crash(tmp_path, position, change):
    damaged = bytearray(_DEB)
    damaged[position] ^= change
    path = tmp_path / "damaged.deb"
    path.write_bytes(damaged)
    with contextlib.suppress(BuildError), open_deb_data(path, "a") as stream:
        for entry, data in read_entries(stream, "a"):
            assert not entry.path.startswith(("/", ".."))
            assert data is None or len(data.read()) == entry.size


def test_the_same_packages_give_the_same_bytes_in_any_order_of_their_members(tmp_path):
    members = [("./usr/a", b"1"), ("./usr/b", b"2"), ("./etc/c", b"3")]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert unpack(tmp_path / "a", make_deb(make_tar(*members))) == unpack(
        tmp_path / "b", make_deb(make_tar(*reversed(members)))
    )


def test_the_installing_step_gets_every_package_and_the_script(tmp_path):
    path = tmp_path / "a.deb"
    names = [entry.path for entry, _ in list_step_files([(package("b"), path), (package("a"), path)])]
    assert names == [
        f"{PACKAGES_FOLDER}/a_amd64.deb",
        f"{PACKAGES_FOLDER}/b_amd64.deb",
        f"{PACKAGES_FOLDER}/{INSTALL_SCRIPT}",
    ]
