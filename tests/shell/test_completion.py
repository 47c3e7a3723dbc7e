"""Completion in shells: the scripts are printed, installed, and complete what is typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("reprobox")


def call(arguments, home, **environ):
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    env = {**os.environ, "HOME": str(home), "PATH": path, **environ}
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o default -F _reprobox_completion reprobox"),
        ("zsh", "#compdef reprobox"),
        ("fish", "complete --command reprobox"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName reprobox"),
    ],
)
def test_every_shell_has_its_script(shell, line, tmp_path):
    assert line in call([PROGRAM], tmp_path, _REPROBOX_COMPLETE=f"source_{shell}")


def test_the_shell_one_types_in_is_recognised(tmp_path):
    assert "complete -o default" in call(["bash", "-c", "reprobox --show-completion; true"], tmp_path)


@pytest.mark.parametrize(
    ("typed", "completed"), [("reprobox b", ["build"]), ("reprobox run --st", ["--stage"]), ("reprobox x", [])]
)
def test_what_is_installed_for_bash_completes(typed, completed, tmp_path):
    call(["bash", "-c", "reprobox --install-completion; true"], tmp_path)
    script = (
        f"source ~/.bashrc; COMP_WORDS=({typed}); COMP_CWORD={typed.count(' ')};"
        '_reprobox_completion reprobox; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert call(["bash", "--norc", "-c", script], tmp_path).split() == completed


def test_installing_touches_nothing_but_the_home(tmp_path):
    call(["bash", "-c", "reprobox --install-completion; true"], tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {".bashrc", ".bash_completions/reprobox.sh"}
