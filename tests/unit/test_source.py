"""Which project files enter the image."""

import os

import pytest

from reprobox.errors import BuildError
from reprobox.source import list_source
from reprobox.spec.model import Input, Source, Spec


def make_spec(include=("**",), exclude=(), inputs=None):
    return Spec(
        reprobox=1,
        name="x",
        seed=1,
        command=("true",),
        source=Source(include=include, exclude=exclude),
        inputs=inputs or {},
    )


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(folder, spec=None, **options):
    return [file.path for file in list_source(folder, spec or make_spec(), **options)]


@pytest.fixture
def project(tmp_path):
    write(tmp_path, train_dot_py="x", lib__a_dot_py="a", lib__b_dot_py="b", notes_dot_md="n")
    return tmp_path


def test_everything_enters_sorted_by_bytes(project):
    assert names(project) == ["lib/a.py", "lib/b.py", "notes.md", "train.py"]


def test_include_narrows_and_exclude_wins(project):
    assert names(project, make_spec(include=("*.py",), exclude=("lib/b.py",))) == ["lib/a.py", "train.py"]


def test_version_control_state_and_bytecode_never_enter(project):
    write(project, _dot_git__config="c", _dot_reprobox__runs__x="r", lib____pycache____a_dot_pyc="p")
    (project / "lib/__pycache__").mkdir(exist_ok=True)
    (project / "lib/__pycache__/a.pyc").write_text("p")
    assert names(project) == ["lib/a.py", "lib/b.py", "notes.md", "train.py"]


def test_ignore_files_are_respected_at_every_level(project):
    (project / ".gitignore").write_text("*.md\n!notes.md\n")
    (project / "lib/.gitignore").write_text("b.py\n")
    assert names(project) == [".gitignore", "lib/.gitignore", "lib/a.py", "notes.md", "train.py"]


def test_a_nested_ignore_file_can_bring_back_what_an_upper_one_hides(project):
    (project / ".gitignore").write_text("*.py\n")
    (project / "lib/.gitignore").write_text("!a.py\n")
    assert "lib/a.py" in names(project)
    assert "train.py" not in names(project)


def test_no_ignore_file_brings_back_what_the_spec_excludes(project):
    (project / ".gitignore").write_text("!train.py\n")
    assert "train.py" not in names(project, make_spec(exclude=("train.py",)))


def test_the_spec_its_lock_and_declared_inputs_are_not_source(project):
    write(project, spec_dot_yaml="s", spec_dot_lock="l", data__big_dot_csv="d")
    spec = make_spec(inputs={"big": Input(path="data/big.csv", sha256="0" * 64)})
    assert names(project, spec, leave_out=("spec.yaml", "spec.lock")) == [
        "lib/a.py",
        "lib/b.py",
        "notes.md",
        "train.py",
    ]


def test_only_the_owners_execute_bit_counts(project):
    (project / "train.py").chmod(0o700)
    (project / "notes.md").chmod(0o666)
    executable = {file.path: file.executable for file in list_source(project, make_spec())}
    assert executable["train.py"] is True
    assert executable["notes.md"] is False


def test_a_link_inside_the_project_stays_a_link(project):
    (project / "lib/link.py").symlink_to("../train.py")
    (link,) = [file for file in list_source(project, make_spec()) if file.link]
    assert (link.path, link.link) == ("lib/link.py", "../train.py")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "lib/../../x"])
def test_a_link_out_of_the_project_is_refused(project, target):
    (project / "bad").symlink_to(target)
    with pytest.raises(BuildError, match="outside the project"):
        list_source(project, make_spec())


def test_a_pipe_is_refused(project):
    os.mkfifo(project / "pipe")
    with pytest.raises(BuildError, match="pipe: is neither a file nor a link"):
        list_source(project, make_spec())


def test_a_name_with_a_newline_is_refused(project):
    (project / "two\nlines").write_text("x")
    with pytest.raises(BuildError, match="characters an image cannot carry safely"):
        list_source(project, make_spec())
