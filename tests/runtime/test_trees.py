"""Real LightGBM, XGBoost and CatBoost: what is set where the program says nothing, and that it has the last word."""

import json
import os

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


def _check_overrides(record, found, where):
    """Check which switches the program has overridden with what, and that its line is a suspect then."""
    assert {one["switch"]: one["found"] for one in record["overrides"]} == found
    for name, value in found.items():
        assert (record["switches"][name]["status"], record["switches"][name]["found"]) == ("overridden", value)
    assert [(one["kind"], one["where"]) for one in record["suspects"]] == ([("switch-flipped", where)] if found else [])


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
        ("given", "found"),
        [
            ("dict(deterministic=False, nthread=4)", {"lightgbm deterministic": False, "lightgbm num_threads": 4}),
            ("dict(force_col_wise=True, num_threads=1)", {}),
            pytest.param("dict(n_jobs=-1, deterministic='true')", {}, marks=pytest.mark.long),
            pytest.param("dict(force_row_wise=False)", {"lightgbm force_row_wise": False}, marks=pytest.mark.long),
            pytest.param("dict(force_col_wise=False)", {"lightgbm force_row_wise": False}, marks=pytest.mark.long),
        ],
    )
    def test_what_the_program_decides_otherwise_is_overridden(self, make_box, given, found):
        code = f"""
import lightgbm
lightgbm.train(dict(verbose=-1, **{given}), lightgbm.Dataset(data, target), 2)
print(0)
"""
        record = _run(make_box(SMALL), code)[1]
        _check_overrides(record, found, "script.py:10")

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
        _check_overrides(record, {"catboost thread_count": 4}, "script.py:12")

    def test_so_does_cross_validation(self, make_box):
        code = """
import os, threading
import catboost
def count():
    return len(os.listdir("/proc/self/task"))
def fold(**given):
    given.update(loss_function="RMSE", verbose=False, allow_writing_files=False)
    most, done = [], threading.Event()
    def watch():
        while not done.wait(0.002):
            most.append(count())
    watcher = threading.Thread(target=watch)
    watcher.start()
    catboost.cv(catboost.Pool(data, target), given, iterations=40, fold_count=2)
    done.set()
    watcher.join()
    return max(most)
print(json.dumps([fold(thread_count=1), fold(thread_count=1), fold(), fold(thread_count=4)]))
"""
        numbers, record = _run(make_box(SMALL), code)
        # The first one starts what stays.
        assert numbers[1] == numbers[2] < numbers[3]
        assert record["overrides"] == [{"switch": "catboost thread_count", "set": 1, "found": 4}]


class TestXGBoost:
    def test_four_threads_give_one_model(self, make_box):
        code = """
import xgboost
def fit(n_jobs):
    return digest(xgboost.XGBRegressor(n_estimators=15, n_jobs=n_jobs).fit(data, target))
print(json.dumps([fit(4), fit(4), fit(4), fit(4)]))
"""
        assert len(set(_run(make_box(SMALL), code)[0])) == 1

    THREADS = """
import os, xgboost
def count():
    return len(os.listdir("/proc/self/task"))
before = count()
xgboost.train({}, xgboost.DMatrix(data, target), 3)
print(json.dumps(count() - before + 1))
"""

    def test_a_model_without_a_thread_count_has_the_runs(self, make_box):
        box = make_box(SMALL)
        threads, record = _run(box, self.THREADS)
        assert (threads, _switches(record, "xgboost")) == (1, {"nthread": ("set", 1)})
        box.env["OMP_NUM_THREADS"] = "2"
        box.contract["switches"]["threads"] = 2
        threads, record = _run(box, self.THREADS)
        # No more than there are processors.
        assert threads == min(2, len(os.sched_getaffinity(0)))
        assert _switches(record, "xgboost") == {"nthread": ("set", 2)}

    @pytest.mark.parametrize(
        ("training", "found"),
        [
            ("xgboost.train({'nthread': 4}, xgboost.DMatrix(data, target), 2)", {"xgboost nthread": 4}),
            ("xgboost.XGBRegressor(n_estimators=2, n_jobs=2).fit(data, target)", {"xgboost nthread": 2}),
            ("xgboost.XGBRegressor(n_estimators=2, n_jobs=-1).fit(data, target)", {}),
        ],
    )
    def test_one_that_the_program_gives_is_an_override(self, make_box, training, found):
        record = _run(make_box(SMALL), f"import xgboost\n{training}\nprint(0)\n")[1]
        _check_overrides(record, found, "script.py:9")


@pytest.mark.parametrize("name", ["xgboost", "catboost", "lightgbm", "sklearn", "scipy", "gymnasium", "pytensor"])
def test_what_has_no_global_seed_is_put_down_with_its_version_and_why(make_box, name):
    box = make_box(SMALL)
    (version,) = box.script(f"import {name}; print({name}.__version__)")
    record = box.record()
    entry = record["backends"][name]
    assert (entry["seed"], entry["version"], entry["when"]) == (None, version, "import")
    assert entry["detail"]
    assert record["warnings"] == []
