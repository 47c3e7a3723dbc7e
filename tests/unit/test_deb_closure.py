"""Choosing Debian packages: the newest, what they need, and clear errors where that cannot be had."""

import pytest
from debian_archive import make_stanza
from hypothesis import given
from hypothesis import strategies as st

from reprobox.errors import LockError
from reprobox.resolve.deb_closure import UnknownPackages, choose_packages
from reprobox.resolve.deb_index import PackageIndex, Relation, order_of, parse_relations
from reprobox.resolve.debian import find_python, read_status


def index_of(*stanzas, security=""):
    index = PackageIndex()
    index.add("".join(stanzas).encode(), "debian")
    index.add(security.encode(), "debian-security")
    return index


def choose(index, *wanted, **options):
    return [f"{one.name}={one.version}" for one in choose_packages(index, wanted, suite="made-up", **options)]


def test_the_closure_follows_depends_and_pre_depends_but_not_recommends():
    index = index_of(
        make_stanza("a", depends="b (>= 1), c:any", recommends="d"),
        make_stanza("b", pre_depends="e"),
        *(make_stanza(name) for name in "cde"),
    )
    assert choose(index, "a") == ["a=1", "b=1", "c=1", "e=1"]


def test_essential_packages_come_along_unless_something_is_installed_already():
    index = index_of(make_stanza("base", essential="yes"), make_stanza("a"))
    assert choose(index, "a") == ["a=1", "base=1"]
    assert choose(index, "a", essential=False) == ["a=1"]


def test_the_newest_version_over_all_archives_wins_and_knows_its_archive():
    index = index_of(make_stanza("a", "1.0-1"), security=make_stanza("a", "1.0-1+deb12u1"))
    (chosen,) = choose_packages(index, ["a"], suite="made-up")
    assert chosen.to_package().archive == "debian-security"
    assert chosen.version == "1.0-1+deb12u1"


def test_of_alternatives_the_first_that_exists_is_taken():
    index = index_of(make_stanza("a", depends="gone | b | c"), make_stanza("b"), make_stanza("c"))
    assert choose(index, "a") == ["a=1", "b=1"]


def test_of_alternatives_one_that_is_wanted_anyway_is_preferred():
    index = index_of(make_stanza("a", depends="b | c"), make_stanza("b"), make_stanza("c"))
    assert choose(index, "a", "c") == ["a=1", "c=1"]


def test_a_provided_name_is_satisfied_by_the_package_debian_ranks_highest():
    index = index_of(
        make_stanza("a", depends="awk"),
        make_stanza("gawk", provides="awk", priority="optional"),
        make_stanza("mawk", provides="awk", priority="required"),
    )
    assert choose(index, "a") == ["a=1", "mawk=1"]


def test_a_versioned_demand_is_not_satisfied_by_an_unversioned_provider():
    index = index_of(make_stanza("a", depends="api (>= 2) | b"), make_stanza("x", provides="api"), make_stanza("b"))
    assert choose(index, "a") == ["a=1", "b=1"]


def test_a_versioned_provider_satisfies_a_versioned_demand():
    index = index_of(make_stanza("a", depends="api (>= 2)"), make_stanza("x", provides="api (= 2.1)"))
    assert choose(index, "a") == ["a=1", "x=1"]


def test_packages_that_need_each_other_are_no_problem():
    index = index_of(make_stanza("a", depends="b"), make_stanza("b", depends="a"))
    assert choose(index, "a") == ["a=1", "b=1"]


def test_an_unknown_package_is_named_with_names_like_it():
    index = index_of(make_stanza("libgl1"), make_stanza("libglx0"))
    with pytest.raises(UnknownPackages, match="no package 'libgl'; did you mean 'libgl1'") as caught:
        choose(index, "libgl", "zzz")
    assert "libgl1" in caught.value.problems["libgl"][1]
    assert "did you mean" not in caught.value.problems["zzz"][1]


def test_a_dependency_that_nothing_satisfies_says_who_needs_it():
    index = index_of(make_stanza("a", depends="b (>= 2) | c"), make_stanza("b", "1"))
    with pytest.raises(LockError, match=r"a 1 needs b \(>= 2\) \| c, which the archive does not have"):
        choose(index, "a")


@pytest.mark.parametrize("field", ["conflicts", "breaks"])
def test_packages_that_exclude_each_other_are_refused(field):
    index = index_of(make_stanza("a", **{field: "b (<< 2)"}), make_stanza("b", "1"))
    with pytest.raises(LockError, match="a 1 and b 1 exclude each other"):
        choose(index, "a", "b")


def test_a_package_may_conflict_with_the_name_it_provides():
    index = index_of(make_stanza("a", provides="mta", conflicts="mta"))
    assert choose(index, "a") == ["a=1"]


def test_what_is_installed_is_kept_and_only_replaced_where_something_needs_a_newer_version():
    installed = read_status(
        b"Package: libc6\nStatus: install ok installed\nVersion: 1\n\n"
        b"Package: old\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        b"Package: zlib\nStatus: install ok installed\nVersion: 1\n"
    )
    index = index_of(
        make_stanza("a", depends="libc6 (>= 2), zlib, old"),
        *(make_stanza(name, "2") for name in ("libc6", "zlib", "old")),
    )
    assert choose(index, "a", installed=installed, essential=False) == ["a=1", "libc6=2", "old=2"]


def test_the_choice_does_not_depend_on_the_order_of_the_package_list():
    stanzas = [
        make_stanza("a", depends="x | y, mail"),
        make_stanza("x"),
        make_stanza("y"),
        make_stanza("m1", provides="mail"),
        make_stanza("m2", provides="mail"),
    ]
    assert choose(index_of(*stanzas), "a") == choose(index_of(*reversed(stanzas)), "a") == ["a=1", "m1=1", "x=1"]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("1.0~rc1", "1.0"), ("1.9", "1.10"), ("9", "1:1"), ("2.36-9+deb12u9", "2.36-9+deb12u10"), ("1.0-1", "1.0-1+b1")],
)
def test_versions_are_ordered_as_debian_does(lower, higher):
    assert order_of(lower) < order_of(higher)
    assert Relation("x", "<<", higher).accepts(lower)
    assert not Relation("x", ">=", higher).accepts(lower)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60))
def test_whatever_a_relationship_field_holds_parsing_ends_in_clauses(text):
    assert isinstance(parse_relations(text), tuple)


@pytest.mark.parametrize(
    "fields",
    [{"Filename": "../x.deb"}, {"Filename": "/x.deb"}, {"Filename": "x.exe"}, {"SHA256": "12"}, {"Size": "-1"}],
)
def test_an_archive_that_names_unusable_files_is_refused(fields):
    kept = [line for line in make_stanza("a").splitlines() if line and line.split(":")[0] not in fields]
    stanza = "\n".join([*kept, *(f"{key}: {value}" for key, value in fields.items())]) + "\n"
    (record,) = choose_packages(index_of(stanza), ["a"], suite="made-up")
    with pytest.raises(LockError, match="no usable file and sha256"):
        record.to_package()


def test_the_interpreter_is_read_from_the_packages():
    index = index_of(make_stanza("python3.11", "3.11.2-6+deb12u6"), make_stanza("libc6", "2.36-9+deb12u10"))
    packages = [one.to_package() for one in choose_packages(index, ["python3.11", "libc6"], suite="made-up")]
    python = find_python(packages, "3.11")
    assert (python.version, python.executable, python.glibc) == ("3.11.2", "/usr/bin/python3.11", "2.36")
    with pytest.raises(LockError, match=r"does not bring Python 3\.13"):
        find_python(packages, "3.13")
