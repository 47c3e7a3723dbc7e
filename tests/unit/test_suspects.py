"""Which suspect comes first, and which is none."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import HOST, make_record

from reprobox.records import Suspect
from reprobox.suspects import load_causes, rank_suspects

RUNTIME = Path(__file__).parents[2] / "reprobox" / "_runtime"


def make_runs(*suspects, runs=2, **changes):
    record = replace(make_record(), suspects=tuple(Suspect(*one) for one in suspects), **changes)
    return [record] * runs


def rank_kinds(records, sources=None):
    return [(one.kind, one.where) for one in rank_suspects(records, sources)]


OFF = {"level": "off", "switches": {}, "environment": {}}


def test_nothing_noted_and_everything_fixed_yields_none():
    assert rank_suspects(make_runs(), {"train.py": "for x in {'a', 'b'}:\n    use(x)\n"}) == ()


def test_at_level_off_the_unseeded_frameworks_come_first():
    runs = make_runs(("os-entropy", "train.py:3", 1, ""), ("clock-seed", "train.py:4", 1, ""), **OFF)
    first, *rest = rank_suspects(runs)
    assert (first.kind, first.where) == ("unseeded-generator", "")
    assert "off" in first.explanation
    assert [one.kind for one in rest] == ["clock-seed", "os-entropy", "thread-count"]


def test_the_most_probable_comes_first():
    noted = [
        ("network", "train.py:1", 1, "example.invalid"),
        ("listing-order", "train.py:2", 1, "data"),
        ("completion-order", "train.py:3", 1, "possible: threads started here run at the same time"),
        ("completion-order", "train.py:4", 1, "Pool.imap_unordered"),
        ("unseeded-generator", "train.py:5", 1, "a generator of numpy.random without a seed"),
        ("os-entropy", "train.py:6", 1, "os.urandom"),
        ("nondeterministic-kernel", "train.py:7", 1, "put_ does not have a deterministic implementation"),
        ("clock-seed", "train.py:8", 1, "random.seed was given the time"),
        ("thread-count", "train.py:9", 1, "OMP_NUM_THREADS: '4', was '1'"),
        ("switch-flipped", "train.py:10", 1, "torch.backends.cudnn.benchmark is True, no longer False"),
    ]
    lines = [int(where.partition(":")[2]) for _, where in rank_kinds(make_runs(*noted))]
    assert lines == [8, 6, 7, 10, 4, 2, 1, 9, 3, 5]


def test_every_suspect_says_what_it_is_and_what_to_do():
    for one in rank_suspects(make_runs(("os-entropy", "train.py:3", 2, "os.urandom"))):
        assert (one.count, one.detail) == (4, "os.urandom")
        assert one.explanation.endswith(".")
        assert one.advice.endswith(".")


def test_a_switch_of_threads_is_a_matter_of_threads():
    noted = ("switch-flipped", "train.py:1", 1, "torch.set_num_threads is 4, no longer 1")
    assert rank_kinds(make_runs(noted)) == [("thread-count", "train.py:1")]


def test_a_sorted_listing_is_none_and_another_is_one():
    noted = [("listing-order", f"/work/train.py:{line}", 1, ".") for line in (1, 2)]
    source = "a = sorted(os.listdir('.'))\nb = load(os.listdir('.'))\n"
    assert rank_kinds(make_runs(*noted), {"train.py": source}) == [("listing-order", "train.py:2")]
    assert len(rank_suspects(make_runs(*noted))) == 2


@pytest.mark.parametrize("line", ["²", "٣", "9" * 5000, "", "-1"])
def test_a_place_that_has_no_line_is_shown_as_it_is(line):
    noted = ("listing-order", f"train.py:{line}", 1, ".")
    assert rank_kinds(make_runs(noted), {"train.py": "a = sorted(os.listdir('.'))\n"}) == [noted[:2]]


def test_seeding_with_one_number_in_every_run_is_none():
    assert rank_suspects(make_runs(("reseeded", "train.py:1", 1, "random.seed(1)"))) == ()
    assert len(rank_suspects(make_runs(("reseeded", "train.py:1", 1, "random.seed(1)"), runs=1))) == 1


def test_seeding_with_another_number_in_each_run_is_nearly_certain():
    runs = [make_runs(("reseeded", "train.py:1", 1, f"random.seed({seed})"), runs=1)[0] for seed in (1, 2)]
    (one,) = rank_suspects(runs)
    assert one.weight > 90
    assert "another number" in one.explanation


def test_what_is_not_in_every_run_is_more_probable():
    noted = ("listing-order", "train.py:1", 1, ".")
    always = rank_suspects(make_runs(noted))[0].weight
    assert rank_suspects([*make_runs(noted), *make_runs()])[0].weight > always


def test_the_order_of_sets_counts_where_hashes_are_random_only():
    source = {"train.py": "x = 1\nfor word in set(words):\n    use(word)\n"}
    assert rank_kinds(make_runs(), source) == []
    random = make_runs(("hash-order", "", 1, "hashes are random"))
    assert rank_kinds(random, source) == [("hash-order", "train.py:2")]
    assert rank_kinds(random, {"train.py": "x = 1\n"}) == [("hash-order", "")]
    assert ("hash-order", "train.py:2") in rank_kinds(make_runs(**OFF), source)


def test_a_seed_of_the_clock_in_the_source_is_merged_with_the_one_that_was_seen():
    source = {"train.py": "rng = Random(time.time())\nrandom.seed(time.time() % 10)\n"}
    noted = ("clock-seed", "train.py:2", 3, "random.seed was given the time")
    ranked = rank_suspects(make_runs(noted, runs=1), source)
    assert [(one.where, one.count) for one in ranked] == [("train.py:1", 0), ("train.py:2", 3)]


def test_generators_that_reprobox_gave_a_stream_come_last():
    noted = ("unseeded-generator", "train.py:1", 1, "a generator of numpy.random without a seed")
    assert rank_suspects(make_runs(noted))[0].weight < 20
    assert rank_suspects(make_runs(noted, **OFF))[1].weight > 90


@pytest.mark.parametrize(
    ("detail", "weights"),
    [
        ("random.Random() without a seed", [18]),
        ("random.seed() without a seed", [18]),
        ("numpy.random.seed() without a seed", [18]),
        ("tf.random.Generator without a seed", [18]),
        # What the runtime said of those two before.
        ("random.seed() takes its seed from the operating system", [18]),
        ("tf.random.Generator from a state that is not deterministic", [18]),
        ("tf.random.Generator takes its seed from the operating system", [92]),
        ("torch.seed() takes its seed from the operating system", [92]),
        ("cupy.random.seed() takes its seed from the operating system", [92]),
        ("Random ops require a seed to be set when determinism is enabled", [92]),
        ("torch.Generator() without manual_seed(): all of them draw the same", []),
    ],
)
def test_whether_reprobox_could_seed_a_generator_makes_the_difference(detail, weights):
    assert [one.weight for one in rank_suspects(make_runs(("unseeded-generator", "train.py:1", 1, detail)))] == weights


def test_what_takes_entropy_at_every_level_is_not_told_to_use_another_level():
    noted = ("unseeded-generator", "train.py:1", 1, "a thread of Numba's takes its seed from the operating system")
    (one,) = rank_suspects(make_runs(noted))
    assert "level" not in one.advice
    assert "level" in rank_suspects(make_runs(noted, **OFF))[1].advice


def test_a_gpu_without_deterministic_kernels_is_a_suspect_at_seeded():
    runs = make_runs(gpus=HOST.gpus, level="seeded", switches={"hash_seed": 32, "threads": 1})
    assert rank_kinds(runs) == [("nondeterministic-kernel", "")]


def test_threads_that_the_environment_fixes_are_no_suspect():
    seeded = {"level": "seeded", "switches": {"hash_seed": 32}}
    assert rank_kinds(make_runs(**seeded, environment={"OMP_NUM_THREADS": "1"})) == []
    assert rank_kinds(make_runs(**seeded, environment={})) == [("thread-count", "")]


def test_other_conditions_are_named_first():
    one, other = make_runs(("os-entropy", "train.py:1", 1, ""))
    other = replace(other, host=replace(other.host, cpu_model="another"), inputs={"data": "5" * 64})
    first = rank_suspects([one, other])[0]
    assert first.kind == "environment"
    assert first.detail == f"processor: {one.host.cpu_model} and another; inputs: other ones"


def test_asking_for_the_number_of_processors_counts_where_that_differs():
    source = {"train.py": "x = 1\nworkers = os.cpu_count()\n"}
    one, other = make_runs()
    assert rank_kinds([one, other], source) == []
    other = replace(other, host=replace(other.host, cpus=64))
    assert rank_kinds([one, other], source) == [("environment", ""), ("thread-count", "train.py:2")]
    assert rank_suspects([one, other])[0].detail == "number of processors: 2 and 64"


def test_threads_that_add_to_one_value_are_named_at_the_line_that_adds():
    source = (
        "def work(x):\n    global total\n    total += x\nwith ThreadPoolExecutor() as pool:\n    pool.map(work, rows)\n"
    )
    (one,) = rank_suspects(make_runs(), {"train.py": source})
    assert (one.kind, one.where, one.detail) == ("completion-order", "train.py:3", "threads add to total")
    assert "order" in one.advice


def test_a_kind_that_nobody_knows_is_left_out():
    assert rank_suspects(make_runs(("made-up", "train.py:1", 1, ""))) == ()


def _read_kinds():
    tree = ast.parse((RUNTIME / "suspects.py").read_text())
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "KINDS"
    )


@pytest.mark.parametrize("kind", _read_kinds())
def test_every_kind_that_the_runtime_notes_is_explained(kind):
    assert kind in {cause.kind for cause in load_causes().values()}
    assert rank_suspects(make_runs((kind, "train.py:1", 1, ""), runs=1))


def test_the_page_on_suspects_has_every_kind_and_no_other():
    page = (RUNTIME.parents[1] / "docs" / "suspects.md").read_text("utf-8")
    table = page.split("\n## What is noted\n\n")[1].split("\n\n")[0]
    assert sorted(line.split("`")[1] for line in table.splitlines()[2:]) == sorted(_read_kinds())


def test_the_page_on_suspects_names_every_variable_and_limit_that_the_runtime_has():
    page = (RUNTIME.parents[1] / "docs" / "suspects.md").read_text("utf-8")
    assert "REPROBOX_WATCH" in page
    assert "at most 200" in page
    assert "_MOST_ENTRIES = 200" in (RUNTIME / "suspects.py").read_text()
