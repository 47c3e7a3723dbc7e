"""A program writes its contributions, by hand or out of real models of real libraries, and the host reads them back."""

import json
import re

import pytest

from reprobox.contributions.model import Status
from reprobox.contributions.runs import read_folder

from .backend_venvs import LIGHTGBM_2, SKLEARN_0, Group, make_group_box
from .conftest import SEED

TREES = Group(
    "contributions",
    "3.12",
    (
        *("numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "pandas==2.3.3", "shap==0.54.1"),
        *("xgboost-cpu==3.4.1", "lightgbm==4.7.0", "catboost==1.2.10"),
    ),
)
DATA = """
import numpy
from reprobox_runtime import contributions
NAMES = ["weak", "strong, very", "none", "zero"]
x = numpy.random.rand(400, 4)
x[:, 3] = 0
y = (x[:, 0] + 5 * x[:, 1] > 3).astype(int)
"""


@pytest.fixture
def box(edge_box):
    """Nothing here is for a version between the oldest and the newest."""
    return edge_box


@pytest.fixture
def write(box):
    """A function: code that writes below its own folder -> what the host reads there."""

    def run(code, check=True):
        head = "from functools import partial\nfrom reprobox_runtime import contributions as c\n"
        head += "say = dict(method='m', importance_type='t', data_split='test', metric='auc', folder='.')\n"
        done = box.python_code(head + code, check=check)
        return read_folder(box.work) if check else done.stderr

    return run


def test_what_is_written_is_read_back(write):
    found = write(
        "c.write(['a', 'b,\"c\"', ' d\\n'], [1, 2.5, -1e-9], std=[0, 1, 2], n_repeats=5,"
        " descriptions=['', 'gr\\xf6\\xdfer', '=1+1'], sign='difference', library='mine 1', **say)"
    )
    assert [(row.feature, row.importance, row.std, row.rank) for row in found.rows] == [
        ('b,"c"', 2.5, 1, 1),
        ("a", 1, 0, 2),
        (" d\n", -1e-9, 2, 3),
    ]
    (row,) = {(row.method, row.importance_type, row.data_split, row.metric, row.n_repeats) for row in found.rows}
    assert row == ("m", "t", "test", "auc", 5)
    assert [row.description for row in found.rows] == ["größer", "", "=1+1"]
    assert (found.sign, found.library) == ("difference", "mine 1")


def test_the_seed_is_the_run_s_unless_the_program_names_one(write):
    assert {row.seed for row in write("c.write(['a'], [1], **say)").rows} == {SEED}
    assert {row.seed for row in write("c.write(['a'], [1], seed=5, **say)").rows} == {5}


def test_a_method_without_a_metric_or_a_seed_says_why(write):
    reason = "not applicable: a coefficient has none"
    (row,) = write(f"c.write(['a'], [1], seed={reason!r}, **dict(say, metric={reason!r}))").rows
    assert (row.metric, row.seed, row.no_seed) == (reason, None, "a coefficient has none")


def test_outside_of_a_run_that_is_why_there_is_no_seed(write):
    (row,) = write("import os; os.environ['REPROBOX_CONTRACT'] = '/nowhere'\nc.write(['a'], [1], **say)").rows
    assert (row.seed, row.no_seed) == (None, "the program ran without reprobox, and named no seed")


def test_the_same_contributions_are_the_same_bytes(write):
    code = "c.write(['a', 'b', 'd'], [0.1, 0.3, 0.1], model_id='{}', weight=0.5, **say)\n"
    both = code.format("one") + code.format("two")
    other_order = code.format("two") + code.format("one")
    assert write(both).sha256 == write(other_order).sha256


def test_an_ensemble_is_written_model_by_model(write):
    found = write(
        "c.write(['a'], [1], model_id='one', weight=0.25, sign='absolute', **say)\n"
        "c.write(['a', 'b'], [-1, 0.5], model_id='two', weight=0.75, sign='signed', **say)"
    )
    assert [(row.model_id, row.feature, row.rank) for row in found.rows] == [
        ("one", "a", 1),
        ("two", "a", 1),
        ("two", "b", 2),
    ]
    assert found.weights == {"one": 0.25, "two": 0.75}
    assert found.sign == "signed"


@pytest.mark.parametrize("status", [Status.NOT_APPLICABLE, Status.NOT_COMPUTED])
def test_that_there_are_none_is_written_too(write, status):
    found = write(f"c.write(['a'], [1], **say)\nc.{status}('a network on images', folder='.')")
    assert (found.status, found.reason, found.rows) == (status, "a network on images", ())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("c.write(['a', 'b'], [1], **say)", "1 values for 2 names"),
        ("c.write(['a'], [float('nan')], **say)", "not all are finite"),
        ("c.write(['a', 'a'], [1, 2], **say)", "'a' is there twice"),
        ("c.write([], [], **say)", "there are none"),
        ("c.write([' '], [1], **say)", "is no name"),
        ("c.write(['a'], [1], std=[1, 2], **say)", "2 std for 1 names"),
        ("c.write(['a'], [1], descriptions=[], **say)", "0 descriptions for 1 names"),
        ("c.write(['a'], [-1], sign='absolute', **say)", "one is negative"),
        ("c.write(['a'], [-1], sign='positive', **say)", "is none of absolute"),
        ("c.write(['a'], [1], **dict(say, method=' '))", "none may be empty"),
        ("c.write(['a'], [1], **dict(say, metric=''))", "Where the method has no metric"),
        ("c.write(['a'], [1], **dict(say, metric='not applicable:'))", "metric: is not applicable, and no reason"),
        ("c.write(['a'], [1], seed='not applicable', **say)", "seed: is not applicable, and no reason says why"),
        ("c.write(['a'], [1], **say); c.write(['a'], [1], model_id='x', weight=1, **say)", "has a model_id"),
        ("c.not_computed(' ', folder='.')", "reason: is empty"),
        ("c.not_computed('x' * 10001, folder='.')", "is no text of at most 10000"),
        ("c.write(['a'], [1], descriptions=['\\0'], **say)", "is no text of at most 10000"),
        ("c.write(['a'], [1], library='x' * 10001, **say)", "is no text of at most 10000"),
        ("c.write(['a'], [1], std=[-1], **say)", "std: one is negative"),
        ("c.write(['a'], [1], n_repeats=0, **say)", "n_repeats: is less than 1"),
        ("c.write(['a'], [1], seed=10**19, **say)", "seed: has more than 19 digits"),
        ("c.write(['a'], [1], model_id='x', weight=float('nan'), **say)", "weight: is no finite number"),
        ("c.write(['a'], [2], sum_to_one=True, **say)", "sum to 2, and sum_to_one is true"),
    ],
)
def test_what_would_mean_nothing_is_refused(write, code, said):
    stderr = write(code, check=False)
    assert re.search(r"ValueError: .*" + re.escape(said), stderr), stderr


def test_a_call_that_is_refused_leaves_what_was_there(write, box):
    write("c.write(['a'], [1], **say)")
    write("c.write(['b', 'b'], [1, 2], **say)", check=False)
    assert [row.feature for row in read_folder(box.work).rows] == ["a"]
    assert sorted(path.name for path in box.work.glob("contributions*")) == [
        "contributions.csv",
        "contributions.meta.json",
    ]


@pytest.mark.network
class TestLibraries:
    @pytest.fixture
    def fit(self, runtime_root, tmp_path):
        """A function: code that ends in a call of an adapter -> the table that the host reads."""

        def run(code, group=TREES):
            box = make_group_box(group, runtime_root, tmp_path / group.name)
            box.script(DATA + code)
            found = read_folder(box.work)
            assert all(row.metric and row.seed == SEED for row in found.rows)
            return found, box

        return run

    @staticmethod
    def order(found):
        return [row.feature for row in found.rows]

    @staticmethod
    def facts(found):
        ((method, kind, split),) = {(row.method, row.importance_type, row.data_split) for row in found.rows}
        return method, kind, split, found.sign, found.library

    def test_a_forest(self, fit):
        found, _ = fit("""
from sklearn.ensemble import RandomForestClassifier
contributions.from_sklearn(RandomForestClassifier(50).fit(x, y), NAMES, folder=".")
""")
        assert self.order(found)[0] == "strong, very"
        assert found.rows[-1].importance == 0
        assert self.facts(found) == ("impurity", "mean decrease in impurity", "train", "absolute", "sklearn 1.9.1")
        assert {row.metric for row in found.rows} == {"not applicable: read off the fitted model, no score is computed"}
        assert found.sum_to_one is True
        assert {row.seed for row in found.rows} == {SEED}

    def test_a_forest_of_2019(self, fit):
        found, _ = fit(
            """
from sklearn.ensemble import RandomForestClassifier
contributions.from_sklearn(RandomForestClassifier(50).fit(x, y), NAMES, folder=".")
""",
            SKLEARN_0,
        )
        assert self.order(found)[0] == "strong, very"
        assert found.library == "sklearn 0.21.3"

    def test_a_frame_and_a_pipeline_have_names_of_their_own(self, fit):
        found, _ = fit("""
import pandas
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(pandas.DataFrame(x, columns=NAMES), y)
contributions.from_sklearn(model, folder=".")
assert (model[-1].coef_[0] == [model[-1].coef_[0][NAMES.index(name)] for name in NAMES]).all()
""")
        assert self.order(found)[:2] == ["strong, very", "weak"]
        assert self.facts(found) == ("coefficient", "coefficient", "train", "signed", "sklearn 1.9.1")

    def test_the_coefficients_of_several_classes_are_averaged(self, fit):
        found, _ = fit("""
from sklearn.linear_model import LogisticRegression
classes = y + (x[:, 1] > 0.9)
model = LogisticRegression().fit(x, classes)
assert model.coef_.shape == (3, 4)
contributions.from_sklearn(model, NAMES, folder=".")
""")
        assert self.order(found)[0] == "strong, very"
        assert self.facts(found)[1] == "mean(|coefficient|)"

    def test_what_permutation_importance_returns(self, fit):
        found, box = fit("""
import json
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
model = RandomForestClassifier(50).fit(x[:300], y[:300])
result = permutation_importance(model, x[300:], y[300:], n_repeats=7, scoring="accuracy")
contributions.from_sklearn(result, NAMES, data_split="test", metric="accuracy", folder=".")
json.dump([result.importances_mean.tolist(), result.importances_std.tolist()], open("said.json", "w"))
""")
        means, stds = json.loads((box.work / "said.json").read_text())
        assert self.order(found)[0] == "strong, very"
        assert sorted(row.importance for row in found.rows) == sorted(means)
        assert sorted(row.std for row in found.rows) == sorted(stds)
        assert {(row.metric, row.n_repeats) for row in found.rows} == {("accuracy", 7)}
        expected = ("permutation", "decrease in accuracy", "test", "difference", "sklearn 1.9.1")
        assert self.facts(found) == expected

    def test_a_permutation_importance_without_its_score_is_refused(self, runtime_root, tmp_path):
        box = make_group_box(TREES, runtime_root, tmp_path / "scoreless")
        code = """
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
result = permutation_importance(LogisticRegression().fit(x, y), x, y, n_repeats=1)
contributions.from_sklearn(result, NAMES, data_split="train", folder=".")
"""
        assert "metric: say which score" in box.python_code(DATA + code, check=False).stderr

    def test_xgboost_leaves_out_what_it_never_split_on_and_here_that_is_zero(self, fit):
        found, box = fit("""
import json
import xgboost
model = xgboost.XGBClassifier(n_estimators=20).fit(x, y)
contributions.from_xgboost(model, NAMES, folder=".")
json.dump(model.get_booster().get_score(importance_type="total_gain"), open("said.json", "w"))
""")
        said = json.loads((box.work / "said.json").read_text())
        assert "f3" not in said
        numbers = {row.feature: row.importance for row in found.rows}
        assert numbers == {"weak": said["f0"], "strong, very": said["f1"], "none": said.get("f2", 0), "zero": 0}
        assert self.order(found)[0] == "strong, very"
        assert self.facts(found) == ("gain", "total_gain", "train", "absolute", "xgboost 3.4.1")

    def test_a_booster_of_xgboost_has_the_frame_s_names(self, fit):
        found, _ = fit("""
import pandas, xgboost
data = xgboost.DMatrix(pandas.DataFrame(x, columns=["w", "s", "n", "z"]), y)
contributions.from_xgboost(xgboost.train({"max_depth": 3}, data, 20), folder=".")
""")
        assert self.order(found)[0] == "s"
        assert set(self.order(found)) == {"w", "s", "n", "z"}

    def test_lightgbm(self, fit):
        found, _ = fit("""
import lightgbm
model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(x, y)
contributions.from_lightgbm(model, NAMES, folder=".")
gains = model.booster_.feature_importance("gain")
assert gains[1] == gains.max() and gains[3] == 0
""")
        assert self.order(found)[0] == "strong, very"
        assert found.rows[-1].importance == 0
        assert self.facts(found) == ("gain", "total_gain", "train", "absolute", "lightgbm 4.7.0")

    def test_lightgbm_of_2019(self, fit):
        found, _ = fit(
            """
import lightgbm
booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(x, y), 20)
contributions.from_lightgbm(booster, NAMES, importance_type="split", folder=".")
""",
            LIGHTGBM_2,
        )
        assert set(self.order(found)[:2]) <= {"weak", "strong, very", "none"}
        assert self.facts(found) == ("split", "split", "train", "absolute", "lightgbm 2.3.1")

    def test_catboost(self, fit):
        found, _ = fit("""
import catboost
model = catboost.CatBoostClassifier(iterations=30, verbose=False, allow_writing_files=False).fit(x, y)
contributions.from_catboost(model, NAMES, folder=".")
""")
        assert self.order(found)[0] == "strong, very"
        assert sum(row.importance for row in found.rows) == pytest.approx(100)
        kind = "PredictionValuesChange"
        assert self.facts(found) == (kind, kind, "train", "absolute", "catboost 1.2.10")

    def test_catboost_names_the_loss_that_changes(self, fit):
        found, _ = fit("""
import catboost
model = catboost.CatBoostClassifier(iterations=30, verbose=False, allow_writing_files=False).fit(x, y)
contributions.from_catboost(model, NAMES, catboost.Pool(x, y), "LossFunctionChange", data_split="train", folder=".")
""")
        assert {row.metric for row in found.rows} == {"Logloss"}

    def test_shap_values_of_a_tree_and_of_several_classes(self, fit):
        found, _ = fit("""
import shap
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
explain = shap.TreeExplainer(RandomForestRegressor(20).fit(x, y))
two = shap.TreeExplainer(RandomForestClassifier(20).fit(x, y))(x[:50])
assert two.values.shape == (50, 4, 2)
contributions.from_shap(two, NAMES, data_split="train", model_id="classes", weight=0.5, folder=".")
contributions.from_shap(explain(x[:50]), NAMES, data_split="train", model_id="one", weight=0.5, folder=".")
contributions.from_shap([explain(x[:50]).values] * 2, NAMES, data_split="train", model_id="list", weight=0, folder=".")
""")
        assert [row.feature for row in found.rows if row.rank == 1] == ["strong, very"] * 3
        rows = {model: [row.importance for row in found.rows if row.model_id == model] for model in ("one", "list")}
        assert rows["one"] == rows["list"]
        assert self.facts(found) == ("shap", "mean(|SHAP value|)", "train", "absolute", "shap 0.54.1")

    def test_a_model_of_another_library_is_sent_to_its_own_function(self, fit, runtime_root, tmp_path):
        box = make_group_box(TREES, runtime_root, tmp_path / "refused")
        code = "import xgboost\ncontributions.from_sklearn(xgboost.XGBClassifier(n_estimators=2).fit(x, y), folder='.')"
        done = box.python_code(DATA + code, check=False)
        assert "there are functions for other libraries" in done.stderr

    def test_no_library_is_imported_by_it(self, runtime_root, tmp_path):
        box = make_group_box(TREES, runtime_root, tmp_path / "bare")
        code = "import sys; from reprobox_runtime import contributions; print('numpy' in sys.modules)"
        assert box.python_code(code).stdout == "False\n"
