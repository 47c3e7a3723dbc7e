"""What a program can log and mark, and what a traced run notes without being told."""

import json
from dataclasses import replace

import pytest

from .conftest import make_contract
from .trace_files import again, events, traced, traces

HELPER = """
import os, threading
from reprobox_runtime import log_metric, mark
log_metric("loss", 0.5, step=1)
log_metric("loss", 0.25, step=2)
log_metric("broken", float("nan"))
log_metric("text", "no number")
log_metric("object", object())
for step in range(3):
    mark("numbers", [1.5, 2.5 + step])
mark("nest", {"a": 1, "b": [2, 3], "c": ("x", None)})
mark("object", object())
child = os.fork()
if child == 0:
    mark("numbers", 1)
    os._exit(0)
os.waitpid(child, 0)
print("fine")
"""


def test_metrics_and_marks_under_every_python(box):
    box = traced(box)
    assert box.script(HELPER) == ["fine"]
    metrics = [json.loads(line) for line in (box.record_folder / "metrics.jsonl").read_text().splitlines()]
    assert [(one["name"], one["value"], one.get("step")) for one in metrics] == [
        ("loss", 0.5, 1),
        ("loss", 0.25, 2),
        ("broken", None, None),
    ]
    record = box.records(role="subprocess")[0]
    assert [text.split(":")[0] for text in record["warnings"]] == [
        "metric text not written",
        "metric object not written",
        "not traced",
    ]
    found = events(box, role="subprocess")
    assert [(one["source"], one["step"]) for one in found] == [
        ("numbers", 1),
        ("numbers", 2),
        ("numbers", 3),
        ("nest", 1),
        ("object", 1),
    ]
    assert [one["name"] for one in found[3]["tensors"]] == ["nest.a", "nest.b", "nest.c"]
    assert found[0]["tensors"][0]["sample"] == "000000000000f83f0000000000000440"
    assert len({one["tensors"][0]["hash"] for one in found[:3]}) == 3


def test_a_forked_child_has_a_trace_of_its_own(newest_box):
    box = traced(newest_box)
    box.script(HELPER)
    ((first, found),) = traces(box, role="fork")
    assert first["identity"] == ["fork:1"]
    assert [(one["source"], one["step"]) for one in found] == [("numbers", 1)]


@pytest.mark.parametrize("env", [{}, {"REPROBOX_TRACE": "0"}])
def test_without_being_asked_for_there_is_no_trace(newest_box, env):
    box = replace(newest_box, env=env)
    box.script(HELPER)
    assert traces(box) == []
    assert (box.record_folder / "metrics.jsonl").exists()


def test_outside_of_a_run_both_do_nothing(newest_box):
    box = replace(newest_box, env={"REPROBOX_RECORD_DIR": "", "REPROBOX_TRACE": "1"})
    assert box.script(HELPER) == ["fine"]
    assert list(box.record_folder.iterdir()) == []


def test_at_level_off_a_run_can_be_traced_too_and_is_not_seeded(newest_box):
    box = traced(newest_box)
    box.contract = make_contract("off")
    code = "import random\nfrom reprobox_runtime import mark\nmark('x', random.random())\n"
    box.script(code)
    first = events(box)
    box.script(code, name="other.py")
    hashes = {found[0]["tensors"][0]["hash"] for _, found in traces(box)}
    assert first[0]["tensors"][0]["hash"] in hashes
    assert len(hashes) == 2


def test_the_state_of_the_generators_is_noted_and_not_changed(newest_box):
    box = traced(newest_box)
    code = """
import random
from reprobox_runtime import mark
mark("x", 0)
mark("x", 0)
first = random.random()
mark("x", 0)
random.gauss(0, 1)
mark("x", 0)
print(first)
"""
    printed = box.script(code)
    states = [one["rng"]["random"] for one in events(box)]
    assert states[0] == states[1]
    assert len(set(states)) == 3
    box = again(replace(box, env={}))
    assert box.script(code) == printed


def test_two_runs_that_agree_have_the_same_lines(newest_box):
    box = traced(newest_box)
    code = "import random\nfrom reprobox_runtime import mark\nfor _ in range(20): mark('x', random.random())\n"
    box.script(code)
    box.script(code)
    (_, one), (_, other) = traces(box)
    assert one == other
    assert len(one) == 20


def test_a_long_loop_is_noted_ever_more_rarely_and_the_same_in_every_run(newest_box):
    box = traced(newest_box)
    code = "from reprobox_runtime import mark\nfor step in range(1000): mark('x', [[float(step)]] + [[0.5]] * 200)\n"
    code = code.replace("[[float(step)]] + [[0.5]] * 200", "{n: step for n in range(200)}")
    box.script(code)
    steps = [one["step"] for one in events(box)]
    assert steps[:100] == list(range(1, 101))
    assert steps[100:104] == [102, 104, 106, 108]
    assert steps == sorted(set(steps))
    assert len(steps) < 450


def test_a_program_that_is_killed_leaves_its_trace(newest_box):
    box = traced(newest_box)
    code = "import os, signal\nfrom reprobox_runtime import mark\nmark('x', 1)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    (box.work / "killed.py").write_text(code)
    box.run(str(box.python), "killed.py", check=False)
    assert len(events(box)) == 1


def test_workers_say_who_they_are(newest_box):
    box = traced(newest_box)
    box.script("""
import multiprocessing
from reprobox_runtime import mark
def work(number):
    mark("x", number)
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=work, args=(1,))
        process.start()
        process.join()
""")
    assert sorted(first["identity"] for first, _ in traces(box, role="worker")) == [["mp:1"], ["mp:2"]]


def test_a_full_disk_does_not_reach_the_program(newest_box):
    box = replace(newest_box, env={"REPROBOX_TRACE": "1", "REPROBOX_RECORD_DIR": "/dev/full/none"})
    assert box.script(HELPER) == ["fine"]
