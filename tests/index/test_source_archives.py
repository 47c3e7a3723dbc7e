"""Packages that are built from source: which archive is pinned, and what uv is asked for in its place."""

import io
import tarfile
import zipfile

import pytest

from reprobox.errors import FetchError, LockError, LockErrors
from reprobox.fetch import fetch_sdists
from reprobox.resolve.sdists import SdistResolution, resolve_sdists

OLD = {"old-1.0/setup.py": "raise SystemExit('never run')", "old-1.0/old.egg-info/requires.txt": "lib>=1\n"}


def make_archive(files, kind="tar.gz"):
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.fixture
def stocked(index, machine):
    index.files["old-1.0.tar.gz"] = make_archive(OLD)
    index.add("lib", "1.0", requires=["old"])
    index.add("lib", "0.9")
    for name in ("setuptools", "wheel"):
        index.add(name, "1.0")
    machine.setenv(PIP_INDEX_URL=index.simple)
    return index


@pytest.fixture
def resolve(machine, store):
    def call(names, *requirements, indexes=(), kept=()):
        config = machine.config
        fetch = lambda sdists: fetch_sdists(sdists, store, config)  # noqa: E731
        return resolve_sdists(names, requirements, indexes, config, fetch, kept)

    return call


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("hashes", [True, False])
def test_the_archive_is_pinned_by_its_hash(resolve, stocked, json, hashes):
    stocked.habits.json, stocked.habits.hashes = json, hashes
    (sdist,) = resolve(["old"], "old==1.0").sdists
    assert (sdist.name, sdist.version, sdist.filename) == ("old", "1.0", "old-1.0.tar.gz")
    assert sdist.sha256 == stocked.sha256("old-1.0.tar.gz")
    assert sdist.size == len(stocked.files["old-1.0.tar.gz"])
    assert sdist.index == ""


def test_what_it_needs_and_what_builds_it_is_resolved_to_wheels(resolve, stocked, machine):
    found = resolve(["old"], "old==1.0", "wheel")
    assert found.requirements == ("wheel", "setuptools", "lib>=1")
    wheels = machine.lock(*found.requirements, excluded=("old",))
    assert [f"{wheel.name} {wheel.version}" for wheel in wheels] == ["lib 1.0", "setuptools 1.0", "wheel 1.0"]


def test_who_asks_for_what_cannot_be_had_is_named(resolve, stocked, machine):
    del stocked.files["lib-1.0-py3-none-any.whl"]
    found = resolve(["old"], "old==1.0", "wheel")
    with pytest.raises(LockError) as caught:
        machine.lock(*found.requirements, excluded=("old",))
    told = found.name_askers(caught.value)
    assert "lib>=1 is what the source archive of old 1.0 says it needs" in told.message
    assert "wheel" not in told.message.rpartition("\n")[2]
    assert told.hint.endswith("has a wheel of old 1.0, which may need less")
    other = LockError("libs and a-lib cannot be had")
    assert found.name_askers(other) is other


@pytest.mark.parametrize("text", ["A-lib<2", "a_lib 1 has no wheels", "because a.lib>=1"])
def test_however_it_is_written(text):
    found = SdistResolution((), (), (("a_lib>=1", "old 1.0"),))
    assert "a_lib>=1 is what the source archive of old 1.0 says" in found.name_askers(LockError(text)).message


def test_each_of_several_keeps_what_it_is_about():
    found = SdistResolution((), (), (("lib>=1", "old 1.0"),))
    told = found.name_askers(LockErrors([LockError("no lib", about="lib"), LockError("no more", about="more")]))
    assert [(one.about, "old 1.0" in one.message) for one in told.errors] == [("lib", True), ("more", False)]


def test_nothing_is_asked_where_nothing_is_built(resolve, index):
    assert resolve([], "lib").requirements == ("lib",)
    assert not index.asked_for("/")


def test_the_specs_own_index_is_remembered(resolve, stocked, other_index):
    other_index.files["old-1.0.tar.gz"] = make_archive({**OLD, "old-1.0/x": "other"})
    (sdist,) = resolve(["old"], "old==1.0", indexes=(other_index.simple,)).sdists
    assert (sdist.index, sdist.sha256) == (other_index.simple, other_index.sha256("old-1.0.tar.gz"))


def test_a_locked_archive_stays_although_the_index_has_another_by_now(resolve, stocked):
    (before,) = resolve(["old"], "old==1.0").sdists
    stocked.files["old-1.0.zip"] = make_archive(OLD, "zip")
    stocked.files["old-1.0.tar.gz"] = make_archive({**OLD, "old-1.0/x": "other"})
    assert resolve(["old"], "old==1.0", kept=(before,)).sdists == (before,)


def test_a_folder_serves_archives_and_a_tar_goes_before_a_zip(resolve, machine, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    for kind in ("zip", "tar.gz"):
        (folder / f"old-1.0.{kind}").write_bytes(make_archive(OLD, kind))
    machine.setenv(PIP_FIND_LINKS=str(folder), PIP_NO_INDEX="1")
    assert [sdist.filename for sdist in resolve(["old"], "old==1.0").sdists] == ["old-1.0.tar.gz"]
    (folder / "old-1.0.tar.gz").unlink()
    assert [sdist.filename for sdist in resolve(["old"], "old==1.0").sdists] == ["old-1.0.zip"]


def test_an_archive_that_is_nowhere_is_named(resolve, stocked):
    with pytest.raises(LockError, match=r"old 2\.0: no index or find-links folder of this machine has its source"):
        resolve(["old"], "old==2.0")


def test_all_that_are_nowhere_are_named(resolve, stocked):
    with pytest.raises(LockErrors) as caught:
        resolve(["older", "old", "oldest"], "older==1.0", "old==1.0", "oldest==2.0")
    assert [error.about for error in caught.value.errors] == ["older", "oldest"]


def test_a_changed_archive_is_refused(resolve, stocked, machine, store):
    (sdist,) = resolve(["old"], "old==1.0").sdists
    store.locate(sdist.sha256).unlink()
    stocked.habits.hashes = False
    stocked.files["old-1.0.tar.gz"] = b"x" * sdist.size
    with pytest.raises(FetchError, match="not the one that was locked"):
        fetch_sdists([sdist], store, machine.config)


def test_one_that_is_gone_is_listed(resolve, stocked, machine, store):
    (sdist,) = resolve(["old"], "old==1.0").sdists
    store.locate(sdist.sha256).unlink()
    del stocked.files["old-1.0.tar.gz"]
    with pytest.raises(FetchError, match=r"old 1\.0: old-1\.0\.tar\.gz"):
        fetch_sdists([sdist], store, machine.config)


def test_two_archives_that_do_not_fit_each_other_are_refused(resolve, stocked):
    stocked.files["top-1.0.tar.gz"] = make_archive({"top-1.0/top.egg-info/requires.txt": "old>=2\n"})
    with pytest.raises(LockError, match=r"top 1\.0 needs old>=2, and old 1\.0 is built from source"):
        resolve(["old", "top"], "old==1.0", "top==1.0")


def test_an_archive_that_is_none_is_one_error(resolve, index, machine):
    index.files["bad-1.0.tar.gz"] = b"not an archive"
    machine.setenv(PIP_INDEX_URL=index.simple)
    with pytest.raises(LockError, match=r"bad-1\.0\.tar\.gz: what this source archive needs cannot be read"):
        resolve(["bad"], "bad==1.0")
