"""Seeds of other Pythons that a program starts, and of the ranks of a distributed job."""

import json

import pytest

from .backend_venvs import SMALL, make_group_box
from .trace_files import traced, traces

RANDOM_32 = 0.07742178385330412
DRAW = "import random; print(random.random(), flush=True)"

PROGRAMS = f"""
import os, subprocess, sys, random
DRAW = {DRAW!r}
def start(**more):
    return float(subprocess.check_output([sys.executable, "-c", DRAW], **more))
"""


def _draw(box, code):
    first, second = (json.loads(box.script(PROGRAMS + code)[-1]) for _ in range(2))
    assert first == second
    return first


def test_programs_differ_from_each_other_and_from_the_one_that_starts_them_and_repeat(box):
    drawn = _draw(box, "print([start(), start(), start(env={}), random.random()])")
    assert len(set(drawn)) == 4
    assert drawn[-1] == RANDOM_32
    # The third program was not told where to put a record.
    assert [record["identity"] for record in box.records()][:3] == [[], ["sub:1"], ["sub:2"]]


def test_other_programs_in_between_change_nothing(box):
    others = 'subprocess.call(["true"]); subprocess.call("true", shell=True); subprocess.call("true")'
    assert _draw(box, "print([start(), start()])") == _draw(box, f"{others}; print([start(), start()])")


def test_pythons_in_shells_differ_too(box):
    code = """
command = '"%s" -c "%s"' % (sys.executable, DRAW)
print([float(subprocess.check_output(command, shell=True)) for _ in range(2)] + [start()])
"""
    assert len(set(_draw(box, code))) == 3


def test_a_program_given_an_environment_of_its_own_sees_that_and_its_place(box):
    code = """
seen = subprocess.check_output([sys.executable, "-c", "import os; print(sorted(os.environ))"], env={"A": "1"})
print([name for name in eval(seen) if not name.startswith("LC_")])
"""
    assert box.script(PROGRAMS + code) == ["['A', 'REPROBOX_PLACE']"]


def test_programs_of_programs_and_of_workers_differ(box):
    code = """
import multiprocessing
def work(queue):
    queue.put([random.random(), start()])
one = "float(subprocess.check_output([sys.executable, '-c', %r]))" % DRAW
inner = "import subprocess, sys; print([%s, %s])" % (one, one)
if __name__ == "__main__":
    found = eval(subprocess.check_output([sys.executable, "-c", inner]))
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        found += queue.get()
        process.join()
    print(found + [start()])
"""
    drawn = _draw(box, code)
    assert len(set(drawn)) == len(drawn) == 7


def test_a_program_that_replaces_itself_stays_who_it_is(box):
    again = f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {DRAW!r}])"
    code = f"print([float(subprocess.check_output([sys.executable, '-c', {again!r}])), start()])"
    drawn = _draw(box, code)
    plain = _draw(box, "print([start(), start()])")
    assert drawn == plain


def test_a_program_started_by_a_shell_is_not_the_one_that_starts_it(box):
    code = 'os.system("%s -c \\"%s\\"" % (sys.executable, DRAW)); print(random.random(), flush=True)'
    first = box.script(PROGRAMS + code)
    assert first == box.script(PROGRAMS + code)
    assert len(set(first)) == 2


def test_ranks_of_a_distributed_job_keep_the_seed_of_the_run_and_are_recorded(box):
    code = """
ranks = [start(env=dict(os.environ, RANK=str(rank), WORLD_SIZE="2")) for rank in range(2)]
print(ranks + [random.random()])
"""
    assert _draw(box, code) == [RANDOM_32] * 3
    assert sorted({record["rank"] for record in box.records()}) == ["", "0", "1"]


@pytest.mark.parametrize("variable", ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"])
def test_ranks_of_every_launcher_are_named_in_traces_too(newest_box, variable):
    box = traced(newest_box)
    box.env[variable] = "3"
    box.script("from reprobox_runtime import mark\nmark('numbers', 1)")
    ((first, _),) = traces(box)
    assert first["rank"] == box.record()["rank"] == "3"


def test_what_a_rank_starts_is_no_rank(box):
    box.env.update(RANK="1", WORLD_SIZE="2")
    drawn = _draw(box, "print([random.random(), start(), start()])")
    assert drawn[0] == RANDOM_32
    assert len(set(drawn)) == 3


def test_ranks_share_no_stream_of_generators_that_nobody_seeds(box):
    code = """
draw = "import random; print(random.Random().random())"
environs = [dict(os.environ, RANK=str(rank), WORLD_SIZE="2") for rank in range(2)]
print([float(subprocess.check_output([sys.executable, "-c", draw], env=environ)) for environ in environs])
"""
    assert len(set(_draw(box, code))) == 2


JOBLIB = """
import json, multiprocessing, random, time
import joblib, numpy

def work(_):
    # Long enough for both workers to have one.
    time.sleep(1)
    return (multiprocessing.current_process()._identity,
            [random.random(), numpy.random.rand(), numpy.random.default_rng().random()])

if __name__ == "__main__":
    drawn = joblib.Parallel(n_jobs=2)(joblib.delayed(work)(number) for number in range(2))
    print(json.dumps(sorted(drawn)))
"""


@pytest.mark.network
def test_workers_of_joblib_differ_and_repeat(runtime_root, tmp_path):
    box = make_group_box(SMALL, runtime_root, tmp_path / "box")
    first, second = ({str(who): drawn for who, drawn in json.loads(box.script(JOBLIB)[-1])} for _ in range(2))
    shared = first.keys() & second.keys()
    assert shared
    assert all(first[who] == second[who] for who in shared)
    numbers = [number for drawn in first.values() for number in drawn]
    assert len(set(numbers)) == len(numbers)
    assert {tuple(record["identity"]) for record in box.records(role="worker")} <= {("mp:1",), ("mp:2",)}
