"""What makes a lock stale, what identifies it, and how its changes read."""

from dataclasses import replace

import pytest

from reprobox.lock import (
    ArchiveBase,
    DebianBase,
    DebPackage,
    ImageBase,
    Lock,
    PythonTarget,
    Sdist,
    Wheel,
    describe_changes,
    lock_digest,
    spec_digest,
    spec_keys,
    stale_keys,
)
from reprobox.spec.model import Base, Determinism, Spec


def make_deb(name="libc6", version="2.36-9", sha256="c" * 64):
    path = f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb"
    return DebPackage(name, version, "amd64", sha256, 7, "debian", path)


def make_wheel(name="numpy", version="2.4.6", sha256="a" * 64):
    return Wheel(name, version, f"{name}-{version}-cp311-cp311-manylinux_2_28_x86_64.whl", sha256, 5)


def make_lock(spec=None, text=None, **changes):
    keys = spec_keys(spec or make_spec(), text)
    base = DebianBase("bookworm", "amd64", "20260101T000000Z", (make_deb(),))
    target = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
    lock = Lock("0.1.0", 1, spec_digest(keys), keys, base, target, (), (make_wheel(),))
    return replace(lock, **changes)


def make_spec(**changes):
    return Spec(**{"reprobox": 1, "name": "digits", "seed": 32, "frameworks": {"torch": "2.13.0"}, **changes})


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("python", {"python": "3.12"}),
        ("base", {"base": Base(debian="13")}),
        ("frameworks", {"frameworks": {"torch": "2.13.1"}}),
        ("packages", {"packages": ("numpy",)}),
        ("indexes", {"indexes": ("https://index.example/simple",)}),
        ("system", {"system": ("git",)}),
        ("cuda", {"cuda": "13.0"}),
        ("cudnn", {"cudnn": "9.20"}),
    ],
)
def test_a_key_that_resolution_reads_makes_the_lock_stale_and_is_named(key, changes):
    assert stale_keys(make_lock(), make_spec(**changes), None) == (key,)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 33},
        {"name": "other"},
        {"command": ("python", "train.py")},
        {"env": {"A": "1"}},
        {"run": ("make",)},
        {"determinism": Determinism(threads=4)},
        {"network": True},
    ],
)
def test_other_keys_leave_the_lock_as_it_is(changes):
    assert stale_keys(make_lock(), make_spec(**changes), None) == ()


def test_a_change_inside_the_requirements_file_makes_the_lock_stale():
    spec = make_spec(requirements="requirements.txt")
    lock = make_lock(spec, "numpy==2.4.6\n")
    assert stale_keys(lock, spec, "numpy==2.4.6\n") == ()
    assert stale_keys(lock, spec, "numpy==2.4.5\n") == ("requirements",)


def test_the_order_of_packages_is_nothing_and_the_order_of_indexes_is_something():
    one = make_spec(packages=("a", "b"), indexes=("https://a.example", "https://b.example"))
    lock = make_lock(one)
    other = make_spec(packages=("b", "a"), indexes=("https://b.example", "https://a.example"))
    assert stale_keys(lock, other, None) == ("indexes",)


def test_a_key_taken_out_of_the_spec_is_named_too():
    assert stale_keys(make_lock(make_spec(cuda="13.0")), make_spec(), None) == ("cuda",)


def test_the_digest_sees_every_field_and_not_the_order():
    lock = make_lock(wheels=(make_wheel("a", "1"), make_wheel("b", "1")))
    assert lock_digest(replace(lock, wheels=lock.wheels[::-1])) == lock_digest(lock)
    others = [
        replace(lock, reprobox="0.2.0"),
        replace(lock, layer_format=2),
        replace(lock, python=replace(lock.python, glibc="2.35")),
        replace(lock, wheels=lock.wheels[:1]),
        replace(lock, system=(make_deb("git"),)),
        replace(lock, base=ArchiveBase("root.tar", "a" * 64)),
    ]
    digests = {lock_digest(item) for item in [lock, *others]}
    assert len(digests) == len(others) + 1
    assert all(digest.startswith("sha256:") for digest in digests)


def test_changes_read_as_a_person_would_say_them():
    old = make_lock(
        base=DebianBase("bookworm", "amd64", "20260101T000000Z", (make_deb(), make_deb("zlib1g"), make_deb("old"))),
        wheels=(make_wheel("torch", "2.12.0"), make_wheel("gone", "1"), make_wheel("same", "1"), make_wheel("re", "1")),
    )
    new = make_lock(
        base=DebianBase("bookworm", "amd64", "20260201T000000Z", (make_deb(sha256="d" * 64), make_deb("zlib1g"))),
        wheels=(
            make_wheel("torch", "2.13.0"),
            make_wheel("numpy"),
            make_wheel("same", "1"),
            make_wheel("re", "1", "9" * 64),
        ),
        system=(make_deb("git"),),
    )
    assert describe_changes(old, new) == [
        "- gone 1",
        "+ numpy 2.4.6",
        "re 1: another file (re-1-cp311-cp311-manylinux_2_28_x86_64.whl)",
        "torch 2.12.0 → 2.13.0",
        "base: 1 package changed, 1 removed",
        "system: 1 package added",
    ]


def test_no_change_has_nothing_to_say_and_a_first_lock_says_everything():
    lock = make_lock()
    assert describe_changes(lock, lock) == []
    assert describe_changes(None, lock) == ["+ numpy 2.4.6", "base: Debian bookworm, 1 package"]


def test_what_is_built_from_source_is_a_change_like_any_other():
    sdist = Sdist("old", "1.0", "old-1.0.tar.gz", "d" * 64, 9)
    plain, built = make_lock(), make_lock(sdists=(sdist,))
    assert describe_changes(plain, built) == ["+ old 1.0"]
    assert describe_changes(built, make_lock(sdists=(replace(sdist, version="1.1"),))) == ["old 1.0 → 1.1"]
    assert lock_digest(plain) != lock_digest(built)
    assert stale_keys(plain, make_spec(from_source=("old",)), None) == ("from_source",)


def test_another_kind_of_base_is_named():
    image = ImageBase("debian@sha256:" + "a" * 64, "sha256:" + "b" * 64, ("sha256:" + "c" * 64,), ())
    assert describe_changes(make_lock(), make_lock(base=image)) == [f"base: Debian bookworm → {image.reference}"]
