"""Hashes of inputs: what counts, what does not, what is refused."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from reprobox.errors import Problem, SpecError, UsageError
from reprobox.inputs import check_inputs, hash_file, hash_folder, hash_input
from reprobox.spec.load import parse_positions, parse_spec

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in a folder, a link, an empty folder, and an odd name."""
    root = tmp_path / "data"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "c.txt").write_text("abc")
    (root / "a-b").write_text("x")
    (root / "empty" / "er").mkdir(parents=True)
    (root / "a" / "link").symlink_to("b/c.txt")
    Path(os.fsdecode(os.fsencode(root) + b"/new\nline\\\xff  x")).write_text("odd")
    return root


def spec_with(inputs: str) -> str:
    return f"reprobox: 1\nname: x\nseed: 1\ncommand: python x.py\ninputs:\n{inputs}"


def test_a_file_has_the_hash_that_sha256sum_prints(tmp_path):
    (tmp_path / "f").write_text("abc")
    assert hash_file(tmp_path / "f") == ABC


def test_a_folder_of_plain_files_can_be_hashed_by_hand(tmp_path):
    """Pins the format: changing it would make every committed spec wrong."""
    import hashlib

    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "f").write_text("abc")
    (tmp_path / "d" / "link").symlink_to("sub/f")
    (tmp_path / "d" / "none").mkdir()
    listing = f"{ABC}  ./sub/f\0link 5 sub/f  ./link\0folder  ./none\0"
    assert hash_folder(tmp_path / "d") == hashlib.sha256(listing.encode()).hexdigest()


def test_a_folder_hash_does_not_depend_on_order_times_or_modes(folder, tmp_path):
    before = hash_folder(folder)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in sorted(folder.iterdir(), reverse=True):
        if path.is_dir():
            shutil.copytree(path, copy / path.name, symlinks=True)
        else:
            shutil.copyfile(path, copy / path.name)
    (copy / "a-b").chmod(0o600)
    os.utime(copy / "a-b", (0, 0))
    assert hash_folder(copy) == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "a-b").write_text("y"), id="content"),
        pytest.param(lambda root: (root / "a-b").rename(root / "a_b"), id="name"),
        pytest.param(lambda root: (root / "a" / "b" / "c.txt").rename(root / "a" / "c.txt"), id="place"),
        pytest.param(lambda root: (root / "new").write_text(""), id="new empty file"),
        pytest.param(lambda root: (root / "new").mkdir(), id="new empty folder"),
        pytest.param(lambda root: (root / "empty" / "er").rmdir(), id="empty folder removed"),
        pytest.param(
            lambda root: ((root / "a" / "link").unlink(), (root / "a" / "link").symlink_to("b/c")), id="link's target"
        ),
        pytest.param(
            lambda root: ((root / "a" / "link").unlink(), (root / "a" / "link").write_text("abc")),
            id="link made a file",
        ),
        pytest.param(lambda root: ((root / "a-b").unlink(), (root / "a-b").mkdir()), id="file made an empty folder"),
    ],
)
def test_a_folder_hash_changes_with_names_kinds_and_contents(folder, change):
    before = hash_folder(folder)
    change(folder)
    assert hash_folder(folder) != before


def test_two_links_cannot_be_made_to_read_as_one(tmp_path):
    for number, (name, target) in enumerate([("a", "b  ./c"), ("c", "b"), ("a  .", "x")]):
        root = tmp_path / str(number)
        root.mkdir()
        (root / name).symlink_to(target)
    assert len({hash_folder(tmp_path / str(number)) for number in range(3)}) == 3


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    root = tmp_path / "d"
    (root / "sub").mkdir(parents=True)
    for target in ("/etc/passwd", "../../x", ".."):
        link = root / "sub" / "link"
        link.unlink(missing_ok=True)
        if target == "..":
            link.symlink_to(target)
            hash_folder(root)
            continue
        link.symlink_to(target)
        with pytest.raises(UsageError, match="link that leaves the folder"):
            hash_folder(root)


def test_a_pipe_a_socket_and_a_device_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        hash_file(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        hash_folder(tmp_path)
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        hash_file(Path(os.devnull))


def test_a_file_that_something_writes_to_is_refused(tmp_path):
    (tmp_path / "f").touch()
    os.truncate(tmp_path / "f", 256 << 20)
    done = threading.Event()

    def write():
        with (tmp_path / "f").open("ab") as stream:
            while not done.wait(0.001):
                stream.write(b"x")
                stream.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(UsageError, match="changed while it was read"):
            hash_file(tmp_path / "f")
    finally:
        done.set()
        writer.join()


def test_a_missing_file_and_a_name_with_nul_are_one_clear_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        hash_file(tmp_path / "none")
    with pytest.raises(UsageError, match="cannot be read"):
        hash_file(Path("a\0b"))
    for name in ("a\0b", "a" * 300):
        with pytest.raises(UsageError, match=r"cannot be read|does not exist"):
            hash_input(tmp_path / name)
    with pytest.raises(UsageError, match="does not exist"):
        hash_folder(tmp_path / "none")


def test_all_wrong_inputs_are_reported_at_once_at_their_lines(tmp_path):
    (tmp_path / "good").write_text("abc")
    (tmp_path / "bad").write_text("abd")
    (tmp_path / "folder").mkdir()
    text = spec_with(f"  good: {ABC}\n  bad: {ABC}\n  gone: {ABC}\n  folder: {{path: folder, sha256: {ABC}}}\n")
    loaded = parse_positions(text, "spec.yaml", tmp_path)
    with pytest.raises(SpecError) as caught:
        check_inputs(loaded.spec, tmp_path, loaded.problem)
    found = [(problem.line, problem.key, problem.message.split(":")[0]) for problem in caught.value.problems]
    assert found == [
        (7, "inputs.bad", "bad is not what the spec says"),
        (8, "inputs.gone", f"{tmp_path}/gone does not exist"),
        (9, "inputs.folder", "folder is not what the spec says"),
    ]


def test_right_inputs_pass_in_silence(tmp_path):
    (tmp_path / "good").write_text("abc")
    check_inputs(parse_spec(spec_with(f"  good: {ABC}\n"), "s", tmp_path), tmp_path)


def test_without_positions_the_problem_still_names_the_key(tmp_path):
    with pytest.raises(SpecError) as caught:
        check_inputs(parse_spec(spec_with(f"  gone: {ABC}\n"), "s", tmp_path), tmp_path)
    assert isinstance(caught.value.problems[0], Problem)
    assert caught.value.problems[0].key == "inputs.gone"
