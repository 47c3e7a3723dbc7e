"""What a source archive needs, as its own files say it."""

import io
import tarfile

import pytest

from reprobox.errors import LockError
from reprobox.resolve.sdist_metadata import read_needs

SETUPTOOLS = ["setuptools", "wheel"]


@pytest.fixture
def needs(tmp_path):
    def read(files):
        path = tmp_path / "a-1.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        return [str(one) for one in read_needs(path, path.name)]

    return read


def test_an_archive_that_says_nothing_is_built_with_setuptools(needs):
    assert needs({"a-1/setup.py": ""}) == SETUPTOOLS


def test_a_requires_file_gives_what_every_use_needs(needs):
    text = "numpy>=1.9\nsix\n\n[:python_version<'3']\nfutures\n\n[test]\npytest\n\n[doc:os_name=='nt']\nsphinx\n"
    found = needs({"a-1/A.egg-info/requires.txt": text, "a-1/PKG-INFO": "Requires-Dist: other\n\n"})
    assert found == [*SETUPTOOLS, "numpy>=1.9", "six", 'futures; python_version < "3"']


def test_one_in_a_source_folder_counts_and_one_of_something_vendored_does_not(needs):
    files = {"a-1/src/a.egg-info/requires.txt": "six\n", "a-1/src/vendor/b.egg-info/requires.txt": "evil\n"}
    assert needs(files) == [*SETUPTOOLS, "six"]


def test_without_one_the_metadata_count_but_for_extras(needs):
    text = "Metadata-Version: 2.2\nRequires-Dist: numpy\nRequires-Dist: pytest; extra == 'test'\n\nRequires-Dist: no\n"
    assert needs({"a-1/PKG-INFO": text}) == [*SETUPTOOLS, "numpy"]


def test_a_pyproject_names_what_builds_it(needs):
    assert needs({"a-1/pyproject.toml": '[build-system]\nrequires = ["flit_core>=3"]\n'}) == ["flit_core>=3"]


def test_a_pyproject_without_a_build_system_changes_nothing(needs):
    assert needs({"a-1/pyproject.toml": "[tool.black]\n"}) == SETUPTOOLS


@pytest.mark.parametrize(
    "files",
    [
        {"a-1/pyproject.toml": "= not toml"},
        {"a-1/pyproject.toml": '[build-system]\nrequires = "setuptools"\n'},
        {"a-1/a.egg-info/requires.txt": "not a requirement\n"},
    ],
)
def test_what_makes_no_sense_is_one_error(needs, files):
    with pytest.raises(LockError, match=r"a-1\.tar\.gz: what this source archive needs cannot be read"):
        needs(files)
