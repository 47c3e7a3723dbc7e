"""What the command line makes of what is typed, and how failures come out."""

import errno
import json
import os

import pytest
from typer.testing import CliRunner

from reprobox import __version__
from reprobox.cli import app, main
from reprobox.cli_app import open_settings, split_command
from reprobox.cli_verify import _parse_tolerance as parse_tolerance
from reprobox.compare.model import Tolerance
from reprobox.errors import LockError, Problem, SpecError
from reprobox.failure import report_failure
from reprobox.gpus.selection import join_option


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_the_version_is_printed(run):
    assert run("--version").stdout.strip() == f"reprobox {__version__}"


def test_help_names_every_command(run):
    text = run("--help").stdout
    for command in (
        "init",
        "lock",
        "render",
        "build",
        "run",
        "verify",
        "sweep",
        "diff",
        "report",
        "compat",
        "schema",
        "doctor",
    ):
        assert f"  {command} " in text


def test_what_follows_two_dashes_is_the_containers():
    arguments, command = split_command(["run", "a.yaml", "--gpu", "--", "python", "x.py", "--", "-v"])
    assert arguments == ["run", "a.yaml", "--gpu"]
    assert command == ("python", "x.py", "--", "-v")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["run", "--gpu"], ["run", "--gpu=all"]),
        (["run", "--gpu", "spec.yaml"], ["run", "--gpu=all", "spec.yaml"]),
        (["run", "--gpu", "0,1", "spec.yaml"], ["run", "--gpu=0,1", "spec.yaml"]),
        (["run", "--gpu", "none"], ["run", "--gpu=none"]),
        (["run", "--gpu", "--json"], ["run", "--gpu=all", "--json"]),
        (["run", "--gpu", "MIG-1a2b/3/0", "x"], ["run", "--gpu=MIG-1a2b/3/0", "x"]),
        (["run", "--gpu=0", "1"], ["run", "--gpu=0", "1"]),
        ([], []),
    ],
)
def test_gpu_takes_a_value_or_none(typed, read):
    assert join_option(typed) == read


@pytest.mark.parametrize("text", ["two", "0,", "0;1", "GPU-", "all,0", "-1"])
def test_what_names_no_gpu_is_a_usage_error(run, text):
    done = run("run", f"--gpu={text}")
    assert (done.exit_code, "as nvidia-smi has them: 0,1" in done.stderr) == (2, True)


def test_no_two_dashes_no_command():
    assert split_command(["run", "a.yaml"]) == (["run", "a.yaml"], ())


def test_an_unknown_option_is_a_usage_error(run):
    assert run("build", "--nonsense").exit_code == 2


@pytest.mark.parametrize("command", ["lock", "build", "run", "verify", "sweep"])
def test_a_spec_that_is_not_there_is_said_so(run, tmp_path, command):
    result = run(command, str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "none.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_problem_of_a_spec_is_reported_at_once(run, tmp_path):
    (tmp_path / "spec.yaml").write_text("reprobox: 1\nname: X Y\nsed: 3\n")
    result = run("lock", str(tmp_path))
    assert result.exit_code == 3
    assert "spec.yaml:2:7" in result.stderr
    assert "spec.yaml:3:1" in result.stderr
    assert "did you mean" in result.stderr


def test_a_missing_lock_is_exit_code_4(run, tmp_path):
    (tmp_path / "spec.yaml").write_text("reprobox: 1\nname: x\nseed: 3\ncommand: python x.py\n")
    result = run("lock", "--check", str(tmp_path))
    assert result.exit_code == 4
    assert "reprobox lock" in result.stderr


def test_init_refuses_to_replace_a_spec(run, tmp_path):
    (tmp_path / "spec.yaml").write_text("mine")
    result = run("init", str(tmp_path))
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert (tmp_path / "spec.yaml").read_text() == "mine"


def test_schema_prints_json(run):
    assert json.loads(run("schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_a_failure_for_machines_is_one_json_object(capsys, tmp_path):
    problem = Problem("spec.yaml", 3, 1, "sed", "unknown key", "did you mean seed?")
    assert report_failure(SpecError((problem,)), as_json=True, reports=tmp_path) == 3
    out = capsys.readouterr()
    assert json.loads(out.out)["error"]["problems"][0]["line"] == 3
    assert out.err.startswith("spec.yaml:3:1: sed: unknown key")


def test_an_expected_failure_names_what_to_do(capsys, tmp_path):
    assert report_failure(LockError("spec.lock is stale", hint="lock again"), as_json=False, reports=tmp_path) == 4
    assert capsys.readouterr().err == "error: spec.lock is stale\n  hint: lock again\n"


def test_a_bug_leaves_a_report_and_no_traceback(capsys, tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert report_failure(caught.value, as_json=False, reports=tmp_path) == 70
    err = capsys.readouterr().err
    assert "a bug in reprobox" in err
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / "failure.log").read_text()


def test_ctrl_c_is_exit_code_130(capsys, tmp_path):
    assert report_failure(KeyboardInterrupt(), as_json=False, reports=tmp_path) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_help_fits_eighty_columns_and_cuts_no_sentence(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    commands = "init lock render build run verify sweep diff contributions report schema doctor"
    for command in ("", *commands.split()):
        text = run(*filter(None, (command,)), "--help").stdout
        assert "..." not in text.replace("[ARGS]...", "")
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["lock", "--nope", "--json"], "No such option: --nope"),
        (["--nope", "--json"], "No such option: --nope"),
        (["nope", "--json"], "No such command 'nope'."),
        (["sweep", "--seeds", "x", "--json"], "Invalid value for '--seeds': 'x' is not a valid int range."),
    ],
)
def test_wrong_options_are_one_json_object_too(capsys, monkeypatch, typed, message):
    monkeypatch.setattr("sys.argv", ["reprobox", *typed])
    with pytest.raises(SystemExit) as caught:
        main()
    error = json.loads(capsys.readouterr().out)["error"]
    assert (caught.value.code, error["exit_code"], error["message"]) == (2, 2, message)


@pytest.fixture
def homeless(monkeypatch):
    """A user whom neither HOME nor the system's list gives a home folder, as with ``docker run -u 12345``."""

    def find_nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", find_nobody)
    for name in ("HOME", "REPROBOX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_home_folder_the_cache_is_asked_for(run, homeless, tmp_path):
    done = run("lock", str(tmp_path))
    assert done.exit_code == 2
    assert "no home folder" in done.stderr
    assert "set REPROBOX_CACHE or HOME" in done.stderr


def test_a_lock_is_checked_without_a_home_folder(run, homeless, tmp_path):
    (tmp_path / "spec.yaml").write_text("reprobox: 1\nname: x\nseed: 3\ncommand: python x.py\n")
    done = run("lock", "--check", str(tmp_path))
    assert done.exit_code == 4
    assert "no home folder" not in done.stderr


@pytest.mark.parametrize("name", ["REPROBOX_CACHE", "XDG_CACHE_HOME"])
def test_with_a_cache_no_home_folder_is_needed(run, homeless, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, str(tmp_path / "cache"))
    settings = open_settings()
    assert settings.cache.is_relative_to(tmp_path / "cache")
    assert not settings.home.exists()


def test_without_a_home_folder_a_bug_is_written_among_temporary_files(run, homeless, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("reprobox.workflow.init_project", lambda folder, force: 1 / 0)
    done = run("init", str(tmp_path))
    assert (done.exit_code, "a bug in reprobox" in done.stderr) == (70, True)
    assert len(list(tmp_path.glob("reprobox-*/failure.log"))) == 1


def test_json_behind_two_dashes_is_the_programs(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["reprobox", "run", "/nowhere", "--", "python", "x.py", "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "relative", "absolute"), [("1e-6", 1e-6, 0), ("atol=1e-9", 0, 1e-9), ("rtol=1e-6,atol=1e-9", 1e-6, 1e-9)]
)
def test_a_tolerance_is_relative_unless_it_says_otherwise(text, relative, absolute):
    assert parse_tolerance(text) == Tolerance(relative, absolute)


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "1e-6;2", "tol=1", "1,,2"])
def test_a_tolerance_that_cannot_be_read_is_a_usage_error(run, tmp_path, text):
    result = run("verify", "--tolerance", text, str(tmp_path))
    assert result.exit_code == 2
    assert f"--tolerance {text}: cannot be read" in result.stderr


def test_verifying_with_one_run_needs_something_to_compare_with(run, tmp_path):
    result = run("verify", "--runs", "1", str(tmp_path))
    assert (result.exit_code, "--against" in result.stderr) == (2, True)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EISDIR, errno.EEXIST])
def test_a_place_that_cannot_be_used_is_the_users_to_look_at_and_no_bug(tmp_path, capfd, number):
    code = report_failure(OSError(number, os.strerror(number), "/x" * 400), as_json=False, reports=tmp_path)
    told = capfd.readouterr().err
    assert (code, "please report" in told, len(told) < 500) == (2, False, True)
    assert f"…: {os.strerror(number)}" in told
    assert list(tmp_path.iterdir()) == []
