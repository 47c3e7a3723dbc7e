"""The lock's text: an exact round trip, and one LockError for whatever a stranger or an accident did to it."""

import re
import tomllib
from dataclasses import replace

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_lock import make_deb, make_lock, make_wheel

from reprobox.errors import LockError
from reprobox.lock import ArchiveBase, DebianBase, ImageBase, Lock, PythonTarget, Sdist, Wheel
from reprobox.lock_text import format_lock, parse_lock

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
DIGEST = HEX.map(lambda text: f"sha256:{text}")
SIZE = st.integers(0, 2**53 - 1)
NAME = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True)
VARIABLE = st.from_regex(r"[A-Z_]{1,8}=[ -~]{0,20}", fullmatch=True)
VERSION = st.from_regex(r"[1-9][0-9]?\.[0-9]{1,2}(\.[0-9]{1,2})?(\+cpu|\+cu130)?", fullmatch=True)


@st.composite
def wheels(draw):
    name, version = draw(NAME), draw(VERSION)
    filename = (
        f"{name.replace('-', '_')}-{version}-{draw(st.sampled_from(['py3-none-any', 'cp311-cp311-linux_x86_64']))}.whl"
    )
    return Wheel(
        name, version, filename, draw(HEX), draw(SIZE), draw(st.sampled_from(["", "https://i.example/simple"]))
    )


@st.composite
def sdists(draw):
    name, version = draw(NAME), draw(VERSION)
    filename = f"{name}-{version}{draw(st.sampled_from(['.tar.gz', '.zip']))}"
    return Sdist(name, version, filename, draw(HEX), draw(SIZE), draw(st.sampled_from(["", "https://i.example/x"])))


DEBS = st.builds(make_deb, NAME.filter(lambda name: len(name) > 1), st.just("1:2.36-9+deb12u7~b1"), HEX)
BASES = st.one_of(
    st.builds(
        DebianBase,
        st.just("bookworm"),
        st.just("amd64"),
        st.just("20260101T000000Z"),
        st.lists(DEBS, max_size=4, unique_by=lambda deb: deb.name).map(lambda debs: tuple(sorted(debs))),
    ),
    st.builds(
        ImageBase,
        st.just("debian@sha256:" + "a" * 64),
        DIGEST,
        st.lists(DIGEST, min_size=1).map(tuple),
        st.lists(VARIABLE, max_size=3, unique=True).map(lambda env: tuple(sorted(env))),
    ),
    st.builds(ArchiveBase, st.just("base/root fs.tar"), HEX),
)
LOCKS = st.builds(
    Lock,
    st.just("0.1.0"),
    st.integers(1, 99),
    DIGEST,
    st.dictionaries(st.sampled_from(["python", "base", "cuda"]), DIGEST).map(lambda keys: tuple(sorted(keys.items()))),
    BASES,
    st.just(PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")),
    st.lists(DEBS, max_size=3, unique_by=lambda deb: deb.name).map(lambda debs: tuple(sorted(debs))),
    st.lists(wheels(), max_size=5, unique_by=lambda wheel: wheel.name).map(lambda found: tuple(sorted(found))),
    st.lists(sdists(), max_size=2, unique_by=lambda sdist: sdist.name).map(lambda found: tuple(sorted(found))),
)


@pytest.mark.long
@given(LOCKS)
def test_every_lock_comes_back_as_it_was_and_gives_the_same_text_again(lock):
    text = format_lock(lock)
    assert parse_lock(text, "x.lock") == lock
    assert format_lock(parse_lock(text, "x.lock")) == text


def test_the_text_is_sorted_and_has_one_key_a_line():
    lock = make_lock(wheels=(make_wheel("torch", "2.13.0"), make_wheel()), system=(make_deb("git"),))
    text = format_lock(lock)
    assert text == format_lock(replace(lock, wheels=lock.wheels[::-1]))
    assert text.startswith("# made by `reprobox lock`")
    assert text.index('name = "numpy"') < text.index('name = "torch"')
    assert all(line.count(" = ") <= 1 for line in text.splitlines())


def test_one_changed_package_changes_its_lines_and_the_digest_only():
    old = format_lock(make_lock(wheels=(make_wheel(), make_wheel("torch", "2.12.0")))).splitlines()
    new = format_lock(make_lock(wheels=(make_wheel(), make_wheel("torch", "2.13.0")))).splitlines()
    changed = [b.split(" = ")[0] for a, b in zip(old, new, strict=True) if a != b]
    assert changed == ["lock_digest", "version", "filename"]


GOOD = format_lock(make_lock(system=(make_deb("git"),)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("numpy-2.4.6-cp", "../numpy-2.4.6-cp", "filename"),
        ("numpy-2.4.6-cp", "/etc/numpy-2.4.6-cp", "filename"),
        ("numpy-2.4.6-cp", "..\\\\numpy-2.4.6-cp", "filename"),
        ("pool/main/g", "pool/../../g", "not a path inside its folder"),
        ("pool/main/g", "/pool/main/g", "not a path inside its folder"),
        ("_amd64.deb", "_amd64.tar", "not the path of a .deb file"),
        ("a" * 64, "a" * 63, "not a sha256"),
        ("a" * 64, "A" * 64, "not a sha256"),
        ("size = 5", "size = -5", "not a size"),
        ("size = 5", 'size = "5"', "not a size"),
        ("size = 5", "size = true", "not a size"),
        ("size = 5", "size = nan", "not a size"),
        ("size = 5", "size = 5\nurl = 'x'", "unknown key"),
        ("schema_version = 1", "schema_version = 2", "schema_version 2"),
        ("schema_version = 1", "schema_version = true", "not a lock"),
        ('version = "2.4.6"', 'version = "2.4.7"', "is not a wheel of numpy 2.4.7"),
        ('kind = "debian"', 'kind = "floppy"', "kind"),
        ('executable = "/usr/bin/python3.11"', 'executable = "python3.11; rm"', "executable"),
        ('executable = "/usr/bin/python3.11"', 'executable = "/usr/../bin/x"', "executable"),
        ("[[wheel]]", "<<<<<<< ours\n[[wheel]]", "merge"),
        ("layer_format = 1", "layer_format = 2", "lock_digest"),
        ("[spec]", "[spock]", "missing in [spec]"),
    ],
)
def test_a_damaged_or_hostile_lock_is_refused(old, new, says):
    assert old in GOOD
    with pytest.raises(LockError) as caught:
        parse_lock(GOOD.replace(old, new), "x.lock")
    assert says in caught.value.message
    assert caught.value.message.startswith("x.lock")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("old-1.0.tar.gz", "../old-1.0.tar.gz", "not a source archive's file name"),
        ("old-1.0.tar.gz", "old-1.0.tar.xz", "not a source archive's file name"),
        ("old-1.0.tar.gz", "old-1.1.tar.gz", "is not a source archive of old 1.0"),
        ("d" * 64, "d" * 65, "not a sha256"),
        ("size = 9", "size = 9\nurl = 'x'", "unknown key"),
    ],
)
def test_a_source_archive_is_checked_as_a_wheel_is(old, new, says):
    text = format_lock(make_lock(sdists=(Sdist("old", "1.0", "old-1.0.tar.gz", "d" * 64, 9),)))
    assert old in text
    with pytest.raises(LockError, match=re.escape(says)):
        parse_lock(text.replace(old, new, 1), "x.lock")


def test_an_error_names_the_line_of_the_value():
    text = GOOD.replace("a" * 64, "b" * 63)
    line = 1 + next(n for n, line in enumerate(text.splitlines()) if "b" * 63 in line)
    with pytest.raises(LockError, match=f"^x.lock:{line}: sha256"):
        parse_lock(text, "x.lock")


def test_the_same_package_twice_is_refused():
    document = tomllib.loads(GOOD)
    document["wheel"] *= 2
    with pytest.raises(LockError, match="numpy is there twice"):
        parse_lock(tomli_w.dumps(document), "x.lock")


def test_a_lock_cut_anywhere_is_refused():
    for end in range(0, len(GOOD) - 1, 7):
        with pytest.raises(LockError):
            parse_lock(GOOD[:end], "x.lock")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_over_a_lock_only_a_lock_error_comes_out(data):
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 40)))
    junk = data.draw(st.one_of(st.text(max_size=30), st.sampled_from(["'", "[[", "= {}", "1e999", "\x00", "\r", "[]"])))
    text = GOOD[:start] + junk + GOOD[end:]
    try:
        lock = parse_lock(text, "x.lock")
    except LockError:
        return
    assert format_lock(lock) == GOOD


TOML = st.recursive(
    st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**63), st.booleans(), st.floats(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from(["spec", "python", "base", "system", "wheel", "lock_digest", "reprobox"]), TOML)
def test_any_toml_in_any_place_gives_only_a_lock_error(key, value):
    document = tomllib.loads(GOOD)
    document[key] = value
    with pytest.raises(LockError):
        parse_lock(tomli_w.dumps(document), "x.lock")


@given(st.sampled_from(["wheel", "system"]), st.data(), TOML)
def test_any_toml_in_any_field_gives_only_a_lock_error(table, data, value):
    document = tomllib.loads(GOOD)
    key = data.draw(st.sampled_from(sorted(document[table][0])))
    if document[table][0][key] == value:
        return
    document[table][0][key] = value
    with pytest.raises(LockError):
        parse_lock(tomli_w.dumps(document), "x.lock")
