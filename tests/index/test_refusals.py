"""Several packages that cannot be had are all told, whatever asks for them."""

import pytest

from reprobox.errors import LockError, LockErrors


@pytest.fixture
def stocked(machine, index):
    index.add("app", "1.0", requires=["lib>=1"])
    index.add("lib", "1.0")
    index.add("lib", "1.1")
    index.add("needy", "1.0", requires=["lib==9"])
    machine.setenv(PIP_INDEX_URL=index.simple)
    return index


def refuse(machine, *requirements, **rest):
    with pytest.raises(LockError) as caught:
        machine.lock(*requirements, **rest)
    return caught.value


def test_every_package_that_is_not_there_is_told(machine, stocked):
    error = refuse(machine, "app==7", "lib==8", "libb")
    assert isinstance(error, LockErrors)
    assert {one.about: one.message.split(" knows")[0] for one in error.errors} == {
        "app": "there is no app 7",
        "lib": "there is no lib 8",
        "libb": "no index or find-links folder of this machine",
    }
    assert "there is no lib 8\n  hint: there are 1.0, 1.1" in str(error)


def test_those_of_the_spec_and_of_its_file_are_told_together(machine, stocked):
    file = machine.write("requirements.txt", "lib==8\n")
    error = refuse(machine, "app==7", file=file)
    assert sorted(one.about for one in error.errors) == ["app", "lib"]


def test_one_that_only_another_asks_for_is_told_once(machine, stocked):
    error = refuse(machine, "needy", "lib")
    assert not isinstance(error, LockErrors)
    assert "lib" in error.message


def test_what_is_left_without_the_culprit_is_warned_of_no_more(machine, stocked):
    refuse(machine, "app", "lib==8", indexes=["http://127.0.0.1:9/simple"])
    assert machine.warnings == []


def test_so_many_are_told_and_no_more(machine, stocked, monkeypatch):
    monkeypatch.setattr("reprobox.resolve.wheels._MOST_REFUSALS", 2)
    error = refuse(machine, "app==7", "lib==8", "libb")
    assert len(error.errors) == 2
