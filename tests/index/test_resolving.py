"""Locking against an index of one's own, as pip's and uv's configuration name it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from reprobox.errors import LockError
from reprobox.lock import PythonTarget
from reprobox.resolve.requirement_files import read_requirement_file, read_requirement_text
from reprobox.uv import PythonConfig


def describe(wheels):
    return [f"{wheel.name} {wheel.version}" for wheel in wheels]


@pytest.fixture
def stocked(index):
    index.add("app", "1.0", requires=["lib>=1"])
    index.add("lib", "1.0")
    index.add("lib", "1.1")
    return index


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("hashes", [True, False])
def test_every_wheel_is_locked_with_its_hash_and_size(machine, stocked, json, hashes):
    stocked.habits.json, stocked.habits.hashes = json, hashes
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    wheels = machine.lock("app")
    assert describe(wheels) == ["app 1.0", "lib 1.1"]
    for wheel in wheels:
        assert wheel.sha256 == stocked.sha256(wheel.filename)
        assert wheel.size == len(stocked.files[wheel.filename])
        assert wheel.index == ""


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/pip.conf", "[global]\nindex-url = {simple}\n"),
        ("home/.config/pip/pip.conf", "[global]\nindex-url = {simple}\n"),
        ("home/.pip/pip.conf", "[install]\nindex-url = {simple}\n"),
        ("home/.config/pip/pip.conf", "[global]\nno-index = true\nfind-links = {root}/links.html\n"),
        ("home/.config/uv/uv.toml", '[[index]]\nurl = "{simple}"\ndefault = true\n'),
        ("home/.config/uv/uv.toml", 'index-url = "{simple}"\n'),
    ],
)
def test_the_index_comes_from_pips_or_uvs_configuration(machine, stocked, path, text):
    machine.write(path, text.format(simple=stocked.simple, root=stocked.root))
    assert describe(machine.lock("app")) == ["app 1.0", "lib 1.1"]


def test_a_find_links_folder_serves_wheels(machine, stocked, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    for name, data in stocked.files.items():
        (folder / name).write_bytes(data)
    machine.setenv(PIP_FIND_LINKS=str(folder), PIP_NO_INDEX="1")
    wheels = machine.lock("app")
    assert describe(wheels) == ["app 1.0", "lib 1.1"]
    assert str(folder) not in repr(wheels)
    assert all(wheel.size == len(stocked.files[wheel.filename]) for wheel in wheels)


def test_credentials_of_an_index_are_used_and_never_kept(machine, stocked, capfd):
    stocked.habits.login = ("me", "s3cret")
    machine.setenv(PIP_INDEX_URL=stocked.simple.replace("//", "//me:s3cret@"))
    wheels = machine.lock("app")
    assert describe(wheels) == ["app 1.0", "lib 1.1"]
    assert "s3cret" not in repr(wheels) + repr(machine.config) + "".join(capfd.readouterr())


def test_credentials_of_netrc_are_used(machine, stocked):
    stocked.habits.login = ("me", "s3cret")
    netrc = machine.write("home/.netrc", "machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    assert describe(machine.lock("app")) == ["app 1.0", "lib 1.1"]


def test_wrong_credentials_are_an_error_that_does_not_show_them(machine, stocked):
    stocked.habits.login = ("me", "right")
    machine.setenv(PIP_INDEX_URL=stocked.simple.replace("//", "//me:s3cret@"))
    with pytest.raises(LockError) as caught:
        machine.lock("app")
    assert "s3cret" not in str(caught.value)


def test_the_specs_own_index_is_remembered_without_its_credentials(machine, stocked, other_index):
    other_index.add("own", "1.0", requires=["lib"])
    other_index.habits.login = ("me", "s3cret")
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    wheels = machine.lock("own", indexes=[other_index.simple.replace("//", "//me:s3cret@")])
    assert {wheel.name: wheel.index for wheel in wheels} == {"own": other_index.simple, "lib": ""}


def test_the_specs_own_find_links_page_is_remembered(machine, stocked, other_index):
    other_index.add("own", "1.0")
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    (wheel,) = machine.lock("own", indexes=[f"{other_index.root}/links.html"])
    assert wheel.index == f"{other_index.root}/links.html"


def test_pips_extra_index_is_an_equal_and_the_best_version_wins(machine, stocked, other_index):
    other_index.add("lib", "1.0.5")
    machine.setenv(PIP_INDEX_URL=stocked.simple, PIP_EXTRA_INDEX_URL=other_index.simple)
    assert describe(machine.lock("lib")) == ["lib 1.1"]


def test_an_index_that_is_down_is_a_warning_when_everything_resolves_without_it(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple, PIP_EXTRA_INDEX_URL="http://127.0.0.1:9/simple")
    assert describe(machine.lock("app")) == ["app 1.0", "lib 1.1"]
    assert len(machine.warnings) == 1
    assert "http://127.0.0.1:9/simple" in machine.warnings[0]


def test_a_find_links_folder_that_is_not_there_is_a_warning(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple, PIP_FIND_LINKS="/no/such/folder")
    assert describe(machine.lock("lib")) == ["lib 1.1"]
    assert "/no/such/folder" in machine.warnings[0]


def test_a_default_index_that_is_down_is_a_warning_when_a_folder_has_everything(machine, stocked, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    for name, data in stocked.files.items():
        (folder / name).write_bytes(data)
    machine.setenv(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_FIND_LINKS=str(folder))
    assert describe(machine.lock("app")) == ["app 1.0", "lib 1.1"]
    assert machine.warnings


def test_an_index_that_is_down_and_needed_is_named_in_the_error(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple, PIP_EXTRA_INDEX_URL="http://127.0.0.1:9/simple")
    with pytest.raises(LockError, match=r"127\.0\.0\.1:9") as caught:
        machine.lock("elsewhere")
    assert "elsewhere" in caught.value.message
    assert not machine.warnings


def test_no_other_index_takes_over_a_name_while_its_own_is_down(machine, stocked, other_index):
    other_index.add("lib", "1.0", extra=b"# ours")
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    first = machine.lock("lib", indexes=[other_index.simple])
    assert describe(first) == ["lib 1.0"]
    other_index.close()
    machine.setenv(UV_CACHE_DIR=str(machine.root / "another-cache"))
    with pytest.raises(LockError, match=r"lib 1\.0 came from"):
        machine.lock("lib", indexes=[other_index.simple], preferences=first)


def test_an_index_of_uv_toml_that_is_down_is_named_and_no_other_is_left_out_for_it(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple, PIP_FIND_LINKS=str(machine.home))
    machine.write("home/.config/uv/uv.toml", '[[index]]\nurl = "http://127.0.0.1:9/simple"\n')
    with pytest.raises(LockError, match=r"127\.0\.0\.1:9"):
        machine.lock("app")
    assert machine.warnings == []


def test_only_one_index_and_it_is_down(machine):
    machine.setenv(PIP_INDEX_URL="http://127.0.0.1:9/simple")
    with pytest.raises(LockError, match=r"127\.0\.0\.1:9") as caught:
        machine.lock("app")
    assert "cannot be reached" in caught.value.message


def test_an_index_that_stumbles_is_asked_again(machine, stocked):
    stocked.habits.fail = {"/simple/lib/": [503, 503]}
    machine.setenv(PIP_INDEX_URL=stocked.simple, UV_HTTP_RETRIES="3")
    assert describe(machine.lock("lib")) == ["lib 1.1"]


def test_an_unchanged_spec_locks_the_same_although_there_is_more(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    first = machine.lock("app")
    stocked.add("lib", "1.2")
    stocked.add("lib", "1.1", tag="cp311-cp311-manylinux_2_28_x86_64")
    machine.setenv(UV_CACHE_DIR=str(machine.root / "another-cache"))
    assert machine.lock("app", preferences=first) == first
    assert describe(machine.lock("app", preferences=first, upgrade=True)) == ["app 1.0", "lib 1.2"]
    assert describe(machine.lock("app")) == ["app 1.0", "lib 1.2"]


def test_a_changed_spec_moves_only_what_it_must(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    first = machine.lock("app", "lib==1.0")
    stocked.add("app", "1.1", requires=["lib>=1"])
    machine.setenv(UV_CACHE_DIR=str(machine.root / "another-cache"))
    assert describe(machine.lock("app", "lib==1.1", preferences=first)) == ["app 1.0", "lib 1.1"]


def test_the_wheel_is_the_images_not_this_machines(machine, index):
    index.add("fast", "1.0", tag="cp39-cp39-manylinux_2_28_x86_64")
    index.add("fast", "1.0", tag="cp39-cp39-manylinux_2_17_aarch64")
    index.add("fast", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    machine.setenv(PIP_INDEX_URL=index.simple)
    machine.python = PythonTarget("3.9.2", "/usr/bin/python3.9", "2.31")
    assert machine.lock("fast")[0].filename == "fast-1.0-cp39-cp39-manylinux_2_28_x86_64.whl"
    assert machine.lock("fast", architecture="arm64")[0].filename == "fast-1.0-cp39-cp39-manylinux_2_17_aarch64.whl"


def refuse(machine, *requirements, **rest):
    with pytest.raises(LockError) as caught:
        machine.lock(*requirements, **rest)
    return str(caught.value)


def test_a_version_that_is_not_there_comes_with_those_that_are(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    assert "there is no lib 1.7\n  hint: there are 1.0, 1.1" in refuse(machine, "lib==1.7")


def test_a_version_that_uv_s_own_settings_replace_is_refused(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple, UV_OVERRIDE=str(machine.write("overrides.txt", "lib==1.0\n")))
    assert "lib==1.1 is asked for, and uv takes 1.0: one of its settings" in refuse(machine, "lib==1.1")
    assert describe(machine.lock("lib>=1.0")) == ["lib 1.0"]
    assert describe(machine.lock("lib==1.1; python_version < '3'", "app==1.0")) == ["app 1.0", "lib 1.0"]


def test_what_decides_is_the_text_of_every_file_that_is_read(machine):
    machine.write("p/deep.txt", "c==1\n")
    machine.write("p/base.in", "b==1\n-r \\\n  'deep.txt' # last\n")
    for name in ("requirements.in", "requirements.txt", "other"):
        path = machine.write(f"p/{name}", "# no \\\na==1\n--requirement=base.in\n")
        before = read_requirement_text(path, path.parent)
        assert read_requirement_file(path, path.parent, PythonConfig()) == ("a==1", "b==1", "c==1")
        machine.write("p/deep.txt", f"c==2 # {name}\n")
        assert read_requirement_text(path, path.parent) != before
        machine.write("p/deep.txt", "c==1\n")


def test_what_is_not_the_project_s_is_not_opened(machine):
    machine.write("outside.txt", "secret==1\n")
    os.mkfifo(machine.write("p/x", "").with_name("pipe"))
    (machine.root / "p" / "link.txt").symlink_to("../outside.txt")
    for name in ("../outside.txt", str(machine.root / "outside.txt"), "link.txt", "/dev/zero", "pipe"):
        path = machine.write("p/requirements.txt", f"-r {name}\n")
        with pytest.raises(LockError, match=r"leaves the project|is no file with requirements"):
            read_requirement_text(path, path.parent)


def test_files_that_include_each_other_are_read_once(machine):
    for number in range(10):
        includes = f"-r r{number + 1}.txt\n" * 200 if number < 9 else "-r r0.txt\n"
        machine.write(f"p/r{number}.txt", f"a{number}==1\n{includes}")
    path = machine.root / "p" / "r0.txt"
    assert read_requirement_file(path, path.parent, PythonConfig()) == tuple(f"a{number}==1" for number in range(10))
    machine.write("p/many.txt", "".join(f"-r {number}.txt\n" for number in range(200)))
    with pytest.raises(LockError, match="includes too many files"):
        read_requirement_text(machine.root / "p" / "many.txt", path.parent)


def test_the_groups_that_uv_takes_by_default_decide_too(machine):
    lock, pyproject = machine.write("p/uv.lock", "version = 1\n"), '\ufeff[project]\nname = "me"\n'
    bare = read_requirement_text(lock, lock.parent)
    machine.write("p/pyproject.toml", pyproject)
    assert read_requirement_text(lock, lock.parent) == bare
    machine.write("p/pyproject.toml", pyproject + '[tool.uv]\ndefault-groups = ["train"]\n')
    assert read_requirement_text(lock, lock.parent) != bare
    machine.write("p/pyproject.toml", "tool = 3\n")
    assert read_requirement_text(lock, lock.parent) == bare


@pytest.mark.parametrize("text", [f"x = {'1' * 5000}", "x = " + "[" * 3000, "x"])
def test_toml_that_cannot_be_read_is_told_with_its_file(machine, text):
    path = machine.write("p/pyproject.toml", f'[project]\ndependencies = ["a"]\n{text}\n')
    with pytest.raises(LockError, match=r"pyproject\.toml: not readable TOML"):
        read_requirement_file(path, path.parent, PythonConfig())


def test_another_encoding_is_told(machine):
    path = machine.write("p/requirements.txt", "")
    path.write_bytes("numpy\n".encode("utf-16"))
    with pytest.raises(LockError, match="is not UTF-8") as caught:
        read_requirement_text(path, path.parent)
    assert "save the file" in caught.value.hint


def test_an_unknown_package_is_named(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    assert "a package libb" in refuse(machine, "libb")


def test_a_conflict_is_shown(machine, stocked):
    stocked.add("app", "2.0", requires=["lib<1.1"])
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    text = refuse(machine, "app==2.0", "lib==1.1")
    assert re.search(r"app[>=]=2\.0 depends on lib<1\.1 and you require app==2\.0", text)
    assert "require lib==1.1" in text


def test_wheels_for_other_pythons_only_are_listed(machine, index):
    index.add("old", "1.0", tag="cp38-cp38-manylinux_2_17_x86_64")
    index.add("old", "1.0", tag="cp39-cp39-manylinux_2_17_x86_64")
    machine.setenv(PIP_INDEX_URL=index.simple)
    assert "old 1.0 has no wheels for Python 3.11\n  hint: old 1.0 has wheels for 3.8, 3.9" in refuse(
        machine, "old==1.0"
    )


def test_a_package_that_wants_a_newer_python_says_so(machine, index):
    index.add("new", "1.0", python=">=3.12")
    machine.setenv(PIP_INDEX_URL=index.simple)
    assert "new 1.0 needs Python >=3.12, and the image has 3.11" in refuse(machine, "new==1.0")


def test_a_wheel_for_a_newer_glibc_is_refused(machine, index):
    index.add("new", "1.0", tag="cp311-cp311-manylinux_2_39_x86_64")
    machine.setenv(PIP_INDEX_URL=index.simple)
    assert "new 1.0 has no wheels for x86_64-manylinux_2_36" in refuse(machine, "new==1.0")


def test_source_distributions_are_not_locked(machine, index):
    index.files["src-1.0.tar.gz"] = b"not looked into"
    machine.setenv(PIP_INDEX_URL=index.simple)
    assert "src 1.0 has only source distributions" in refuse(machine, "src==1.0")


@pytest.mark.parametrize("line", ["lib @ file:///etc/passwd", "lib @@", "/etc/passwd", "-r x", "--index-url=x", "li b"])
def test_what_is_not_a_name_with_versions_is_refused(machine, line):
    assert "packages: " in refuse(machine, line)


@pytest.fixture
def torches(index):
    for local in ("", "+cpu", "+cu126"):
        index.add("torch", f"2.13.0{local}", requires=["lib"])
        index.add("torchvision", f"0.28.0{local}", requires=["torch==2.13.0"])
    index.add("lib", "1.0")
    return index


@pytest.mark.parametrize(
    ("backend", "version"), [("cpu", "2.13.0+cpu"), ("cu126", "2.13.0+cu126"), ("cu130", "2.13.0")]
)
def test_the_build_of_torch_follows_the_backend(machine, torches, backend, version):
    machine.setenv(PIP_INDEX_URL=torches.simple)
    assert describe(machine.lock("torch==2.13.0", backend=backend)) == ["lib 1.0", f"torch {version}"]


def test_torch_locks_the_same_from_an_index_and_from_a_folder(machine, torches, tmp_path):
    machine.setenv(PIP_INDEX_URL=torches.simple)
    from_index = machine.lock("torch==2.13.0", backend="cpu")
    name = next(file for file in torches.files if file.startswith("torch-2.13.0+cpu"))
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / name).write_bytes(torches.files.pop(name))
    machine.setenv(PIP_FIND_LINKS=str(folder), UV_CACHE_DIR=str(tmp_path / "another-cache"))
    assert machine.lock("torch==2.13.0", backend="cpu") == from_index


def test_relocking_torch_keeps_it(machine, torches):
    machine.setenv(PIP_INDEX_URL=torches.simple)
    first = machine.lock("torch==2.13.0", "torchvision==0.28.0", backend="cpu")
    assert describe(first) == ["lib 1.0", "torch 2.13.0+cpu", "torchvision 0.28.0+cpu"]
    assert machine.lock("torch==2.13.0", "torchvision==0.28.0", backend="cpu", preferences=first) == first


def test_a_requirements_file_a_pyproject_and_a_uv_lock_say_the_same(machine, stocked):
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    machine.write("p/more.txt", "lib==1.0 \\\n  --hash=sha256:a \\\n  --hash=sha256:b # pinned\n")
    requirements = machine.write(
        "p/requirements.txt", "--index-url https://not.example\n# app\napp \\\n  ==1.0\n-r more.txt\n"
    )
    expected = machine.lock(file=requirements)
    assert describe(expected) == ["app 1.0", "lib 1.0"]
    project = (
        '[project]\nname = "me"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["app==1.0", "lib==1.0"]\n'
    )
    pyproject = machine.write("p/pyproject.toml", project)
    assert machine.lock(file=pyproject) == expected
    lock = (
        'version = 1\nrequires-python = ">=3.11"\n'
        '[[package]]\nname = "me"\nversion = "1"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "app" }, { name = "lib" }]\n'
        "[package.metadata]\n"
        'requires-dist = [{ name = "app", specifier = "==1.0" }, { name = "lib", specifier = "==1.0" }]\n'
    )
    for name in ("app", "lib"):
        file = f"{name}-1.0-py3-none-any.whl"
        lock += (
            f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {{ registry = "{stocked.simple}" }}\n'
            f'wheels = [{{ url = "{stocked.url(file)}", hash = "sha256:{stocked.sha256(file)}" }}]\n'
        )
    assert machine.lock(file=machine.write("p/uv.lock", lock)) == expected


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("requirements.txt", "app\nlib ==\n", "requirements.txt:2"),
        ("requirements.txt", "app \\\n  ==1.0\n# more\nlib ==\n", "requirements.txt:4"),
        ("requirements.txt", "-c more.txt\n", "requirements.txt:1: -c is not supported"),
        ("requirements.txt", "-e .\n", "requirements.txt:1: -e is not supported"),
        ("requirements.txt", "-r gone.txt\n", "gone.txt"),
        ("pyproject.toml", "[project\n", "not readable TOML"),
        ("pyproject.toml", "[tool]\n", "[project] dependencies"),
        ("uv.lock", "version = 1\n[[", "uv cannot read it"),
    ],
)
def test_a_requirement_file_that_is_wrong_is_one_error(machine, name, text, says):
    assert says in refuse(machine, file=machine.write(f"p/{name}", text))


def test_a_spec_without_packages_locks_none_and_asks_nobody(machine):
    assert machine.lock() == ()


def test_what_a_requirements_file_includes_decides_too_whether_a_lock_is_stale(machine):
    path = machine.write("p/requirements.txt", "app\n-r more/lib.txt\n")
    machine.write("p/more/lib.txt", "lib==1.0\n")
    before = read_requirement_text(path, path.parent)
    machine.write("p/more/lib.txt", "lib==1.1\n")
    assert read_requirement_text(path, path.parent) != before
    with pytest.raises(LockError, match="gone"):
        read_requirement_text(machine.root / "gone.txt", machine.root)


def test_an_index_that_offers_a_path_for_a_file_name_is_refused(machine, index):
    name = index.add("lib", "1.0")
    index.files["lib-1.0-py3.%2e%2e%2Fx-none-any.whl"] = index.files.pop(name)
    machine.setenv(PIP_INDEX_URL=index.simple)
    with pytest.raises(LockError):
        machine.lock("lib")


QUESTION = """
import sys
from reprobox.uv import PythonConfig, Question, compile_requirements
compile_requirements(Question(("app",), "3.11", "x86_64-manylinux_2_36"), PythonConfig(default_index=sys.argv[1]))
"""


def test_the_next_lock_removes_what_a_killed_one_left(machine, stocked, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        argv, env = [sys.executable, "-c", QUESTION, url], {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(argv, env=env, start_new_session=True) as process:
            while not (left := list(temporary.glob("reprobox-uv-*"))):
                assert process.poll() is None
                time.sleep(0.05)
            silent.settimeout(60)
            with silent.accept()[0]:  # uv has asked
                os.killpg(process.pid, signal.SIGKILL)
    assert left[0].exists()
    machine.setenv(PIP_INDEX_URL=stocked.simple)
    machine.lock("app")
    assert list(temporary.glob("reprobox-uv-*")) == []
