"""What stands between a spec and a build: the lock that must fit."""

from dataclasses import replace

import pytest
from test_lock import make_lock, make_wheel

from reprobox.errors import LockError, SpecError, UsageError
from reprobox.layers.model import LAYER_FORMAT
from reprobox.lock import sort_lock
from reprobox.lock_text import format_lock
from reprobox.project import load_lock, open_project
from reprobox.spec.load import load_spec
from reprobox.workflow import check_lock, init_project, render_project

SPEC = "reprobox: 1\nname: x\nseed: 1\ncommand: python x.py\nframeworks: {torch: 2.13.0}\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    return open_project(tmp_path)


def write_lock(project, **changes):
    lock = make_lock(load_spec(project.spec_path), **{"layer_format": LAYER_FORMAT, **changes})
    project.lock_path.write_text(format_lock(sort_lock(lock)))
    return lock


def test_a_project_is_named_by_its_folder_or_its_spec(tmp_path):
    assert open_project(tmp_path).spec_path == tmp_path / "spec.yaml"
    other = open_project(tmp_path / "night.yaml")
    assert other.lock_path == tmp_path / "night.lock"
    assert other.folder == tmp_path


def test_a_lock_that_fits_is_taken(project):
    lock = write_lock(project)
    assert load_lock(project, load_spec(project.spec_path)) == sort_lock(lock)
    assert check_lock(project).written is False


def test_a_changed_seed_or_command_does_not_make_it_stale(project):
    write_lock(project)
    project.spec_path.write_text(SPEC.replace("seed: 1", "seed: 2").replace("x.py", "y.py"))
    assert check_lock(project).changes == ()


def test_a_changed_framework_makes_it_stale_and_is_named(project):
    write_lock(project)
    project.spec_path.write_text(SPEC.replace("2.13.0", "2.12.0"))
    with pytest.raises(LockError, match="is stale: frameworks changed"):
        check_lock(project)


def test_no_lock_says_how_to_make_one(project):
    with pytest.raises(LockError, match=r"spec.lock is not there\n  hint: run `reprobox lock"):
        check_lock(project)


def test_another_layer_format_is_refused(project):
    write_lock(project, layer_format=99)
    with pytest.raises(LockError, match="is for layer format 99"):
        check_lock(project)


def test_a_lock_that_is_no_text_is_refused(project):
    project.lock_path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LockError, match=r"spec\.lock cannot be read"):
        check_lock(project)


def test_init_writes_the_spec_and_the_schema_its_first_line_names(tmp_path):
    path = init_project(tmp_path, force=False)
    assert load_spec(path).reprobox == 1
    named = path.read_text().splitlines()[0].partition("$schema=")[2]
    assert (tmp_path / named).is_file()


def test_init_needs_a_folder(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        init_project(tmp_path / "none", force=False)


def test_a_lock_of_this_version_round_trips(project):
    lock = replace(write_lock(project), reprobox="0.0.1")
    project.lock_path.write_text(format_lock(sort_lock(lock)))
    assert load_lock(project, load_spec(project.spec_path)).reprobox == "0.0.1"


def test_a_seed_too_large_for_a_backend_that_only_the_lock_names_is_refused_at_its_place(project):
    project.spec_path.write_text(SPEC.replace("seed: 1", "seed: 3000000000"))
    write_lock(project, wheels=(make_wheel(), make_wheel("tensorflow", "2.21.0")))
    for command in (check_lock, lambda project: render_project(project, None, project.folder / "out")):
        with pytest.raises(SpecError) as caught:
            command(project)
        (found,) = caught.value.problems
        assert (found.line, found.column, found.key) == (3, 7, "seed")
        assert found.message.startswith("3000000000 is too large for tensorflow, which the lock brings in")


def test_a_large_seed_that_every_locked_package_takes_is_let_through(project):
    project.spec_path.write_text(SPEC.replace("seed: 1", "seed: 3000000000"))
    write_lock(project)
    assert check_lock(project).written is False
