"""Fetching the wheels that a lock names, from wherever they are now."""

import hashlib
from dataclasses import replace

import pytest

from reprobox.errors import FetchError
from reprobox.fetch import fetch_wheels


def test_locked_wheels_are_found_by_asking_anew(machine, index, store):
    index.add("app", "1.0", requires=["lib"])
    index.add("lib", "1.0")
    machine.setenv(PIP_INDEX_URL=index.simple)
    wheels = machine.lock("app")
    found = fetch_wheels(wheels, store, machine.config, machine.python)
    assert {path.read_bytes() for path in found.values()} == set(index.files.values())
    asked = len(index.requests)
    assert fetch_wheels(wheels, store, machine.config, machine.python) == found
    assert len(index.requests) == asked


def test_locked_wheels_come_from_a_folder_on_another_machine(machine, index, store, tmp_path):
    index.add("app", "1.0")
    machine.setenv(PIP_INDEX_URL=index.simple)
    wheels = machine.lock("app")
    folder = tmp_path / "links"
    folder.mkdir()
    for name, data in index.files.items():
        (folder / name).write_bytes(data)
    index.close()
    machine.setenv(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_FIND_LINKS=str(folder))
    (path,) = fetch_wheels(wheels, store, machine.config, machine.python).values()
    assert path.samefile(folder / wheels[0].filename)


def test_a_locked_wheel_is_found_although_an_index_has_other_bytes_under_its_name(machine, index, other_index, store):
    index.add("app", "1.0", extra=b"# right")
    other_index.add("app", "1.0", extra=b"# wrong")
    machine.setenv(PIP_INDEX_URL=index.simple)
    (wheel,) = machine.lock("app")
    machine.setenv(PIP_INDEX_URL=index.simple, PIP_EXTRA_INDEX_URL=other_index.simple)
    (path,) = fetch_wheels([wheel], store, machine.config, machine.python).values()
    assert path.read_bytes() == index.files[wheel.filename]


def test_the_specs_own_index_serves_with_the_credentials_of_the_spec(machine, index, other_index, store):
    index.add("lib", "1.0")
    other_index.add("own", "1.0")
    other_index.habits.login = ("me", "s3cret")
    own = other_index.simple.replace("//", "//me:s3cret@")
    machine.setenv(PIP_INDEX_URL=index.simple)
    wheels = machine.lock("own", indexes=[own])
    assert len(fetch_wheels(wheels, store, machine.config, machine.python, indexes=[own])) == 1


def test_a_wheel_that_was_withdrawn_is_named_with_what_to_do(machine, index, store):
    index.add("app", "1.0", requires=["lib"])
    index.add("lib", "1.0")
    machine.setenv(PIP_INDEX_URL=index.simple)
    wheels = machine.lock("app")
    gone = index.files.pop("lib-1.0-py3-none-any.whl")
    machine.setenv(UV_CACHE_DIR=str(machine.root / "another-cache"))
    with pytest.raises(FetchError) as caught:
        fetch_wheels(wheels, store, machine.config, machine.python)
    assert "lib 1.0" in caught.value.message
    assert "app 1.0" not in caught.value.message
    assert hashlib.sha256(gone).hexdigest() in caught.value.message
    assert "reprobox lock" in caught.value.hint


def test_a_lock_with_a_hash_that_nobody_has_is_refused(machine, index, store):
    index.add("app", "1.0")
    machine.setenv(PIP_INDEX_URL=index.simple)
    (wheel,) = machine.lock("app")
    with pytest.raises(FetchError, match=r"app 1\.0"):
        fetch_wheels([replace(wheel, sha256="0" * 64)], store, machine.config, machine.python)
