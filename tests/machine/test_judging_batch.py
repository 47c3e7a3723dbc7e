"""Many entries, each judged by a program of its own: one that only lacked room is judged again when it is alone."""

import json
import sys

import pytest

from reprobox.judging.children import Batch, judge_all
from reprobox.judging.terms import Contest

PROGRAM = """
import json, pathlib, sys
bundle, answers = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
calls = answers / (bundle.stem + ".calls")
count = int(calls.read_text()) if calls.exists() else 0
calls.write_text(str(count + 1))
print((answers / (bundle.stem + ".json")).read_text().splitlines()[count])
"""
ROOM = {"verdict": "NOT RUN", "reason": "", "reason_keys": ["disk_full"], "entry": "a", "bundle": "x"}
GOOD = {"verdict": "IDENTICAL", "reason": "", "reason_keys": [], "entry": "a", "bundle": "x"}


@pytest.fixture
def batch(tmp_path):
    def make(jobs, **answers):
        answer_folder = tmp_path / "answers"
        answer_folder.mkdir()
        (tmp_path / "program.py").write_text(PROGRAM)
        for name, lines in answers.items():
            (answer_folder / f"{name}.json").write_text("\n".join(map(json.dumps, lines)))
        files = tuple(tmp_path / f"{name}.reprobox" for name in answers)
        argv = [sys.executable, str(tmp_path / "program.py")]
        return Batch(
            files, tmp_path / "out", Contest(), "sha256:x", lambda path: [*argv, str(path), str(answer_folder)], jobs
        )

    return make


def judge(batch):
    told = []
    rows = judge_all(batch, lambda path, line: None, told.append)
    return [row.outcome for row in rows], [row.outcome for row in told]


def test_one_that_lacked_room_beside_others_is_judged_again_alone(batch):
    given = batch(2, a=[ROOM, GOOD], b=[GOOD])
    assert judge(given) == (["IDENTICAL", "IDENTICAL"], ["IDENTICAL", "IDENTICAL"])


def test_not_more_than_once_and_not_where_it_was_alone(batch):
    assert judge(batch(2, a=[ROOM, ROOM, GOOD], b=[GOOD])) == (["NOT RUN", "IDENTICAL"], ["IDENTICAL", "NOT RUN"])


def test_alone_it_has_all_the_room_there_is(batch):
    assert judge(batch(1, a=[ROOM, GOOD])) == (["NOT RUN"], ["NOT RUN"])
