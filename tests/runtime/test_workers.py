"""Seeds of child processes: each its own, the same ones in every run."""

import ast
import json

import pytest

METHODS = ("fork", "spawn", "forkserver")

PROCESSES = """
import multiprocessing, os, random, sys

def work(queue, name):
    queue.put((name, random.random()))

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.SimpleQueue()
    found = {}
    for name in range(3):
        process = context.Process(target=work, args=(queue, name))
        process.start()
        found.update([queue.get()])
        process.join()
    print([found[name] for name in range(3)])
"""


def _run(box, code, *arguments):
    (box.work / "script.py").write_text(code)
    done = box.run(str(box.python), "script.py", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("method", METHODS)
def test_workers_differ_from_each_other_and_repeat(box, method):
    first = _run(box, PROCESSES, method)
    assert first == _run(box, PROCESSES, method)
    numbers = json.loads(first[0])
    assert len(set(numbers)) == 3
    assert 0.07742178385330412 not in numbers


def test_a_workers_seed_does_not_depend_on_how_it_is_started(newest_box):
    assert len({_run(newest_box, PROCESSES, method)[0] for method in METHODS}) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_says_who_it_is(box, method):
    _run(box, PROCESSES, method)
    workers = box.records(role="worker")
    assert [record["identity"] for record in workers] == [["mp:1"], ["mp:2"], ["mp:3"]]
    assert {record["start_method"] for record in workers} == {method}
    assert [record["backends"]["random"]["seed"] for record in workers] == [record["seed"] for record in workers]
    assert {record["backends"]["random"]["when"] for record in workers} == {"worker"}
    assert all(record["finished"] for record in workers)
    assert all(record["name"].endswith(f"Process-{number}") for number, record in enumerate(workers, 1))


@pytest.mark.parametrize("method", METHODS)
def test_at_level_off_workers_are_random(box, method):
    box.contract.update(level="off", switches={})
    assert _run(box, PROCESSES, method) != _run(box, PROCESSES, method)


def test_a_worker_that_imports_random_itself_has_its_seed(box):
    code = PROCESSES.replace("os, random, sys", "os, sys").replace("    queue.put", "    import random\n    queue.put")
    assert _run(box, code, "fork") == _run(box, PROCESSES, "fork")


POOL = """
import multiprocessing, random, sys

def draw(_):
    return multiprocessing.current_process()._identity[0], random.random()

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2, maxtasksperchild=1) as pool:
        print(pool.map(draw, range(6), chunksize=1))
"""


@pytest.mark.parametrize("method", METHODS)
def test_a_pools_workers_and_their_successors_have_their_own_seeds(box, method):
    first, second = (dict(ast.literal_eval(_run(box, POOL, method)[0])) for _ in range(2))
    assert len(set(first.values())) == len(first) == 6
    # Which workers get the six tasks is a race; what each would draw is not.
    shared = first.keys() & second.keys()
    assert shared
    assert all(first[number] == second[number] for number in shared)


FUTURES = """
import concurrent.futures, multiprocessing, random, time

def draw(_):
    time.sleep(0.2)
    return multiprocessing.current_process()._identity[0], random.random()

if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(list(pool.map(draw, range(2))))
"""


def test_an_executors_workers_repeat(box):
    first, second = (_group_draws(ast.literal_eval(_run(box, FUTURES)[0])) for _ in range(2))
    # Whether the second worker is quick enough for a task is a race; what a worker draws is not.
    assert first.keys() & second.keys()
    assert all(a == b for number in first for a, b in zip(first[number], second.get(number, []), strict=False))


def _group_draws(pairs):
    draws = {}
    for number, drawn in pairs:
        draws.setdefault(number, []).append(drawn)
    return draws


NESTED = """
import multiprocessing, random, sys

def inner(queue):
    queue.put(random.random())

def outer(queue, method):
    queue.put(random.random())
    context = multiprocessing.get_context(method)
    for _ in range(2):
        process = context.Process(target=inner, args=(queue,))
        process.start()
        process.join()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.SimpleQueue()
    for _ in range(2):
        process = context.Process(target=outer, args=(queue, sys.argv[1]))
        process.start()
        process.join()
    print([queue.get() for _ in range(6)])
"""


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_workers_differ_and_repeat(box, method):
    first = _run(box, NESTED, method)
    assert first == _run(box, NESTED, method)
    assert len(set(json.loads(first[0]))) == 6


FORKS = """
import os, random

def fork(depth):
    for _ in range(2):
        child = os.fork()
        if child == 0:
            print(depth, random.random(), flush=True)
            if depth:
                fork(depth - 1)
            os._exit(0)
        os.waitpid(child, 0)

random.seed(5)
fork(1)
print(random.random())
"""


def test_bare_forks_and_forks_of_forks_differ_and_repeat(box):
    first = _run(box, FORKS)
    assert first == _run(box, FORKS)
    assert len({line.split()[-1] for line in first}) == 7
    identities = [record["identity"] for record in box.records(role="fork")[:6]]
    assert sorted(identities) == [
        ["fork:1"],
        ["fork:1", "fork:1"],
        ["fork:1", "fork:2"],
        ["fork:2"],
        ["fork:2", "fork:1"],
        ["fork:2", "fork:2"],
    ]


def test_a_fork_leaves_the_parents_generator_as_it_was(box):
    assert _run(box, FORKS)[-1] == "0.6229016948897019"


FORK_THEN_WORKERS = """
import multiprocessing, os, random, sys

def work(queue):
    queue.put(random.random())

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    for _ in range(2):
        child = os.fork()
        if child == 0:
            queue = context.SimpleQueue()
            process = context.Process(target=work, args=(queue,))
            process.start()
            print(queue.get(), flush=True)
            process.join()
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_bare_forks_differ_and_repeat(box, method):
    first = _run(box, FORK_THEN_WORKERS, method)
    assert first == _run(box, FORK_THEN_WORKERS, method)
    assert len(set(first)) == 2
    assert sorted(record["identity"] for record in box.records(role="worker")[:2]) == [
        ["fork:1", "mp:1"],
        ["fork:2", "mp:1"],
    ]


def test_forks_from_threads_get_numbers_of_their_own(box):
    code = """
import os, random, threading

def work():
    child = os.fork()
    if child == 0:
        print(random.random(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)

threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    box.env["PYTHONWARNINGS"] = "ignore"
    first, second = sorted(_run(box, code)), sorted(_run(box, code))
    assert first == second
    assert len(set(first)) == 6


def test_a_child_with_a_preexec_function_starts(box):
    code = """
import os, random, subprocess, sys
print(subprocess.check_output([sys.executable, "-c", "import random; print(random.random())"], preexec_fn=os.getpid))
"""
    first = _run(box, code)
    assert first == _run(box, code)
    assert len(first) == 1


def test_helper_processes_of_multiprocessing_leave_no_record(newest_box):
    _run(newest_box, PROCESSES, "forkserver")
    assert {record["role"] for record in newest_box.records()} == {"subprocess", "forkserver", "worker"}
