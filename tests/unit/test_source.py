"""Which project files enter the image."""

import os
import sys
from dataclasses import replace

import made_report
import pytest

from reprobox.context import write_context
from reprobox.errors import BuildError
from reprobox.lock import ImageBase
from reprobox.plan import make_plan
from reprobox.source import list_source
from reprobox.spec.load import load_spec
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


def test_names_of_inputs_and_of_the_spec_are_no_patterns(project):
    write(project, **{"data__a[1]_dot_csv": "1", "data__a1_dot_csv": "2", "exp[1]_dot_yaml": "s", "exp1_dot_yaml": "x"})
    spec = make_spec(include=("*.csv", "*.yaml"), inputs={"a": Input(path="data/a[1].csv", sha256="0" * 64)})
    assert names(project, spec, leave_out=("exp[1].yaml",)) == ["data/a1.csv", "exp1.yaml"]


def test_an_input_that_is_a_folder_is_no_source(project):
    write(project, sets__x__a="1", sets__y="2")
    spec = make_spec(include=("sets/**",), inputs={"x": Input(path="sets/x/", sha256="0" * 64)})
    assert names(project, spec) == ["sets/y"]


def test_dockerignore_brings_back_what_is_below_what_it_leaves_out(project):
    write(project, src__a_dot_py="a", src__deep__b_dot_py="b", requirements_dot_txt="r", data__keep__x="x", data__y="y")
    (project / ".dockerignore").write_text("*\n!src\n!requirements.txt\n!data/keep\n")
    assert names(project) == ["data/keep/x", "requirements.txt", "src/a.py", "src/deep/b.py"]


def test_dockerignore_speaks_of_the_top_where_gitignore_speaks_of_every_folder(project):
    write(project, a_dot_csv="1", lib__a_dot_csv="2", a_dot_log="1", lib__a_dot_log="2")
    (project / ".dockerignore").write_text("*.csv\n.*\n")
    (project / ".gitignore").write_text("*.log\n")
    assert names(project) == ["lib/a.csv", "lib/a.py", "lib/b.py", "notes.md", "train.py"]


def test_in_a_folder_that_dockerignore_leaves_out_no_other_file_brings_anything_back(project):
    write(project, data__x="x", data__y="y", data__sub__x="x", data___dot_gitignore="!y\n")
    (project / ".dockerignore").write_text(".*\ndata\n!data/x\n!data/sub\n")
    (project / ".gitignore").write_text("!data/y\n")
    (project / ".reproboxignore").write_text("data/sub/x\n")
    assert names(project, make_spec(include=("data",))) == ["data/x"]


def test_what_gitignore_leaves_out_as_a_folder_is_not_looked_into(project):
    write(project, env__lib__a_dot_py="a")
    (project / ".gitignore").write_text("env/\n")
    (project / ".dockerignore").write_text("**\n!**/*.py\n")
    assert names(project) == ["lib/a.py", "lib/b.py", "train.py"]


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore", ".reproboxignore"])
def test_a_byte_order_mark_is_no_part_of_the_first_pattern(project, name):
    (project / name).write_text("\ufeff*.md\n.*\n", encoding="utf-8")
    assert names(project) == ["lib/a.py", "lib/b.py", "train.py"]


@pytest.mark.parametrize("line", ["!", "[z-a]", "a\\"])
def test_an_odd_line_of_an_ignore_file_leaves_the_others(project, line):
    (project / ".gitignore").write_text(f"{line}\n*.md\n.*\n")
    assert names(project) == ["lib/a.py", "lib/b.py", "train.py"]


def test_folders_may_be_deeper_than_a_stack(project):
    path = ""
    for _ in range(300):
        path += "d/"
        (project / path).mkdir()
    (project / path / "x").write_text("x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    try:
        assert f"{path}x" in names(project)
    finally:
        sys.setrecursionlimit(limit)


def test_a_rendered_context_inside_the_project_is_no_source(project):
    (project / "spec.yaml").write_text(made_report.SPEC)
    spec = load_spec(project / "spec.yaml")
    before = list_source(project, spec)
    lock = made_report.make_lock(spec)
    base = ImageBase("x.example/x@sha256:" + "0" * 64, "sha256:" + "1" * 64, ("sha256:" + "2" * 64,), ())
    plan = make_plan(spec, replace(lock, base=base), before)
    wheel = project / "wheel.whl"
    wheel.write_bytes(b"wheel")
    write_context(plan, project, project / "context", {one.sha256: wheel for one in plan.wheels}, None)
    wheel.unlink()
    assert (project / "context" / "source" / "train.py").exists()
    assert list_source(project, spec) == before
