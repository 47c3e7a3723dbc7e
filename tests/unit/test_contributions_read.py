"""Contributions are read as they were written, and whatever is wrong with a stranger's file is said at once."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprobox.contributions.model import Contributions, Status
from reprobox.contributions.read import read_contributions
from reprobox.contributions.table import MOST_ROWS
from reprobox.contributions.write import format_table
from reprobox.errors import UsageError

HEADER = "feature,importance,method,importance_type,data_split,metric,seed"
STATED = "gain,total_gain,train,not applicable: sums of gains,7"


@pytest.fixture
def read(tmp_path):
    """A function: the table's text or bytes, the meta's keys or text -> what is read."""

    def write_and_read(table, meta=None):
        csv, other = tmp_path / "contributions.csv", tmp_path / "contributions.meta.json"
        if table is not None:
            csv.write_bytes(table.encode() if isinstance(table, str) else table)
        if meta is not None:
            other.write_text(meta if isinstance(meta, str) else json.dumps(meta))
        return read_contributions(csv, other)

    return write_and_read


@pytest.fixture
def refuse(read, tmp_path):
    """A function: the same -> the lines of the error, without the folder."""

    def read_and_catch(table, meta=None):
        with pytest.raises(UsageError) as caught:
            read(table, meta)
        return caught.value.message.replace(f"{tmp_path}/", "").splitlines()

    return read_and_catch


def rows(*pairs):
    return "\n".join((HEADER, *(f"{name},{value},{STATED}" for name, value in pairs))) + "\n"


def test_every_column_is_kept(read):
    table = (
        "feature,importance,std,rank,method,importance_type,data_split,metric,n_repeats,seed,model_id,description\n"
        'age,0.25,0.01,1,permutation,decrease in accuracy,test,accuracy,5,32,forest,"in years, at the start"\n'
    )
    (row,) = read(table, {"library": "scikit-learn 1.9.1", "sign": "difference", "sum_to_one": False}).rows
    assert (row.feature, row.importance, row.std, row.rank) == ("age", 0.25, 0.01, 1)
    assert (row.method, row.importance_type, row.data_split) == ("permutation", "decrease in accuracy", "test")
    assert (row.metric, row.n_repeats, row.seed, row.model_id) == ("accuracy", 5, 32, "forest")
    assert row.description == "in years, at the start"


META = {
    "method": "gain",
    "importance_type": "total_gain",
    "data_split": "train",
    "metric": "auc",
    "seed": 7,
    "n_repeats": 3,
}


def test_two_columns_are_enough_where_the_meta_states_the_rest(read):
    found = read("feature,importance\na,1\nb,2\n", META)
    assert [(row.feature, row.rank) for row in found.rows] == [("b", 1), ("a", 2)]
    assert {
        (row.method, row.importance_type, row.data_split, row.metric, row.seed, row.n_repeats) for row in found.rows
    } == {("gain", "total_gain", "train", "auc", 7, 3)}


@pytest.mark.parametrize("name", ["method", "importance_type", "data_split", "metric", "seed"])
def test_what_is_stated_nowhere_is_missed(refuse, name):
    stated = {key: value for key, value in META.items() if key != name}
    assert refuse("feature,importance\na,1\n", stated)[0] == f"contributions.csv:2: {name}: is stated nowhere"


@pytest.mark.parametrize("name", ["metric", "seed"])
def test_a_method_without_a_metric_or_a_seed_says_so_with_the_reason(read, refuse, name):
    stated = {**META, name: "not applicable: a linear coefficient has none"}
    for table, meta in (
        ("feature,importance\na,1\n", stated),
        (f"feature,importance,{name}\na,1,{stated[name]}\nb,1,\n", {**META, name: None}),
    ):
        for row in read(table, meta).rows:
            metric, seed, why = ("auc", None, "a linear coefficient has none")
            wanted = (metric, seed, why) if name == "seed" else (stated["metric"], 7, "")
            assert (row.metric, row.seed, row.no_seed) == wanted
            (again,) = read(*map(str, (format_table(Contributions(Status.COMPUTED, "", (row,))), "{}"))).rows
            assert again == row
    problems = refuse("feature,importance\na,1\n", {**META, name: "Not applicable:"})
    assert problems[0] == f"contributions.csv:2: {name}: is not applicable, and no reason says why"


def test_a_fact_that_one_row_states_holds_for_all(read):
    found = read(f"{HEADER}\na,2,{STATED}\nb,1,,,,,\n")
    assert {(row.method, row.seed) for row in found.rows} == {("gain", 7)}


def test_the_hash_is_of_the_table(read):
    from hashlib import sha256

    table = rows(("a", 1))
    assert read(table).sha256 == sha256(table.encode()).hexdigest()


def test_a_byte_order_mark_and_windows_line_ends_make_no_difference(read):
    plain = read(rows(("a", 2), ("b", 1)))
    other = read(b"\xef\xbb\xbf" + rows(("a", 2), ("b", 1)).replace("\n", "\r\n").encode())
    assert plain.rows == other.rows


def test_formulas_are_text(read):
    names = ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2"]
    assert [row.feature for row in read(rows(*((name, 4 - at) for at, name in enumerate(names)))).rows] == names


def test_equal_importances_share_a_rank(read):
    found = read(rows(("a", 0), ("b", 3), ("c", 0), ("d", -1)))
    assert [(row.feature, row.rank) for row in found.rows] == [("b", 1), ("a", 2), ("c", 2), ("d", 4)]


def test_where_the_sign_is_a_direction_the_size_ranks(read):
    assert [row.feature for row in read(rows(("a", 1), ("b", -3)), {"sign": "signed"}).rows] == ["b", "a"]


@pytest.mark.parametrize("ranks", [(1, 2, 2, 4), (1, 2, 3, 4), (1, 3, 2, 4), (1, 2, 2, 3)])
def test_any_order_among_equals_is_consistent(read, ranks):
    lines = [f"{name},{value},{rank},{STATED}" for name, value, rank in zip("abcd", (3, 1, 1, 0), ranks, strict=True)]
    table = "\n".join((HEADER.replace("importance,", "importance,rank,", 1), *lines))
    assert [row.rank for row in read(table).rows] == sorted(ranks)


@pytest.mark.parametrize(("ranks", "line"), [((2, 1), 2), ((1, 1), 3), ((2, 3), 2), ((1, 3), 3)])
def test_ranks_that_contradict_the_importances_or_leave_one_out_are_refused(refuse, ranks, line):
    table = (
        f"{HEADER.replace('importance,', 'importance,rank,', 1)}\na,2,{ranks[0]},{STATED}\nb,1,{ranks[1]},{STATED}\n"
    )
    (problem,) = (one for one in refuse(table) if "hint" not in one)
    assert problem.startswith(f"contributions.csv:{line}: rank:")


def test_an_ensemble_is_ranked_model_by_model(read):
    table = f"{HEADER},model_id\na,1,{STATED},forest\nb,2,{STATED},forest\na,9,{STATED},trees\nb,8,{STATED},trees\n"
    found = read(table, {"weights": {"forest": 0.7, "trees": 0.3, "net without contributions": 0.0}})
    assert [(row.model_id, row.feature, row.rank) for row in found.rows] == [
        ("forest", "b", 1),
        ("forest", "a", 2),
        ("trees", "a", 1),
        ("trees", "b", 2),
    ]
    assert found.weights["forest"] == 0.7


def test_an_ensemble_without_weights_is_refused(refuse):
    problems = refuse(f"{HEADER},model_id\na,1,{STATED},forest\na,9,{STATED},trees\na,3,{STATED},\n")
    assert "contributions.csv:2: model_id: 'forest' has no weight in the ensemble" in problems
    assert "contributions.csv:4: model_id: is empty, and other rows have one" in problems


@pytest.mark.parametrize("status", [Status.NOT_APPLICABLE, Status.NOT_COMPUTED])
def test_none_with_a_reason_is_an_answer(read, status):
    found = read(None, {"status": status, "reason": "a network on images"})
    assert (found.status, found.reason, found.rows, found.sha256) == (status, "a network on images", (), "")


def test_none_without_a_reason_is_none(refuse):
    assert "no reason says why" in refuse(None, {"status": "not_computed"})[0]


def test_none_contradicts_rows(refuse):
    assert "has 1 rows" in refuse(rows(("a", 1)), {"status": "not_computed", "reason": "no time"})[0]


def test_a_table_that_is_not_there_is_missed(refuse):
    assert refuse(None)[0] == "contributions.csv: is not there"


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity", "1e999", "1_000", "1,5", "0x10", "१", "1 %", "--1"])
def test_what_is_no_finite_number_is_refused(refuse, number):
    (problem, *_) = refuse(f'{HEADER}\na,"{number}",{STATED}\n')
    assert problem.startswith("contributions.csv:2: importance: ")


@pytest.mark.parametrize(
    ("table", "meta", "said"),
    [
        (HEADER.replace("importance", "importence") + "\n", None, "did you mean 'importance'?"),
        (f"{HEADER},feature\na,1,{STATED},a\n", None, "column 'feature' is there 2 times"),
        ("importance,method\n1,gain\n", None, "contributions.csv:1: column 'feature' is missing"),
        ("", None, "column 'feature' is missing"),
        (HEADER + "\n", None, "contributions.csv: has no rows"),
        (rows(("a", 1), ("b", 2), ("a", 3)), None, "contributions.csv:4: feature: 'a' is in line 2 already"),
        (rows((" ", 1)), None, "contributions.csv:2: feature: is empty"),
        (rows(("a" * 501, 1)), None, "longer than 500"),
        (rows(("a", "")), None, "importance: is empty"),
        ("feature,importance\na,1\n", None, "contributions.csv:2: importance_type: is stated nowhere"),
        (f"{HEADER}\na,1,gain\n", None, "contributions.csv:2: 3 cells, and the header has 7"),
        (f'{HEADER}\n"a"b,1,{STATED}\n', None, "contributions.csv:2: is no CSV"),
        (f'{HEADER}\n"a,1,{STATED}\n', None, "contributions.csv:2: is no CSV"),
        pytest.param(f"{HEADER}\n{'x' * 200_000},1,{STATED}\n", None, "field larger than field limit", id="long"),
        (rows(("a", 1)).encode() + b"\xff,1\n", None, "is not UTF-8: byte 0xff in line 3"),
        (rows(("a\0b", 1)), None, "is no text: a NUL in line 2"),
        (f"{HEADER}\na,1,{STATED}\nb,2,gain,split,train,,\n", None, "contributions.csv:3: importance_type: 'split'"),
        (rows(("a", -1)), {"sign": "absolute"}, "is negative, and sign is absolute"),
        (rows(("a", 0.5)), {"sum_to_one": True}, "sums to 0.5"),
        (f"{HEADER},std\na,1,{STATED},-1\n", None, "std: is negative"),
        (f"{HEADER},n_repeats\na,1,{STATED},0\n", None, "n_repeats: is less than 1"),
        (rows(("a", 1)).replace(",7", ",1.5"), None, "seed: '1.5' is no integer"),
        (f"{HEADER},rank\na,1,{STATED},0\n", None, "rank: counts from 1"),
        (f"{HEADER},rank\na,1,{STATED},1\nb,1,{STATED},\n", None, "contributions.csv:3: rank: is missing"),
        (f"{HEADER},description\na,1,{STATED},{'x' * 10_001}\n", None, "a text is longer"),
        (rows(("a", 1)), "{", "contributions.meta.json: is no JSON"),
        pytest.param(rows(("a", 1)), "[" * 100_000, "contributions.meta.json: is no JSON", id="deep"),
        (rows(("a", 1)), "[]", "holds no object"),
        (rows(("a", 1)), '{"seed": 1, "seed": 2}', "a key is there twice"),
        (rows(("a", 1)), '{"weights": {"a": NaN}}', "NaN is no number"),
        (rows(("a", 1)), '{"weights": {"a": 1e999}}', "weights: is no object of model_id -> number"),
        (rows(("a", 1)), {"weights": {"a": True}}, "weights: is no object"),
        (rows(("a", 1)), {"weights": {"a": 10**400}}, "weights: is no object"),
        (rows(("a", 1)), {"statsu": "computed"}, "did you mean 'status'?"),
        (rows(("a", 1)), {"status": "compute"}, "did you mean 'computed'?"),
        (rows(("a", 1)), {"sign": 3}, "sign: is none of"),
        (rows(("a", 1)), {"sum_to_one": 1}, "sum_to_one: is neither true nor false"),
        (rows(("a", 1)).replace(",7", ","), {"seed": "x"}, "seed: 'x' is no integer"),
        (rows(("a", 1)), {"seed": 1.5}, "seed: is no integer"),
        (rows(("a", 1)), {"reason": ["x"]}, "reason: is no text"),
        (rows(("a", 1)), '{"library": "\\ud800"}', "library: is no text"),
        (rows(("a", 1)), {"schema_version": 2}, "schema_version: this reprobox reads 1"),
    ],
)
def test_what_is_wrong_is_said(refuse, table, meta, said):
    assert said in "\n".join(refuse(table, meta))


def test_all_mistakes_of_both_files_are_said_at_once(refuse):
    problems = refuse(rows(("a", "x"), ("b", 1), ("b", 2)), {"statsu": "computed"})
    places = {problem.split(" ")[0] for problem in problems if not problem.startswith(" ")}
    assert places == {"contributions.csv:2:", "contributions.csv:4:", "contributions.meta.json:"}


def test_a_long_list_of_mistakes_is_cut(refuse):
    assert refuse(rows(*((f"v{at}", "x") for at in range(500))))[-1] == "… and 480 more"


@pytest.mark.long
def test_more_rows_than_anybody_reads_are_refused(refuse):
    assert f"more than {MOST_ROWS} rows" in refuse(rows(*((f"v{at}", 1) for at in range(MOST_ROWS + 1))))[0]


@pytest.mark.timeout(60)
def test_a_flood_of_columns_and_keys_is_told_in_a_few_lines(refuse):
    problems = refuse("feature," + ",".join(f"c{at}" for at in range(500_000)), {f"k{at}": 1 for at in range(60_000)})
    assert "contributions.csv:1: has 500001 columns" in problems
    assert len(problems) < 50


def test_a_file_that_is_too_large_is_not_taken_in(refuse, tmp_path):
    with (tmp_path / "contributions.csv").open("wb") as stream:
        stream.truncate(2**40)
    assert "is larger than 16.8 MB" in refuse(None)[0]


def test_no_link_is_followed(refuse, tmp_path):
    (tmp_path / "secret.csv").write_text(rows(("a", 1)))
    (tmp_path / "contributions.csv").symlink_to(tmp_path / "secret.csv")
    assert refuse(None)[0] == "contributions.csv: is a link"


@pytest.mark.timeout(20)
def test_no_pipe_is_waited_for(refuse, tmp_path):
    os.mkfifo(tmp_path / "contributions.csv")
    (tmp_path / "contributions.meta.json").mkdir()
    assert sorted(refuse(None)) == [
        "contributions.csv: is no regular file",
        "contributions.meta.json: is no regular file",
    ]


def test_nothing_reaches_the_terminal_unescaped(refuse):
    assert "\x1b" not in "".join(refuse(rows(("\x1b[2J", "x"), ("\x1b[2J", "y"))))


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(table=st.binary(max_size=400), meta=st.text(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory, table, meta):
    folder = tmp_path_factory.mktemp("any")
    (folder / "c.csv").write_bytes(HEADER.encode() + b"\n" + table)
    (folder / "m.json").write_text(meta, "utf-8", "surrogatepass")
    try:
        found = read_contributions(folder / "c.csv", folder / "m.json")
    except UsageError:
        return
    assert all(row.rank >= 1 and row.feature for row in found.rows)
