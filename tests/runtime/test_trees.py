"""Real LightGBM, XGBoost and CatBoost: what is set where the program says nothing, and that it has the last word."""

import json

import pytest

from .backend_venvs import LIGHTGBM_2, SMALL, make_group_box

pytestmark = pytest.mark.network

DATA = """
import hashlib, json, numpy
generator = numpy.random.RandomState(7)
data = generator.rand(12000, 12)
target = data.sum(1) + generator.rand(12000)
def digest(model):
    return hashlib.sha256(model.predict(data[:1000]).tobytes()).hexdigest()
"""
DEFAULTS = ["deterministic", "force_row_wise", "num_threads"]


@pytest.fixture
def make_box(runtime_root, tmp_path):
    """A function: a group of packages -> a box that has them, as an image at the default level."""
    return lambda group: make_group_box(group, runtime_root, tmp_path / group.name)


def _run(box, code):
    """Return what the last line of the output says, and the record."""
    numbers = json.loads(box.script(DATA + code)[-1])
    record = box.records()[-1]
    assert record["warnings"] == []
    return numbers, record


def _switches(record, package):
    return {
        name.split(" ")[1]: (entry["status"], entry["value"])
        for name, entry in record["switches"].items()
        if name.startswith(package + " ")
    }


class TestLightGBM:
    def test_what_nobody_sets_is_set_for_every_way_of_training(self, make_box):
        code = """
import lightgbm
trained = lightgbm.train({"verbose": -1}, lightgbm.Dataset(data, target), 3)
model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(data, target)
folded = {"stratified": False, "return_cvbooster": True}
folds = lightgbm.cv({"verbose": -1}, lightgbm.Dataset(data, target), 2, nfold=2, **folded)
boosters = [trained, model.booster_, *folds["cvbooster"].boosters]
names = ("deterministic", "force_row_wise", "num_threads")
print(json.dumps([[booster.params.get(name) for name in names] for booster in boosters]))
"""
        numbers, record = _run(make_box(SMALL), code)
        assert numbers == [[True, True, 1]] * 4
        assert _switches(record, "lightgbm") == {
            "deterministic": ("set", True),
            "force_row_wise": ("set", True),
            "num_threads": ("set", 1),
            "n_jobs=None": ("set", 1),
        }

    def test_a_model_that_counts_the_cores_counts_the_runs_threads(self, make_box):
        code = "import lightgbm; print(lightgbm.LGBMRegressor()._process_n_jobs(None))"
        assert _run(make_box(SMALL), code)[0] == 1

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("dict(deterministic=False, nthread=4)", {"deterministic": False, "force_row_wise": True, "nthread": 4}),
            ("dict(force_col_wise=True, n_jobs=2)", {"deterministic": True, "force_col_wise": True, "n_jobs": 2}),
            ("dict(num_threads=None)", {"deterministic": True, "force_row_wise": True, "num_threads": 1}),
        ],
    )
    def test_the_programs_own_parameters_win(self, make_box, given, expected):
        code = f"""
import lightgbm
wanted = ("deterministic", "force_row_wise", "force_col_wise", "num_threads", "nthread", "n_jobs")
booster = lightgbm.train(dict(verbose=-1, **{given}), lightgbm.Dataset(data, target), 2)
print(json.dumps({{name: booster.params[name] for name in wanted if name in booster.params}}))
"""
        assert _run(make_box(SMALL), code)[0] == expected

    def test_four_threads_give_one_model_and_so_does_one(self, make_box):
        code = """
import lightgbm
def fit(n_jobs):
    return digest(lightgbm.LGBMRegressor(n_estimators=15, n_jobs=n_jobs, num_leaves=63, verbose=-1).fit(data, target))
print(json.dumps([fit(4), fit(4), fit(4), fit(1), fit(None)]))
"""
        assert len(set(_run(make_box(SMALL), code)[0])) == 1

    def test_a_model_that_is_read_back_is_left_alone(self, make_box):
        code = """
import copy, pickle, lightgbm
booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(data, target), 3)
copies = [lightgbm.Booster(model_str=booster.model_to_string()), copy.deepcopy(booster)]
copies.append(pickle.loads(pickle.dumps(booster)))
print(json.dumps([digest(one) == digest(booster) for one in copies]))
"""
        assert _run(make_box(SMALL), code)[0] == [True, True, True]

    def test_an_old_version_is_not_told_what_it_does_not_know(self, make_box):
        code = """
import lightgbm
booster = lightgbm.train({"verbose": 1}, lightgbm.Dataset(data, target), 3)
print(json.dumps(booster.params))
"""
        params, record = _run(make_box(LIGHTGBM_2), code)
        assert params == {"verbose": 1, "num_threads": 1}
        assert record["switches"]["lightgbm deterministic"]["detail"].startswith("needs LightGBM 3.1")
        assert record["switches"]["lightgbm force_row_wise"]["detail"].startswith("needs LightGBM 3.0")
        assert _switches(record, "lightgbm")["num_threads"] == ("set", 1)


class TestCatBoost:
    def test_models_without_a_thread_count_take_the_runs(self, make_box):
        code = """
import catboost
def fit(**given):
    model = catboost.CatBoostRegressor(iterations=20, depth=4, verbose=False, allow_writing_files=False, **given)
    return model.fit(data, target)
models = [fit(), fit(thread_count=-1), fit(thread_count=4), fit(thread_count=4), fit(thread_count=4)]
told = [json.loads(model.get_metadata()["params"])["flat_params"]["thread_count"] for model in models]
print(json.dumps([told, len({digest(model) for model in models})]))
"""
        numbers, record = _run(make_box(SMALL), code)
        assert numbers == [[1, 1, 4, 4, 4], 1]
        assert _switches(record, "catboost") == {"thread_count": ("set", 1)}


class TestXGBoost:
    def test_four_threads_give_one_model(self, make_box):
        code = """
import xgboost
def fit(n_jobs):
    return digest(xgboost.XGBRegressor(n_estimators=15, n_jobs=n_jobs).fit(data, target))
print(json.dumps([fit(4), fit(4), fit(4), fit(4)]))
"""
        assert len(set(_run(make_box(SMALL), code)[0])) == 1


@pytest.mark.parametrize("name", ["xgboost", "catboost", "lightgbm", "sklearn", "scipy", "gymnasium", "pytensor"])
def test_what_has_no_global_seed_is_put_down_with_its_version_and_why(make_box, name):
    box = make_box(SMALL)
    (version,) = box.script(f"import {name}; print({name}.__version__)")
    record = box.record()
    entry = record["backends"][name]
    assert (entry["seed"], entry["version"], entry["when"]) == (None, version, "import")
    assert entry["detail"]
    assert record["warnings"] == []
