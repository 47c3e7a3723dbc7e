"""The record of a process: complete at every moment, never in the program's way."""

import json
import os
import shutil
import signal

import pytest

from .conftest import SEED


@pytest.fixture
def box(edge_box):
    """Nothing here is for a version between the oldest and the newest."""
    return edge_box


def test_a_record_says_what_was_set_and_how_it_ended(box):
    box.script("import random")
    record = box.record()
    assert record["schema_version"] == 1
    assert record["finished"] is True
    assert record["role"] == "subprocess"
    assert record["argv"] == [str(box.python), "script.py"]
    assert record["backends"]["random"] == {"seed": SEED, "version": record["python"]["version"], "when": "import"}
    assert record["switches"]["PYTHONHASHSEED"] == {"wanted": SEED, "value": SEED, "status": "set", "detail": ""}
    assert record["warnings"] == []
    assert record["overrides"] == []
    assert record["max_rss"] > 2**20
    assert record["max_rss_children"] >= 0


def test_a_process_that_is_killed_leaves_what_was_known(box):
    process = box.start(str(box.python), "-u", "-c", "import random, time; print('up'); time.sleep(60)")
    assert process.stdout.readline() == "up\n"
    process.kill()
    process.communicate()
    record = box.record()
    assert record["backends"]["random"]["seed"] == SEED
    assert record["finished"] is False


def test_a_forked_child_that_is_killed_leaves_what_was_known(box):
    code = """
import os, random, signal
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
"""
    box.script(code)
    record = box.record(role="fork")
    assert record["backends"]["random"]["seed"] == record["seed"] != SEED
    assert record["finished"] is False


def test_a_program_that_ends_by_a_signal_or_an_exception_keeps_its_exit_code(box):
    assert box.python_code("import sys; sys.exit(5)", check=False).returncode == 5
    assert box.python_code("1 / 0", check=False).returncode == 1
    assert box.python_code("import os; os._exit(7)", check=False).returncode == 7
    done = box.python_code("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", check=False)
    assert done.returncode == -signal.SIGTERM
    assert [record["finished"] for record in box.records()] == [True, True, False, False]


@pytest.mark.parametrize("place", ["gone", "file", "/proc", "/dev/null/x"])
def test_a_folder_that_cannot_be_written_disturbs_nobody(box, place):
    (box.work / "file").write_text("")
    box.env["REPROBOX_RECORD_DIR"] = str(box.work / place)
    done = box.python_code("import random, os; os.fork() or os._exit(0); print(random.random())")
    assert (done.stdout, done.stderr) == ("0.07742178385330412\n", "")


def test_no_folder_named_no_record(box):
    box.env["REPROBOX_RECORD_DIR"] = ""
    done = box.python_code("import random; print(random.random())")
    assert (done.stdout, done.stderr) == ("0.07742178385330412\n", "")
    assert list(box.work.rglob("*-0.json")) == []


def test_a_program_may_remove_the_folder(box):
    code = "import os, random, shutil; shutil.rmtree(os.environ['REPROBOX_RECORD_DIR']); import multiprocessing.util"
    done = box.python_code(code)
    assert done.stderr == ""
    assert not box.record_folder.exists()


def test_a_program_may_fill_the_folder_with_what_it_likes(box):
    code = """
import os, random
folder = os.environ["REPROBOX_RECORD_DIR"]
for name in os.listdir(folder):
    os.unlink(os.path.join(folder, name))
    os.mkdir(os.path.join(folder, name))
os.mkdir(os.path.join(folder, ".%d.tmp" % os.getpid()))
"""
    assert box.script(code) == []


def test_a_link_in_place_of_the_temporary_file_is_not_followed(box):
    code = """
import os
folder = os.environ["REPROBOX_RECORD_DIR"]
os.symlink(os.path.join(folder, "..", "victim"), os.path.join(folder, ".%d.tmp" % os.getpid()))
"""
    box.script(code)
    assert not (box.work / "victim").exists()


def test_no_temporary_file_stays(box):
    box.script("import random, multiprocessing.util")
    assert [path.name for path in box.record_folder.iterdir() if path.suffix != ".json"] == []


def test_the_same_pid_twice_is_two_records(box):
    code = "import os, sys; len(sys.argv) > 1 or os.execv(sys.executable, [sys.executable, 'script.py', 'again'])"
    box.script(code)
    first, second = box.records()
    assert first["pid"] == second["pid"]
    assert sorted(path.name for path in box.record_folder.iterdir()) == [f"{first['pid']}-{n}.json" for n in (0, 1)]


def test_a_reader_never_sees_half_a_record(newest_box):
    box = newest_box
    code = "import importlib, random\nfor _ in range(1000):\n    importlib.reload(random)\n"
    process = box.start(str(box.python), "-c", code)
    seen = 0
    while process.poll() is None:
        for path in box.record_folder.glob("*.json"):
            json.loads(path.read_text())
            seen += 1
    process.communicate()
    assert process.returncode == 0
    assert seen > 10


def test_odd_arguments_are_recorded_as_json(box):
    box.run(str(box.python), "-c", "pass", os.fsdecode(b"\xff"), 'quote"\\', "ünï\u2028\U0001f600", "x" * 100_000)
    record = box.record()
    assert record["argv"][3:6] == ["\udcff", 'quote"\\', "ünï\u2028\U0001f600"]
    assert len(record["argv"][6]) == 500


def test_a_record_stays_below_what_a_reader_takes(newest_box):
    box = newest_box
    box.run(str(box.python), "-c", "pass", *(["\U0001f600" * 1000] * 100))
    (path,) = box.record_folder.iterdir()
    assert 10_000 < path.stat().st_size < 256 * 1024


def test_a_signal_handler_that_imports_while_a_record_is_written_does_not_hang(newest_box):
    box = newest_box
    (box.work / "keras.py").write_text("")
    code = """
import importlib, keras, random, signal
count = busy = 0
def handler(*_):
    global busy, count
    if not busy:
        busy = 1
        count += 1
        importlib.reload(keras)
        busy = 0
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for _ in range(2000):
    try:
        importlib.reload(random)
    except KeyError:  # of importlib's own lock, up to 3.12: https://github.com/python/cpython/issues/106176
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
print(count > 0, random.random())
"""
    assert box.script(code) == ["True 0.07742178385330412"]


def test_a_disturbed_module_table_is_survived(box):
    code = """
import random, sys
for name in [name for name in sys.modules if name.startswith("reprobox")]:
    del sys.modules[name]
import multiprocessing.util
"""
    assert box.script(code) == []


def test_the_records_folder_is_found_again_after_it_came_back(box):
    shutil.rmtree(box.record_folder)
    box.script("import os; os.mkdir(os.environ['REPROBOX_RECORD_DIR'])")
    record = box.record()
    assert any("record not written" in warning for warning in record["warnings"])
