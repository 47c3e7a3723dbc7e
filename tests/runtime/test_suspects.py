"""A planted leak of every kind is found, at its line; a clean program has none."""

import textwrap

import pytest

from tests.planted_leaks import plant_leaks
from tests.runtime.conftest import make_contract

CLEAN = """\
import asyncio, concurrent.futures, email, glob, http.client, importlib, json, logging, multiprocessing, os, pathlib
import pkgutil, random, secrets, shutil, socket, ssl, subprocess, sys, tempfile, threading, time, unittest, uuid
import warnings

def main():
    random.random()
    with tempfile.TemporaryDirectory() as folder:
        with tempfile.NamedTemporaryFile(dir=folder):
            os.makedirs(folder + "/a/b")
        shutil.copytree(folder + "/a", folder + "/c")
        shutil.rmtree(folder + "/a")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(abs, [1, 2]))
    with multiprocessing.Pool(2) as pool:
        pool.map(abs, [1, 2])
        pool.apply_async(abs, [1]).get()
    concurrent.futures.wait([concurrent.futures.ThreadPoolExecutor(1).submit(abs, 1)])
    for _ in range(3):
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    socket.create_connection(listener.getsockname()).close()
    socket.getaddrinfo("localhost", 80)
    list(pkgutil.iter_modules())
    subprocess.check_call([sys.executable, "-c", "import random; random.random()"])
    warnings.warn("a deterministic warning")
    os.environ["PYTHONHASHSEED"] = "7"
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MY_VARIABLE"] = "1"
    uuid.uuid5(uuid.NAMESPACE_DNS, "name")
    random.Random(3).random()
    asyncio.new_event_loop().run_until_complete(asyncio.sleep(0))
    print("done")

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def watched_box(box):
    variables = {"OMP_NUM_THREADS": "1", "TF_DETERMINISTIC_OPS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    box.contract["env"].update(variables)
    box.env.update(variables)
    return box


def list_suspects(box):
    found = [one for fragment in box.records() for one in fragment.get("suspects", [])]
    return sorted((one["kind"], one["where"], one["count"]) for one in found)


def test_each_planted_leak_is_found_at_its_line(watched_box):
    code, expected = plant_leaks("script.py")
    watched_box.script(code)
    assert expected == sorted((kind, where) for kind, where, _ in list_suspects(watched_box))


def test_a_clean_program_has_no_suspects(watched_box):
    assert watched_box.script(CLEAN) == ["done"]
    assert list_suspects(watched_box) == []
    assert not any(fragment["warnings"] for fragment in watched_box.records())


def test_the_error_that_ends_a_program_is_looked_at(newest_box):
    code = """\
    def step():
        raise RuntimeError("cumsum_cuda_kernel does not have a deterministic implementation, but you set")

    try:
        step()
    except RuntimeError as error:
        raise ValueError("training failed") from error
    """
    newest_box.python_code(textwrap.dedent(code), check=False)
    assert list_suspects(newest_box) == [("nondeterministic-kernel", "<string>:2", 1)]


def test_each_line_is_counted(newest_box):
    newest_box.script("import os\nfor _ in range(1000):\n    os.urandom(1)\n    os.urandom(1)\n")
    assert list_suspects(newest_box) == [("os-entropy", "script.py:3", 1000), ("os-entropy", "script.py:4", 1000)]


def test_a_line_in_a_module_of_the_program_is_named_by_its_path(newest_box):
    (newest_box.work / "part").mkdir()
    (newest_box.work / "part" / "data.py").write_text("import os\n\ndef read():\n    return os.listdir('.')\n")
    newest_box.script("from part import data\ndata.read()\n")
    assert list_suspects(newest_box) == [("listing-order", "part/data.py:4", 1)]


def test_a_script_has_one_name_however_it_is_started(box):
    (box.work / "inner").mkdir()
    (box.work / "script.py").write_text("import os\nos.chdir('inner')\nos.urandom(1)\n")
    for path in ("script.py", "./script.py", "inner/../script.py", str(box.work / "script.py")):
        box.run(str(box.python), path)
    assert list_suspects(box) == [("os-entropy", "script.py:3", 1)] * 4


def test_a_forked_child_has_suspects_of_its_own(newest_box):
    code = "import os\nos.urandom(1)\nif os.fork() == 0:\n    os.urandom(1)\n    os._exit(0)\nos.wait()\n"
    newest_box.script(code)
    found = {fragment["role"]: fragment["suspects"] for fragment in newest_box.records()}
    assert [one["where"] for one in found["subprocess"]] == ["script.py:2"]
    assert [one["where"] for one in found["fork"]] == ["script.py:4"]


def test_ids_that_a_package_writes_into_the_programs_file_are_found(newest_box):
    package = newest_box.work / "site-packages" / "matplotlib" / "backends"
    package.mkdir(parents=True)
    (package / "backend_svg.py").write_text("import uuid\n\ndef save():\n    return str(uuid.uuid4())\n")
    (package / "other.py").write_text("import uuid\n\ndef name():\n    return str(uuid.uuid4())\n")
    newest_box.env["PYTHONPATH"] = str(newest_box.work / "site-packages")
    newest_box.script("from matplotlib.backends import backend_svg, other\nother.name()\nbackend_svg.save()\n")
    assert list_suspects(newest_box) == [("os-entropy", "script.py:3", 1)]


def test_numbers_of_threads_that_a_program_sets_by_a_call_are_found(newest_box):
    package = newest_box.work / "site-packages"
    package.mkdir()
    (package / "numexpr.py").write_text("def set_num_threads(count):\n    pass\n")
    (package / "threadpoolctl.py").write_text(
        "class threadpool_limits:\n    def __init__(self, limits=None, user_api=None):\n        pass\n"
    )
    (package / "sklearn_like.py").write_text("import threadpoolctl\nthreadpoolctl.threadpool_limits(2)\n")
    newest_box.env.update(PYTHONPATH=str(package), OMP_NUM_THREADS="1")
    code = """\
    import numexpr, threadpoolctl, sklearn_like
    numexpr.set_num_threads(4)
    numexpr.set_num_threads(1)
    threadpoolctl.threadpool_limits(limits=2, user_api="blas")
    threadpoolctl.threadpool_limits()
    """
    newest_box.script(textwrap.dedent(code))
    assert list_suspects(newest_box) == [("thread-count", "script.py:2", 1), ("thread-count", "script.py:4", 1)]


def test_a_seed_of_the_image_that_a_program_changes_is_one_that_it_sets_itself(newest_box):
    newest_box.contract["env"]["PL_GLOBAL_SEED"] = newest_box.env["PL_GLOBAL_SEED"] = "32"
    newest_box.script("import os\nos.environ['PL_GLOBAL_SEED'] = '32'\nos.environ['PL_GLOBAL_SEED'] = '7'\n")
    assert list_suspects(newest_box) == [("reseeded", "script.py:3", 1)]


def test_random_hashes_are_a_suspect_of_the_process(newest_box):
    newest_box.python_code("pass", "-I")
    assert list_suspects(newest_box) == [("hash-order", "", 1)]


def test_stand_ins_pickle_and_look_like_what_they_stand_for(box):
    code = """\
    import inspect, os, pickle, shutil, sys
    for function in os.listdir, os.scandir, os.urandom:
        assert pickle.loads(pickle.dumps(function)) is function
        assert repr(function).startswith("<built-in function"), function
    assert os.listdir in os.supports_fd and os.listdir.__name__ == "listdir"
    assert shutil.rmtree.avoids_symlink_attacks
    assert os.scandir in os.supports_fd or sys.version_info < (3, 7)
    inspect.signature(os.listdir)
    class Accessor:
        listdir = os.listdir
    assert Accessor().listdir(".") == os.listdir(path=".") == os.listdir()
    try:
        os.listdir("missing")
    except FileNotFoundError as error:
        print(error.filename)
    """
    assert box.script(textwrap.dedent(code)) == ["missing"]


def test_at_off_nothing_is_watched_unless_asked_for(newest_box):
    newest_box.contract = make_contract("off")
    newest_box.script("import os\nos.urandom(1)\n")
    assert newest_box.records() == []
    newest_box.env["REPROBOX_WATCH"] = "1"
    newest_box.script("import os\nos.urandom(1)\n")
    assert list_suspects(newest_box) == [("os-entropy", "script.py:2", 1)]
    assert newest_box.record()["seed"] is None


def test_at_off_a_generator_that_is_used_and_never_seeded_is_found_where_it_is_imported(box):
    box.contract = make_contract("off")
    box.env["REPROBOX_WATCH"] = "1"
    box.script("x = 1\nimport random\nx = random.random()\n")
    assert list_suspects(box) == [("unseeded-generator", "script.py:2", 1)]


def test_at_off_a_worker_that_draws_is_found_too(newest_box):
    newest_box.contract = make_contract("off")
    newest_box.env["REPROBOX_WATCH"] = "1"
    code = """\
    import multiprocessing
    import random
    random.seed(1)
    workers = [multiprocessing.get_context("fork").Process(target=use) for use in (random.random, int)]
    for worker in workers:
        worker.start()
        worker.join()
    """
    newest_box.script(textwrap.dedent(code))
    drawn = {one["name"]: one["suspects"] for one in newest_box.records(role="worker")}
    assert [len(suspects) for _, suspects in sorted(drawn.items())] == [1, 0]


@pytest.mark.parametrize("use", ["random.seed(32)", "random.seed(1)", "random.Random(1).random()", "pass"])
def test_at_off_a_generator_that_is_seeded_or_not_used_is_none(newest_box, use):
    newest_box.contract = make_contract("off")
    newest_box.env["REPROBOX_WATCH"] = "1"
    newest_box.script(f"import random\n{use}\n")
    assert [kind for kind, _, _ in list_suspects(newest_box) if kind != "reseeded"] == []


def test_the_list_of_suspects_has_an_end(newest_box):
    code = "import os\n" + "os.urandom(1)\n" * 300
    newest_box.script(code)
    assert len(newest_box.record()["suspects"]) == 200
