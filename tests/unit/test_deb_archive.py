"""Reading a Debian mirror, and which mirror to read."""

import hashlib

import pytest
from debian_archive import MadeUpArchive, make_stanza, sign

from reprobox.errors import LockError, ReproboxError, UsageError
from reprobox.lock import DebPackage
from reprobox.resolve.base import choose_mirror, choose_release
from reprobox.resolve.deb_archive import read_archive
from reprobox.resolve.deb_mirror import DebianMirror, package_urls, parse_mirror, read_host_mirror
from reprobox.resolve.deb_releases import find_release, read_debian_facts
from reprobox.resolve.debian import DebianRequest, resolve_debian


def read(archive, tmp_path, warnings=None):
    return read_archive(
        archive.mirror,
        archive.suite,
        "amd64",
        downloads=archive.save_into(tmp_path),
        keyring=None,
        on_warning=(warnings if warnings is not None else []).append,
    )


def base_stanzas(release):
    """What a base needs: the wanted packages, of which python3 needs the interpreter."""
    needs = {"python3": f"python{release.python}, libc6"}
    wanted = "".join(
        make_stanza(name, **({"depends": needs[name]} if name in needs else {})) for name in release.packages
    )
    return wanted + make_stanza(f"python{release.python}", f"{release.python}.7-1") + make_stanza("libc6", "2.36-9")


def test_all_three_parts_of_a_release_are_read(tmp_path):
    archive = MadeUpArchive()
    archive.publish("bookworm", make_stanza("a"))
    archive.publish("bookworm-updates", make_stanza("b"))
    archive.publish("bookworm-security", make_stanza("c"), Date="Wed, 18 Nov 2026 22:17:41 UTC")
    state = read(archive, tmp_path)
    assert state.index.names() == {"a", "b", "c"}
    assert state.index.versions("c")[0].archive == "debian-security"


def test_the_snapshot_time_follows_the_newest_part_and_not_the_clock(tmp_path):
    archive = MadeUpArchive()
    archive.publish("bookworm-security", "", Date="Wed, 18 Nov 2026 22:17:41 UTC")
    assert read(archive, tmp_path).snapshot == "20261119T235959Z"


def test_a_mirror_without_a_checkable_signature_is_a_warning(tmp_path):
    warnings = []
    read(MadeUpArchive(), tmp_path, warnings)
    assert len(warnings) == 3
    assert "debian-archive-keyring" in warnings[0]


@pytest.mark.parametrize(
    ("release", "message"),
    [({"Codename": "sid"}, "is of 'sid', not of 'bookworm'"), ({"Date": "yesterday"}, "no readable date")],
)
def test_a_release_file_of_something_else_is_refused(tmp_path, release, message):
    archive = MadeUpArchive()
    archive.publish("bookworm", "", **release)
    with pytest.raises(LockError, match=message):
        read(archive, tmp_path)


@pytest.mark.parametrize("text", ["", "<html>", "Codename: bookworm\n", sign("")[:60]])
def test_what_is_no_signed_release_file_is_one_clear_error(tmp_path, text):
    archive = MadeUpArchive()
    archive.files[f"{archive.mirror.main}/dists/bookworm/InRelease"] = text.encode()
    with pytest.raises(LockError, match=r"bookworm/InRelease is no signed Release file"):
        read(archive, tmp_path)


def test_text_outside_the_signature_is_not_believed(tmp_path):
    archive = MadeUpArchive()
    url = f"{archive.mirror.main}/dists/bookworm/InRelease"
    archive.files[url] += b"Codename: sid\nSHA256:\n " + b"0" * 64 + b" 1 main/binary-amd64/Packages.xz\n"
    archive.publish("bookworm-updates", make_stanza("a"))
    assert read(archive, tmp_path).index.names() == {"a"}


def test_a_release_without_the_architecture_says_so(tmp_path):
    archive = MadeUpArchive()
    with pytest.raises(LockError, match=r"does not list main/binary-s390x/Packages.xz"):
        read_archive(
            archive.mirror, "bookworm", "s390x", downloads=archive.save_into(tmp_path), keyring=None, on_warning=print
        )


def test_a_package_list_that_is_no_xz_is_one_clear_error(tmp_path):
    archive = MadeUpArchive()
    junk = b"junk"
    digest = hashlib.sha256(junk).hexdigest()
    text = (
        f"Codename: bookworm\nDate: Sat, 11 Jul 2026 10:16:37 UTC\nSHA256:\n {digest} 4 main/binary-amd64/Packages.xz\n"
    )
    address = f"{archive.mirror.main}/dists/bookworm"
    archive.files[f"{address}/InRelease"] = sign(text).encode()
    archive.files[f"{address}/main/binary-amd64/Packages.xz"] = junk
    with pytest.raises(LockError, match="damaged"):
        read(archive, tmp_path)


@pytest.mark.parametrize("number", ["11", "12", "13"])
def test_a_base_and_system_packages_are_resolved_together(tmp_path, number):
    release = find_release(number)
    archive = MadeUpArchive(release.suite)
    more = make_stanza("file", depends="libmagic1, libc6") + make_stanza("libmagic1")
    archive.publish(release.suite, base_stanzas(release) + more)
    request = DebianRequest(release, ("file",), archive.mirror, None)
    found = resolve_debian(request, archive.save_into(tmp_path), on_warning=lambda text: None)
    assert {package.name for package in found.base.packages} == {
        *release.packages,
        f"python{release.python}",
        "libc6",
    }
    assert [package.name for package in found.system] == ["file", "libmagic1"]
    assert found.python.version == f"{release.python}.7"
    assert found.base.suite == release.suite


def test_one_address_of_a_mirror_implies_the_security_archive_beside_it():
    mirror = parse_mirror("http://mirror.example/debian/")
    assert mirror.url("debian", "pool/x") == "http://mirror.example/debian/pool/x"
    assert mirror.url("debian-security", "pool/x") == "http://mirror.example/debian-security/pool/x"


def test_two_addresses_name_both_archives():
    assert parse_mirror("http://a.example/d file:///srv/s") == DebianMirror("http://a.example/d", "file:///srv/s")


@pytest.mark.parametrize("text", ["mirror.example", "ftp://mirror.example/debian", "http://a http://b http://c"])
def test_a_mirror_that_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="not one or two addresses"):
        parse_mirror(text)


def test_the_hosts_own_mirror_is_read_from_deb822_sources(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n"
        "# the security archive\nTypes: deb\nURIs: http://mirror.example/sec\nSuites: bookworm-security\n"
    )
    (tmp_path / "sources.list.d" / "other.list").write_text("deb http://other.example/apt stretch-tool main\n")
    assert read_host_mirror(tmp_path) == DebianMirror("http://mirror.example/debian", "http://mirror.example/sec")


def test_a_mirror_where_no_server_can_be_is_told_without_its_password():
    with pytest.raises(UsageError, match="REPROBOX_DEBIAN_MIRROR") as caught:
        parse_mirror("http://me:secret@[bad")
    assert "secret" not in str(caught.value)


def test_the_hosts_own_mirror_is_read_from_one_line_sources(tmp_path):
    (tmp_path / "sources.list").write_text(
        "# deb http://no.example/debian trixie main\ndeb-src http://no.example/debian trixie main\n"
        "deb [signed-by=/x] http://mirror.example/debian/ trixie main\n"
        "deb http://mirror.example/debian-security/ trixie-security main\n"
    )
    assert read_host_mirror(tmp_path) == parse_mirror("http://mirror.example/debian")


def test_a_host_that_is_no_debian_has_no_mirror_and_the_snapshot_archive_is_used(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu jammy main\n")
    assert read_host_mirror(tmp_path) is None
    mirror = choose_mirror(None, tmp_path, "20261121T000000Z")
    assert mirror.main == f"{read_debian_facts().snapshot}/archive/debian/20261121T000000Z"
    assert choose_mirror("http://mirror.example/debian", tmp_path, "").main == "http://mirror.example/debian"


def test_a_locked_package_is_looked_for_at_the_mirror_then_in_the_snapshot_archive():
    package = DebPackage("a", "1", "amd64", "0" * 64, 1, "debian-security", "pool/a.deb")
    assert package_urls(package, parse_mirror("http://mirror.example/debian"), "20261121T000000Z") == (
        "http://mirror.example/debian-security/pool/a.deb",
        f"{read_debian_facts().snapshot}/archive/debian-security/20261121T000000Z/pool/a.deb",
    )


@pytest.mark.parametrize(("python", "suite"), [("3.9", "bullseye"), ("3.11", "bookworm"), ("3.13", "trixie")])
def test_the_python_version_chooses_the_release(python, suite):
    assert choose_release(python, None).suite == suite
    assert choose_release(python, suite).suite == suite


@pytest.mark.parametrize(
    ("python", "debian", "message"),
    [
        ("3.12", None, r"3\.9 \(Debian 11\), 3\.11 \(Debian 12\), 3\.13 \(Debian 13\)"),
        ("3.9", "12", r"Debian 12 \(bookworm\) brings 3\.11"),
        ("3.9", "potato", "'potato' cannot be a base"),
    ],
)
def test_a_python_that_no_release_brings_says_what_there_is(python, debian, message):
    with pytest.raises(ReproboxError, match=message):
        choose_release(python, debian)
