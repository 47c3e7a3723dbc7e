"""What a command imports before it does anything: time that every call pays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("reprobox")
SPEC = "reprobox: 1\nname: start-up\nseed: 1\ncommand: python script.py\n"
LATE = {"debian", "installer", "jinja2", "numpy", "truststore", "reprobox.scaffold"}
"""For resolving, fetching, making layers and writing a context; not for finding that nothing changed."""


def imported(*arguments, cwd):
    """Run the program; return its exit code and every module that it imported."""
    argv = [sys.executable, "-X", "importtime", PROGRAM, *arguments]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done.returncode, {line.rpartition("|")[2].strip() for line in lines}


def test_help_imports_neither_the_engine_nor_the_parsers(tmp_path):
    code, modules = imported("--help", cwd=tmp_path)
    assert code == 0
    assert "typer" in modules
    late = {"docker", "requests", "yaml", "rich", "packaging.requirements", "pathspec", "zstandard", "reprobox.plan"}
    assert not modules & {*late, *LATE}


@pytest.mark.network
def test_a_build_with_nothing_changed_imports_only_what_finding_that_out_needs(engine, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "script.py").write_text("print(1)\n")
    os.environ.setdefault("REPROBOX_CACHE", str(Path(__file__).parents[2] / ".cache" / "reprobox"))
    subprocess.run([PROGRAM, "build", tmp_path], check=True, capture_output=True, timeout=600)
    code, modules = imported("build", cwd=tmp_path)
    assert code == 0
    assert "docker" in modules
    assert not modules & LATE
    assert not [name for name in modules if name.startswith("reprobox.resolve.")]
