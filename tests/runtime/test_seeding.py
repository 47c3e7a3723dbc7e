"""Seeding in one process, under every Python."""

import json
import subprocess

import pytest

from .conftest import SEED, make_contract

RANDOM_32 = "0.07742178385330412"
PRINT_RANDOM = "import random; print(random.random())"


def test_random_is_seeded_in_a_script(box):
    assert box.script(PRINT_RANDOM) == [RANDOM_32]


def test_random_is_seeded_under_dash_c(box):
    assert box.python_code(PRINT_RANDOM).stdout.strip() == RANDOM_32


def test_random_is_seeded_under_dash_m(box):
    (box.work / "tool.py").write_text(PRINT_RANDOM)
    assert box.run(str(box.python), "-m", "tool").stdout.strip() == RANDOM_32


def test_random_is_seeded_in_isolated_mode_and_the_random_hashes_are_put_down(box):
    assert box.python_code(PRINT_RANDOM, "-I").stdout.strip() == RANDOM_32
    record = box.record()
    assert "hashing" not in record["backends"]
    assert any("ignored by python -I" in warning for warning in record["warnings"])


def test_without_site_nothing_is_seeded(box):
    assert box.python_code(PRINT_RANDOM, "-S").stdout.strip() != RANDOM_32


def test_random_imported_by_an_earlier_pth_file_is_seeded_too(box):
    site = next(box.python.parent.parent.glob("lib/python3.*/site-packages"))
    early = site / "aaa.pth"
    early.write_text("import random\n")
    try:
        assert box.script(PRINT_RANDOM) == [RANDOM_32]
    finally:
        early.unlink()


def test_random_imported_in_a_thread_is_seeded(box):
    code = """
import threading
def work():
    import random
    print(random.random())
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    assert box.script(code) == [RANDOM_32]


def test_many_threads_importing_at_once_find_it_seeded_once(box):
    code = """
import threading
numbers = []
barrier = threading.Barrier(8)
def work():
    barrier.wait()
    import random
    numbers.append(random.random())
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
import random
random.seed(32)
assert sorted(numbers) == sorted(random.random() for _ in range(8)), numbers
print("ok")
"""
    assert box.script(code) == ["ok"]


def test_a_reload_seeds_again(box):
    assert box.script("import importlib, random; importlib.reload(random); print(random.random())") == [RANDOM_32]


def test_the_users_own_seed_wins(box):
    assert box.script("import random; random.seed(0); print(random.random())") == ["0.8444218515250481"]


@pytest.mark.parametrize("level", ["seeded", "bitwise", "portable"])
def test_every_level_but_off_seeds(newest_box, level):
    newest_box.contract = make_contract(level)
    assert newest_box.script(PRINT_RANDOM) == [RANDOM_32]


def test_at_level_off_two_runs_differ_and_nothing_is_recorded(box):
    box.contract = make_contract("off")
    assert box.script(PRINT_RANDOM) != box.script(PRINT_RANDOM)
    assert box.records() == []


def test_at_level_off_no_finder_is_installed(box):
    box.contract = make_contract("off")
    code = "import sys; print([type(f).__module__ for f in sys.meta_path if 'reprobox' in type(f).__module__])"
    assert box.script(code) == ["[]"]


def test_at_level_off_a_single_switch_of_the_spec_still_counts_and_nothing_is_seeded(box):
    box.contract = make_contract("off", switches={"threads": 2})
    assert box.script(PRINT_RANDOM) != box.script(PRINT_RANDOM)
    assert all(record["backends"] == {} and record["seed"] is None for record in box.records())


def test_no_module_is_loaded_that_a_bare_interpreter_would_not_have(box):
    code = "import sys; print(sorted(name for name in sys.modules if not name.startswith('reprobox_runtime')))"
    hooked = set(json.loads(box.python_code(code).stdout.replace("'", '"')))
    pth = next(box.python.parent.parent.glob("lib/python3.*/site-packages/reprobox.pth"))
    text = pth.read_text()
    pth.write_text("import sys\n")
    try:
        bare = set(json.loads(box.python_code(code).stdout.replace("'", '"')))
    finally:
        pth.write_text(text)
    assert hooked - bare <= {"_json", "atexit", "itertools", "time", "reprobox"}


def test_the_path_and_the_loader_stay_as_they_would_be(box):
    code = """
import random, sys
print(any("reprobox" in part for part in sys.path[1:]), type(random.__loader__).__name__)
print(random.__spec__.loader is random.__loader__, type(random.__spec__.loader).__module__.startswith("reprobox"))
"""
    first, second = box.script(code)
    assert first == "False SourceFileLoader"
    assert second == "True False"


def test_the_package_can_be_imported(box):
    assert box.script("import reprobox_runtime; print(reprobox_runtime.__name__)") == ["reprobox_runtime"]


def test_asking_for_a_spec_imports_and_seeds_nothing(box):
    code = """
import importlib.util, sys
had = "random" in sys.modules
spec = importlib.util.find_spec("random")
print(had or "random" not in sys.modules, spec.origin.endswith("random.py"), importlib.util.find_spec("torch"))
"""
    assert box.script(code) == ["True True None"]


@pytest.mark.parametrize("name", ["random", "json", "re", "resource", "signal", "types", "copy", "atexit_", "abc_"])
def test_a_users_file_with_a_standard_name_is_what_the_user_gets(box, name):
    (box.work / f"{name}.py").write_text("print('mine')\nvalue = 7\n")
    # Some of them an older Python has loaded before any user's code, hooked or not.
    code = f"import sys\nif {name!r} not in sys.modules:\n    import {name}\n    assert {name}.value == 7\n"
    assert box.script(code) in (["mine"], [])
    assert box.record()["finished"]


@pytest.mark.parametrize("name", ["numpy", "torch", "tensorflow", "keras"])
def test_a_users_file_with_a_backends_name_is_left_alone(box, name):
    (box.work / f"{name}.py").write_text("value = 7\n")
    assert box.script(f"import {name}; print({name}.value)") == ["7"]
    assert set(box.record()["backends"]) <= {"hashing", "random"}


def test_a_folder_without_init_and_with_a_backends_name_is_still_a_namespace(box):
    (box.work / "torch").mkdir()
    (box.work / "torch" / "part.py").write_text("print('part')")
    assert box.script("import torch.part") == ["part"]


def test_an_import_that_fails_says_what_it_always_said(box):
    (box.work / "keras.py").write_text("raise RuntimeError('broken')\n")
    assert box.script("try:\n    import keras\nexcept RuntimeError as error:\n    print(error)\n") == ["broken"]
    assert box.script("try:\n    import torch\nexcept ImportError as error:\n    print(error)\n") == [
        "No module named 'torch'"
    ]


def test_a_hash_seed_that_is_not_the_wanted_one_is_a_warning(box):
    box.env["PYTHONHASHSEED"] = "33"
    box.script("pass")
    record = box.record()
    assert record["backends"]["hashing"]["seed"] == 33
    assert record["switches"]["PYTHONHASHSEED"]["status"] == "failed"
    assert any("PYTHONHASHSEED is 33" in warning for warning in record["warnings"])


@pytest.mark.parametrize(("text", "reason"), [("", "not set"), ("random", "'random'")])
def test_random_hashes_are_a_warning(box, text, reason):
    box.env["PYTHONHASHSEED"] = text
    box.script("pass")
    assert any(reason in warning for warning in box.record()["warnings"])


def test_the_right_hash_seed_is_no_warning(box):
    box.script("pass")
    record = box.record()
    assert record["warnings"] == []
    assert record["backends"]["hashing"]["seed"] == SEED


def test_hash_seed_zero_is_recognised(box):
    box.env["PYTHONHASHSEED"] = "0"
    box.contract["switches"]["hash_seed"] = 0
    box.script("pass")
    assert box.record()["warnings"] == []


def test_dash_r_makes_hashes_random_again_since_python_3_7(box):
    box.env["PYTHONHASHSEED"] = "0"
    box.contract["switches"]["hash_seed"] = 0
    box.python_code("pass", "-R")
    expected = box.python.parent.parent.name != "3.6"
    assert any("-R overrules" in warning for warning in box.record()["warnings"]) is expected


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "seed": "x"}', "nul"])
def test_a_broken_contract_is_one_line_and_the_program_runs(box, text):
    environment = box.environment()
    (box.work / "contract.json").write_text(text)
    done = subprocess.run(
        [box.python, "-c", "print('ran')"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "ran\n"
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("reprobox: this process is not seeded: ")


def test_an_interpreter_that_takes_every_warning_for_an_error_has_nothing_to_say(box):
    done = box.python_code("import random, multiprocessing.util, os\nos.fork() or os._exit(0)", "-W", "error", "-bb")
    assert (done.stdout, done.stderr) == ("", "")


def test_the_largest_seed_of_numpy_is_taken_unchanged(box):
    box.contract["seed"] = 2**32 - 1
    code = "import random; a = random.random(); random.seed(2**32 - 1); print(a == random.random())"
    assert box.script(code) == ["True"]
