"""The runtime's own small parts, run where they will run: in every Python."""

COMPARE = """
import json, random
from reprobox_runtime.jsontext import format_json, parse_json

def make(depth):
    kind = random.randrange(8 if depth else 6)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.randrange(-10**20, 10**20)
    if kind == 2:
        return random.uniform(-1e300, 1e300)
    if kind in (3, 4, 5):
        return "".join(chr(random.choice([0, 10, 34, 47, 92, 127, 233, 8232, 128512])) for _ in range(kind))
    if kind == 6:
        return [make(depth - 1) for _ in range(random.randrange(4))]
    return {make(0).__repr__(): make(depth - 1) for _ in range(random.randrange(4))}

for _ in range(300):
    value = make(4)
    assert json.loads(format_json(value)) == value
    for indent in (None, 1):
        for ascii in (True, False):
            assert parse_json(json.dumps(value, indent=indent, ensure_ascii=ascii)) == value

for text in ("", " ", "{", "[1,", "nul", "{1: 2}", "'a'", '"\\\\x"', '"a', "1 2", "[1] x", "__import__('os')"):
    try:
        parse_json(text)
    except ValueError:
        continue
    raise AssertionError(text)
print(format_json([float("nan"), float("inf"), (1, "a"), {2: 1}]))
"""


def test_json_is_read_and_written_as_the_standard_library_does(box):
    assert box.script(COMPARE) == ['[null, null, [1, "a"], {"2": 1}]']


def test_derived_seeds_never_change(box):
    code = """
from reprobox_runtime.identity import SEED_MAX, derive_seed
print([derive_seed(32, path) for path in ((), ("mp:1",), ("mp:2",), ("mp:1", "mp:1"), ("fork:1",))])
seeds = [derive_seed(32, ("mp:%d" % number,)) for number in range(20000)]
assert len(set(seeds)) == 20000 and min(seeds) >= 1 and max(seeds) <= SEED_MAX
"""
    # Another release must give an old run's workers the seeds that they had.
    assert box.script(code) == ["[32, 755243021, 1323548452, 1904303012, 1348511232]"]


def test_roles_are_told_from_the_command_line(newest_box):
    code = """
from reprobox_runtime.contract import ROOT
from reprobox_runtime.identity import decide_role
for line, environ in (
    (["python", "a.py"], {}),
    (["python", "a.py"], {"REPROBOX_MAIN_PID": "7"}),
    (["python", "-I", ROOT + "/entrypoint.py", "sh"], {}),
    (["python", "a.py", ROOT + "/entrypoint.py"], {"REPROBOX_MAIN_PID": "7"}),
    (["python", "-c", "from multiprocessing.resource_tracker import main;main(5)"], {}),
    (["python", "-c", "from multiprocessing.semaphore_tracker import main;main(5)"], {}),
    (["python", "-c", "from multiprocessing.forkserver import main; main(6)"], {}),
    (["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()", "--multiprocessing-fork"], {}),
    (["python", "-c", "print()", ROOT + "/entrypoint.py"], {}),
    (["python", "-c"], {}),
    ([], {}),
):
    print(decide_role(line, 7, environ))
"""
    assert newest_box.script(code) == [
        "subprocess",
        "main",
        "entrypoint",
        "main",
        "helper",
        "helper",
        "forkserver",
        "spawn",
        "subprocess",
        "subprocess",
        "subprocess",
    ]
