"""A seeded run on Debian 13 and Python 3.13, in an image that ``reprobox build`` made."""

import json
from pathlib import Path

import pytest
from program import call_program

pytestmark = [pytest.mark.network, pytest.mark.long]

SCRIPT = """
import json, os, platform, random, sys

release = platform.freedesktop_os_release()
seen = {
    "debian": release["VERSION_ID"],
    "python": list(sys.version_info[:2]),
    "random": random.random(),
    "hash_seed": os.environ["PYTHONHASHSEED"],
    "hash": hash("reprobox"),
}
with open("/output/seen.json", "w") as file:
    json.dump(seen, file)
"""
RANDOM_32 = 0.07742178385330412
HASH_32 = -1956228357202485949
"""What hash("reprobox") is where PYTHONHASHSEED is 32, on a processor of 64 bits."""


@pytest.fixture(scope="module")
def runs(make_project, fresh_lock):
    """Two runs of the same project: what each saw, and its record."""
    folder = make_project("trixie", 'python: "3.13"', "base: debian:13", "outputs: [seen.json]", script=SCRIPT)
    fresh_lock(folder)
    folders = [Path(call_program("run", "--json", folder).json["run_dir"]) for _ in range(2)]
    return [[json.loads((run / name).read_text()) for name in ("output/seen.json", "run.json")] for run in folders]


def test_random_and_the_hashes_are_what_the_seed_makes_them(runs):
    expected = {"debian": "13", "python": [3, 13], "random": RANDOM_32, "hash_seed": "32", "hash": HASH_32}
    assert [seen for seen, _ in runs] == [expected, expected]


def test_the_record_says_so(runs):
    for _, record in runs:
        (process,) = [one for one in record["runtime"]["processes"] if one["role"] == "main"]
        assert process["python"]["version"].startswith("3.13.")
        assert (process["backends"]["random"]["seed"], process["seed"]) == (32, 32)
        assert record["warnings"] == [] == record["runtime"]["warnings"]
