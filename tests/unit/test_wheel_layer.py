"""What a wheel's layer holds, byte for byte, and when it is made anew."""

import base64
import hashlib
import json
import zlib
from dataclasses import replace

import pytest
from made_wheels import PYTHON, SITE, UpperCompiler, make_wheel, metadata

from reprobox.errors import BuildError
from reprobox.layers import zip_members
from reprobox.layers.read_tar import read_entries
from reprobox.layers.store import LayerStore
from reprobox.layers.wheel import describe_group, find_missing_groups, group_wheels, make_wheel_layers
from reprobox.lock import PythonTarget, Wheel

FILES = {
    "thing/__init__.py": "x = 1\n",
    "thing/sub/bad.py": "does not compile\n",
    "thing/run.sh": "#!/bin/sh\n",
    "thing/__pycache__/__init__.cpython-311.pyc": "left out",
    "top.py": "",
    "thing-1.0.data/purelib/from_data.py": "y = 2\n",
    "thing-1.0.data/scripts/tool": "#!python -u\nprint(1)\n",
    "thing-1.0.data/scripts/shell": "#!/bin/sh\n",
    "thing-1.0.data/scripts/entry": "replaced by the entry point",
    "thing-1.0.data/data/share/thing.txt": "data",
    "thing-1.0.data/data/lib64/thing.so": "so",
    "thing-1.0.data/headers/thing.h": "header",
    "thing-1.0.dist-info/INSTALLER": "somebody",
    "thing-1.0.dist-info/entry_points.txt": "[console_scripts]\nentry = thing.main:cli.run\n[other]\nz = q\n",
}


EXECUTABLE = ("thing/run.sh", "thing-1.0.data/scripts/tool")


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path / "cache")


def make(store, *wheels, compiler=None, python=PYTHON):
    """Return the layers of one group: its files, and its bytecode if there is any."""
    return make_wheel_layers([wheels], python, compiler or UpperCompiler(), store)


def read_layers(layers):
    found = {}
    for layer in layers:
        with layer.path.open("rb") as stream:
            found.update((entry.path, (entry, data.read() if data else None)) for entry, data in read_entries(stream))
    return found


def data_of(layers):
    return {path: data for path, (_, data) in read_layers(layers).items() if data is not None}


def diff_ids(layers):
    return [layer.diff_id for layer in layers]


def test_every_scheme_of_a_wheel_has_its_place(store, tmp_path):
    found = data_of(make(store, make_wheel(tmp_path, FILES, executable=EXECUTABLE)))
    info = f"{SITE}/thing-1.0.dist-info"
    record = found.pop(f"{info}/RECORD").decode()
    assert found == {
        f"{SITE}/thing/__init__.py": b"x = 1\n",
        f"{SITE}/thing/__pycache__/__init__.cpython-311.pyc": b"X = 1\n",
        f"{SITE}/thing/sub/bad.py": b"does not compile\n",
        f"{SITE}/thing/run.sh": b"#!/bin/sh\n",
        f"{SITE}/top.py": b"",
        f"{SITE}/__pycache__/top.cpython-311.pyc": b"",
        f"{SITE}/from_data.py": b"y = 2\n",
        f"{SITE}/__pycache__/from_data.cpython-311.pyc": b"Y = 2\n",
        "opt/venv/bin/tool": b"#!/opt/venv/bin/python\nprint(1)\n",
        "opt/venv/bin/shell": b"#!/bin/sh\n",
        "opt/venv/bin/entry": b"#!/opt/venv/bin/python\nimport sys\nfrom thing.main import cli\n"
        b"if __name__ == '__main__':\n    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(cli.run())\n",
        "opt/venv/share/thing.txt": b"data",
        "opt/venv/lib/thing.so": b"so",
        "opt/venv/include/site/python3.11/thing/thing.h": b"header",
        f"{info}/INSTALLER": b"reprobox\n",
        f"{info}/entry_points.txt": FILES["thing-1.0.dist-info/entry_points.txt"].encode(),
        **{f"{SITE}/{path}": text.encode() for path, text in metadata().items()},
    }
    lines = record.splitlines()
    assert lines == sorted(lines)
    assert "thing-1.0.dist-info/RECORD,," in lines
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).decode().rstrip("=")
    assert f"thing/__init__.py,sha256={digest},6" in lines
    assert {line.split(",")[0] for line in lines if line.startswith("../")} == {
        "../../../bin/entry",
        "../../../bin/shell",
        "../../../bin/tool",
        "../../../include/site/python3.11/thing/thing.h",
        "../../../lib/thing.so",
        "../../../share/thing.txt",
    }


def test_entries_belong_to_root_and_have_two_modes(store, tmp_path):
    entries = read_layers(make(store, make_wheel(tmp_path, FILES, executable=EXECUTABLE)))
    assert {(entry.uid, entry.gid) for entry, _ in entries.values()} == {(0, 0)}
    executable = {path for path, (entry, data) in entries.items() if data is not None and entry.mode == 0o755}
    assert executable == {f"{SITE}/thing/run.sh", "opt/venv/bin/tool", "opt/venv/bin/entry"}
    assert {entry.mode for entry, _ in entries.values()} == {0o644, 0o755}
    assert entries["opt/venv/lib/python3.11"][1] is None


def test_golden_layer(store, tmp_path):
    """Changes only with LAYER_FORMAT, and then on purpose; the wheel's own bytes (its compression) don't matter."""
    layers = make(store, make_wheel(tmp_path, FILES, executable=EXECUTABLE))
    assert diff_ids(layers) == [
        "sha256:fd54728116e8294fa014176cca4228d9d7f10f7b0ef5cf0e014d59985d135a03",
        "sha256:a5014f20047d344fad09362d73ab6768846a58cb60f78e671a0cfc27ebd92eee",
    ]


def test_the_order_of_members_and_of_wheels_on_disk_does_not_matter(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = make_wheel(tmp_path / "a", FILES)
    two = make_wheel(tmp_path / "b", dict(reversed(FILES.items())))
    assert one[0].sha256 != two[0].sha256
    first = make(LayerStore(tmp_path / "a"), one)
    second = make(LayerStore(tmp_path / "b"), two)
    assert data_of(first).keys() == data_of(second).keys()
    assert diff_ids(first) == diff_ids(second)


@pytest.mark.parametrize("inflater", [zlib, zip_members._zlib])
@pytest.mark.parametrize(
    "data", [hashlib.shake_256(b"seed").digest(9_000_001), bytes(30_000_001)], ids=["noise", "zeros"]
)
def test_large_member_is_streamed_whole(store, tmp_path, monkeypatch, inflater, data):
    monkeypatch.setattr(zip_members, "_zlib", inflater)
    found = data_of(make(store, make_wheel(tmp_path, {"thing/big.bin": data, "thing/big2.bin": data[:-1]})))
    assert found[f"{SITE}/thing/big.bin"] == data
    assert found[f"{SITE}/thing/big2.bin"] == data[:-1]


def test_names_that_differ_in_case_only_are_both_kept(store, tmp_path):
    found = data_of(make(store, make_wheel(tmp_path, {"thing/A": "1", "thing/a": "2"})))
    assert (found[f"{SITE}/thing/A"], found[f"{SITE}/thing/a"]) == (b"1", b"2")


def test_layer_is_found_again_without_the_wheel(store, tmp_path):
    wheel, path = make_wheel(tmp_path, FILES)
    made = make(store, (wheel, path))
    path.unlink()
    assert find_missing_groups([[wheel]], PYTHON, "capitals", store) == ()
    assert diff_ids(make(store, (wheel, path))) == diff_ids(made)


@pytest.mark.parametrize(
    ("python", "identity"),
    [(PythonTarget("3.13.5", "/usr/bin/python3.13", "2.41"), "capitals"), (PYTHON, "another interpreter")],
)
def test_another_interpreter_makes_other_layers(store, tmp_path, python, identity):
    wheel, path = make_wheel(tmp_path, FILES)
    make(store, (wheel, path))
    assert find_missing_groups([[wheel]], python, identity, store) == ([wheel],)


def test_another_build_of_the_interpreter_shares_the_files(store, tmp_path):
    wheel = make_wheel(tmp_path, FILES)
    files, bytecode = make(store, wheel)
    again, other = make(store, wheel, compiler=UpperCompiler("another interpreter"))
    assert (again.diff_id, again.cached, other.cached) == (files.diff_id, True, False)
    assert files.diff_id not in diff_ids([bytecode, other])


def test_wheels_without_sources_have_no_bytecode_layer(store, tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/data.txt": name}, name) for name in ("one", "two")]
    made = []
    layers = make_wheel_layers(
        [[wheel] for wheel in wheels], PYTHON, UpperCompiler(), store, on_made=lambda *news: made.append(news)
    )
    assert [layer.what for layer in layers] == ["one 1.0", "two 1.0"]
    assert sorted(made, key=lambda news: news[0]) == [(0, layers[0]), (1, None), (2, layers[1]), (3, None)]
    assert make_wheel_layers([[wheel] for wheel in wheels], PYTHON, UpperCompiler(), store) == tuple(
        replace(layer, cached=True) for layer in layers
    )


@pytest.mark.parametrize("first", [b"\x7fELF", b"#!python -u\n"])
def test_a_large_program_among_the_scripts_is_recorded_like_a_small_one(store, tmp_path, first):
    program = first + bytes(zip_members.WHOLE)
    found = data_of(make(store, make_wheel(tmp_path, {"thing-1.0.data/scripts/tool": program})))
    installed = program.replace(b"#!python -u", b"#!/opt/venv/bin/python")
    assert found["opt/venv/bin/tool"] == installed
    digest = base64.urlsafe_b64encode(hashlib.sha256(installed).digest()).decode().rstrip("=")
    record = found[f"{SITE}/thing-1.0.dist-info/RECORD"].decode()
    assert f"../../../bin/tool,sha256={digest},{len(installed)}\n" in record


def test_one_changed_small_wheel_costs_only_its_own_bytecode(store, tmp_path):
    compiler = UpperCompiler()
    small = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in ("one", "two", "three")]
    before = make(store, *small, compiler=compiler)
    small[1] = make_wheel(tmp_path, {"two/m.py": "new"}, "two", "2.0")
    after = make(store, *small, compiler=compiler)
    assert compiler.calls == [[f"/{SITE}/{name}/m.py" for name in ("one", "three", "two")], [f"/{SITE}/two/m.py"]]
    assert {path for path, data in data_of(after).items() if data_of(before).get(path) != data} == {
        f"{SITE}/two/m.py",
        f"{SITE}/two/__pycache__/m.cpython-311.pyc",
        *(f"{SITE}/two-2.0.dist-info/{name}" for name in ("RECORD", "METADATA", "WHEEL", "INSTALLER")),
    }


def test_kept_bytecode_makes_the_same_layer_as_new(tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/m.py": name, f"{name}/n.py": "does not compile"}, name) for name in "abc"]
    store = LayerStore(tmp_path / "one")
    make(store, *wheels[:2])
    assert diff_ids(make(store, *wheels)) == diff_ids(make(LayerStore(tmp_path / "two"), *wheels))


def test_damaged_kept_bytecode_is_made_again(tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in "abc"]
    store = LayerStore(tmp_path / "one")
    make(store, *wheels[:2])
    for blob in (tmp_path / "one").rglob("*.tar"):
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert diff_ids(make(store, *wheels)) == diff_ids(make(LayerStore(tmp_path / "two"), *wheels))


def test_two_wheels_may_share_a_namespace_and_equal_files(store, tmp_path):
    shared = {"ns/__init__.py": "", "ns/LICENSE": "same"}
    wheels = [make_wheel(tmp_path, {**shared, f"ns/{name}.py": name}, name) for name in ("one", "two")]
    assert {path.removeprefix(f"{SITE}/ns/") for path in data_of(make(store, *wheels)) if "/ns/" in path} >= {
        "__init__.py",
        "one.py",
        "two.py",
    }


def test_two_wheels_with_different_files_of_one_name_are_refused(store, tmp_path):
    wheels = [make_wheel(tmp_path, {"ns/__init__.py": name}, name) for name in ("one", "two")]
    with pytest.raises(BuildError, match=r"one-1\.0-.* and wheel two-1\.0-.*ns/__init__\.py"):
        make(store, *wheels)


def test_overlap_between_layers_is_refused_too(store, tmp_path):
    one, two = (make_wheel(tmp_path, {"ns/__init__.py": name}, name) for name in ("one", "two"))
    with pytest.raises(BuildError, match="both install"):
        make_wheel_layers([[one], [two]], PYTHON, UpperCompiler(), store)


def test_overlap_between_layers_that_were_made_apart_is_refused(store, tmp_path):
    one, two = (make_wheel(tmp_path, {"ns/__init__.py": name}, name) for name in ("one", "two"))
    for wheel in (one, two):
        make_wheel_layers([[wheel]], PYTHON, UpperCompiler(), store)
        wheel[1].unlink()
    for _ in range(2):
        with pytest.raises(BuildError, match="both install"):
            make_wheel_layers([[one], [two]], PYTHON, UpperCompiler(), store)


def test_stray_top_level_tests_are_the_last_wheel_s(store, tmp_path):
    wheels = [make_wheel(tmp_path, {"tests/__init__.py": name}, name) for name in ("one", "two")]
    compiler = UpperCompiler()
    found = data_of(make(store, *wheels, compiler=compiler))
    assert found[f"{SITE}/tests/__init__.py"] == b"two"
    assert found[f"{SITE}/tests/__pycache__/__init__.cpython-311.pyc"] == b"TWO"
    assert data_of(make(store, wheels[0], compiler=compiler))[f"{SITE}/tests/__init__.py"] == b"one"


def test_layers_come_in_the_order_of_their_groups_and_report_progress(store, tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in "abcdef"]
    seen = []
    layers = make_wheel_layers(
        [[wheel] for wheel in wheels],
        PYTHON,
        UpperCompiler(),
        store,
        on_progress=lambda what, done, total: seen.append((what, done, total)),
    )
    assert [layer.what for layer in layers] == [
        *(f"{name} 1.0" for name in "abcde"),
        *(f"bytecode of {name} 1.0" for name in "abcde"),
        "f 1.0",
        "bytecode of f 1.0",
    ]
    last = {what: (done, total) for what, done, total in seen}
    assert last.keys() == {*(f"{name} 1.0" for name in "abcdef"), *(f"bytecode of {name} 1.0" for name in "abcdef")}
    assert all(done == total for done, total in last.values())


def test_the_largest_sources_are_compiled_first(store, tmp_path):
    wheel = make_wheel(
        tmp_path, {f"one/{name}.py": name * size for name, size in (("a", 2), ("b", 9), ("c", 2), ("d", 5))}
    )
    orders = []

    class Watching(UpperCompiler):
        def begin(self, sources, on_made):
            orders.append("".join(path[-4] for path in sources))
            return super().begin(sources, on_made)

    make_wheel_layers([[wheel]], PYTHON, Watching(), store)
    assert orders == ["bdac"]


def test_no_wheels_are_no_layers(store):
    assert make_wheel_layers([], PYTHON, UpperCompiler(), store) == ()


def test_the_next_group_is_compiled_while_one_is_stored(store, tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in "abc"]
    order = []

    class Slow(UpperCompiler):
        def begin(self, sources, on_made):
            (path,) = sources
            order.append(f"begin {path[-6]}")
            wait = super().begin(sources, on_made)
            return lambda: (order.append(f"wait {path[-6]}"), wait())[1]

    make_wheel_layers([[wheel] for wheel in wheels], PYTHON, Slow(), store)
    # The last group stands for all small wheels; of the others the smallest is first.
    assert order == ["begin b", "begin a", "wait b", "begin c", "wait a", "wait c"]


def test_a_layer_is_told_of_before_its_bytecode_is_kept_by_wheel(store, tmp_path):
    wheels = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in "ab"]
    counts = []

    def count_kept():
        records = (json.loads(path.read_text()) for path in store.root.glob("keys/*"))
        return sum(record["what"] == "bytecode" for record in records)

    def told(place, layer):
        if layer.what == "bytecode of 2 packages":
            counts.append(count_kept())

    make_wheel_layers([wheels], PYTHON, UpperCompiler(), store, on_made=told)
    assert [*counts, count_kept()] == [0, len(wheels)]


def test_one_bad_wheel_stops_the_others_and_leaves_no_layer(store, tmp_path):
    good = [make_wheel(tmp_path, {f"{name}/m.py": name}, name) for name in "abc"]
    bad = make_wheel(tmp_path, {"/etc/passwd": "x"}, "bad")
    with pytest.raises(BuildError, match=r"bad-1\.0"):
        make_wheel_layers([[bad], *([wheel] for wheel in good)], PYTHON, UpperCompiler(), store)
    assert find_missing_groups([[bad[0]]], PYTHON, "capitals", store) == ([bad[0]],)


def test_damaged_listing_is_made_again_or_done_without(store, tmp_path):
    one, two = (make_wheel(tmp_path, {f"ns/{name}.py": name}, name) for name in ("one", "two"))
    make_wheel_layers([[one]], PYTHON, UpperCompiler(), store)
    listing = next(path for path in (tmp_path / "cache").rglob("*.tar") if path.read_bytes()[:1] == b"{")
    good = listing.read_bytes()
    listing.write_bytes(b"[" + good[1:])
    make_wheel_layers([[one], [two]], PYTHON, UpperCompiler(), store)
    assert listing.read_bytes() == good
    listing.unlink()
    one[1].unlink()
    assert len(make_wheel_layers([[two], [one]], PYTHON, UpperCompiler(), store)) == 4


def fake(name, size):
    return Wheel(name, "1", f"{name}.whl", name, size)


def test_large_wheels_come_alone_and_largest_first():
    wheels = [fake("small", 9_999_999), fake("torch", 200_000_000), fake("a", 10), fake("scipy", 10_000_000)]
    assert group_wheels(wheels) == ((wheels[1],), (wheels[3],), (wheels[2], wheels[0]))
    assert group_wheels(reversed(wheels)) == group_wheels(wheels)


def test_wheels_of_nvidias_come_alone_at_any_size_and_as_long_as_there_is_room():
    wheels = [fake("nvidia-nvtx", 89_000), fake("torch", 200_000_000), fake("a", 10), fake("nvidia-cufile", 1_200_000)]
    assert group_wheels(wheels) == ((wheels[1],), (wheels[3],), (wheels[0],), (wheels[2],))
    many = [*(fake(f"w{number}", 10_000_000) for number in range(48)), *wheels]
    assert group_wheels(many)[-1] == (wheels[2], wheels[3], wheels[0])


def test_there_are_never_more_than_a_hundred_layers():
    groups = group_wheels(fake(f"w{number:03}", 10_000_000 + number) for number in range(150))
    assert len(groups) == 50
    assert [len(group) for group in groups] == [1] * 49 + [101]
    assert sum(groups, ()) != ()


def test_groups_have_names_for_people():
    assert describe_group([fake("torch", 1)]) == "torch 1"
    assert describe_group([fake("a", 1), fake("b", 1)]) == "2 packages"
    assert group_wheels([]) == ()
