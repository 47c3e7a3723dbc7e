"""What `make demo` takes for a success: nothing less than IDENTICAL, whatever the exit codes say."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "demo"
REPROBOX = """#!/bin/sh
case $1 in
verify) echo "verdict  $VERIFIED — said by verify" ;;
judge) echo "verdict  $JUDGED — said by judge; not IDENTICAL" ;;
esac
"""


@pytest.fixture
def demo(tmp_path):
    """A function: the verdicts of `verify` and `judge`, both with exit code 0 -> how the script ends."""
    for name, text in ((".venv/bin/reprobox", REPROBOX), ("scripts/other-machine", '#!/bin/sh\nshift\n"$@"\n')):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "scripts" / "demo")

    def run(verified, judged):
        environ = {"PATH": "/usr/bin:/bin", "VERIFIED": verified, "JUDGED": judged}
        argv = [tmp_path / "scripts" / "demo"]
        return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_two_identical_verdicts_are_one(demo):
    done = demo("IDENTICAL", "IDENTICAL")
    assert done.returncode == 0, done.stderr
    assert "said by verify" in done.stdout
    assert "said by judge" in done.stdout


@pytest.mark.parametrize("verdict", ["EQUIVALENT", "CONSISTENT", "DIFFERENT", "NOT IDENTICAL", ""])
def test_no_other_verdict_is(demo, verdict):
    for verdicts, words in (((verdict, "IDENTICAL"), "two runs"), (("IDENTICAL", verdict), "the judge's verdict")):
        done = demo(*verdicts)
        assert done.returncode == 1
        assert words in done.stderr
