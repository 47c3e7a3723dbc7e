"""What a step changed: a container's whole root file system against the layers below it."""

import io
import struct
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprobox.errors import BuildError
from reprobox.layers.read_tar import read_entries
from reprobox.layers.state import collect_difference, read_state
from reprobox.layers.store import LayerStore
from reprobox.layers.tar import Entry, Kind, make_dir, make_file, make_symlink
from reprobox.layers.tree import Tree


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path)


def make_layer(store, *members):
    """Make a layer of (entry, data) pairs."""

    def write(out):
        with Tree() as tree:
            for entry, data in members:
                tree.add(entry, data)
            tree.write(out)

    return store.make(repr(members), "lower", write)


def file(path, content=b"", **fields):
    return make_file(path, len(content))._replace(**fields), content


def folder(path, **fields):
    return make_dir(path)._replace(**fields), None


def link(path, target):
    return make_symlink(path, target), None


def hard(path, target):
    return Entry(path, Kind.HARDLINK, link=target), None


def gone(path):
    return Entry(path, Kind.WHITEOUT), None


def export(*members):
    """Make an export as an engine would: any order, any time."""
    out = io.BytesIO()
    kinds = {Kind.FILE: tarfile.REGTYPE, Kind.DIR: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, data in members:
            info = tarfile.TarInfo(entry.path)
            info.type = kinds.get(entry.kind, tarfile.LNKTYPE)
            info.mode, info.uid, info.gid, info.size, info.linkname = (
                entry.mode,
                entry.uid,
                entry.gid,
                entry.size,
                entry.link,
            )
            info.mtime = 1_700_000_000
            xattrs = {f"SCHILY.xattr.{name}": value.decode("latin-1") for name, value in entry.xattrs}
            info.pax_headers = xattrs
            tar.addfile(info, io.BytesIO(data or b""))
    return [out.getvalue()]


def difference(store, lower, exported):
    """Return the difference as path -> (entry, data), the way a layer would hold it."""
    out = io.BytesIO()
    with Tree() as tree:
        collect_difference(exported, lower, tree, store, "the step")
        tree.write(out)
    out.seek(0)
    return {entry.path: (entry, data.read() if data else b"") for entry, data in read_entries(out)}


def test_nothing_changed_is_nothing_to_keep(store):
    members = [folder("etc"), file("etc/a", b"1"), link("etc/l", "a"), hard("etc/z", "etc/a")]
    assert difference(store, [make_layer(store, *members)], export(*members)) == {}


def test_without_lower_layers_everything_is_kept(store):
    members = [folder("etc"), file("etc/a", b"1", mode=0o4755, gid=42)]
    assert difference(store, [], export(*members)) == {entry.path: (entry, data or b"") for entry, data in members}


@pytest.mark.parametrize(
    "changed",
    [
        file("etc/a", b"2"),
        file("etc/a", b"1", mode=0o600),
        file("etc/a", b"1", uid=7),
        link("etc/a", "b"),
        folder("etc/a"),
    ],
)
def test_any_change_to_an_entry_is_kept_with_the_folders_above_it(store, changed):
    lower = make_layer(store, folder("etc", mode=0o1777), file("etc/a", b"1"), file("etc/b", b"2"))
    found = difference(store, [lower], export(folder("etc", mode=0o1777), changed, file("etc/b", b"2")))
    assert found == {"etc": (folder("etc", mode=0o1777)[0], b""), "etc/a": (changed[0], changed[1] or b"")}


def test_what_is_gone_becomes_one_removal_at_the_top(store):
    lower = make_layer(store, folder("etc"), folder("etc/d"), file("etc/d/a"), file("top"))
    found = difference(store, [lower], export(folder("etc")))
    assert {path: entry.kind for path, (entry, _) in found.items()} == {
        "etc": Kind.DIR,
        "etc/d": Kind.WHITEOUT,
        "top": Kind.WHITEOUT,
    }


def test_a_folder_that_became_a_file_needs_no_removals_below_it(store):
    lower = make_layer(store, folder("d"), file("d/a"), folder("d/e"), file("d/e/b"))
    assert set(difference(store, [lower], export(file("d", b"now a file")))) == {"d"}


def test_a_file_that_became_a_folder_is_kept_with_its_content(store):
    lower = make_layer(store, file("d", b"x"))
    assert set(difference(store, [lower], export(folder("d"), file("d/a", b"1")))) == {"d", "d/a"}


def test_hard_links_among_new_files_stay_links(store):
    found = difference(store, [], export(file("b", b"1"), hard("a", "b")))
    assert found["a"] == (make_file("a", 1), b"1")
    assert (found["b"][0].kind, found["b"][0].link) == (Kind.HARDLINK, "a")


def test_a_new_name_of_an_old_file_gets_its_content_from_the_layer_that_has_it(store):
    lower = [make_layer(store, file("a", b"old")), make_layer(store, file("x", b"old"), hard("y", "x"))]
    state = [file("a", b"old"), file("x", b"old"), hard("y", "x")]
    found = difference(store, lower, export(*state, hard("new", "a"), hard("newer", "y")))
    assert found == {"new": (make_file("new", 3), b"old"), "newer": (make_file("newer", 3), b"old")}


def test_a_large_file_is_compared_without_being_kept(store, monkeypatch):
    monkeypatch.setattr("reprobox.layers.state._SMALL", 4)
    lower = make_layer(store, file("a", b"unchanged"), file("b", b"before it"))
    found = difference(
        store, [lower], export(file("a", b"unchanged"), file("b", b"after that"), file("c", b"a new one"))
    )
    assert {path: data for path, (_, data) in found.items()} == {"b": b"after that", "c": b"a new one"}


def test_what_the_engine_mounts_or_makes_is_no_change(store):
    names = ("etc", "proc", "dev", "run", "tmp")
    lower = make_layer(store, *(folder(name) for name in names))
    found = difference(
        store,
        [lower],
        export(
            folder("etc"), file("etc/hosts", b"127.0.0.1"), file("etc/resolv.conf"), file("etc/hostname", b"3f2a"),
            link("etc/mtab", "/proc/mounts"), file(".dockerenv"), folder("proc", mode=0o555), folder("dev"),
            folder("dev/pts"), folder("run"), file("run/.containerenv"), folder("tmp"), file("tmp/x", b"1"),
        ),
    )  # fmt: skip
    assert found == {}


def test_what_a_lower_layer_has_at_the_engines_paths_is_not_removed(store):
    lower = make_layer(store, folder("etc"), file("etc/hosts", b"x"), folder("tmp"), file("tmp/x"))
    assert difference(store, [lower], export(folder("etc"), folder("tmp"))) == {}


def test_only_capabilities_stay_of_extended_attributes_without_a_user_namespace_in_them(store):
    # ASCII only, because the test's own tar writer wants text.
    version_3 = struct.pack("<IIIIII", 0x03000001, 0x2000, 0, 0, 0, 1000 % 128)
    version_2 = struct.pack("<IIIII", 0x02000001, 0x2000, 0, 0, 0)
    capable = file("ping", b"x", xattrs=(("security.capability", version_3), ("user.note", b"hi")))
    found = difference(store, [], export(capable))
    assert found["ping"][0].xattrs == (("security.capability", version_2),)


def test_bytecode_that_holds_a_time_is_dropped_and_other_bytecode_kept(store):
    dated = b"\xa7\r\r\n" + bytes(4) + b"\x01" * 8
    hashed = b"\xa7\r\r\n" + b"\x01\0\0\0" + b"\x01" * 8
    found = difference(store, [], export(file("a.pyc", dated), file("b.pyc", hashed), file("c.txt", dated)))
    assert set(found) == {"b.pyc", "c.txt"}


def test_a_hard_link_to_nothing_is_refused(store):
    with pytest.raises(BuildError, match="hard link to 'a', which is no file"):
        difference(store, [], export(hard("b", "a")))


def test_an_export_that_breaks_off_is_one_clear_error(store):
    whole = b"".join(export(file("a", b"x" * 3000)))
    with pytest.raises(BuildError, match="ends in the middle"):
        difference(store, [], [whole[:2000]])


def test_the_state_of_layers_respects_removals_and_replacements(store):
    lower = make_layer(store, folder("d"), file("d/a"), file("d/b"), folder("e"), file("e/a"), file("f"))
    upper = make_layer(
        store, folder("d"), gone("d/a"), file("d/c"), file("e", b"no folder any more"), folder("f"), file("f/x")
    )
    assert sorted(read_state([lower, upper], store)) == ["d", "d/b", "d/c", "e", "f", "f/x"]


def test_an_opaque_folder_hides_what_is_below(store):
    lower = make_layer(store, folder("d"), file("d/a"), folder("d/e"), file("d/e/b"), folder("dd"))
    upper = make_layer(store, folder("d"), (Entry("d/.wh..opq", Kind.WHITEOUT), None), file("d/new"))
    assert sorted(read_state([lower, upper], store)) == ["d", "d/new", "dd"]


_NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "a/x/p"])
_TREES = st.dictionaries(_NAMES, st.binary(max_size=2), max_size=6)


def as_members(tree):
    """Turn path -> content into entries: every path that has another below it is a folder."""
    paths = {parent for path in tree for parent in _and_parents(path)}
    folders = {path for path in paths if any(other.startswith(f"{path}/") for other in paths)}
    return [folder(path) if path in folders else file(path, tree[path]) for path in sorted(paths)]


def _and_parents(path):
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


@settings(max_examples=60, deadline=None)
@given(before=_TREES, after=_TREES)
def test_a_difference_laid_over_the_lower_layers_gives_what_was_exported(tmp_path_factory, before, after):
    store = LayerStore(tmp_path_factory.mktemp("store"))
    lower = make_layer(store, *as_members(before))
    found = difference(store, [lower], export(*as_members(after)))
    upper = make_layer(store, *((entry, data if entry.kind is Kind.FILE else None) for entry, data in found.values()))
    assert read_state([lower, upper], store) == read_state([make_layer(store, *as_members(after))], store)
