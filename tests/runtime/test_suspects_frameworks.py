"""Suspects in programs that use NumPy, PyTorch and TensorFlow; their wheels are fetched once and kept."""

import pytest

from .backend_venvs import SMALL, make_group_box
from .conftest import make_contract
from .test_suspects import list_suspects

pytestmark = pytest.mark.network

TORCH_CLEAN = """\
import json, tempfile
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

class Noisy(Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, index):
        return torch.tensor(np.random.normal(size=4) + index, dtype=torch.float32), index % 2

if __name__ == "__main__":
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), folder + "/model.pt")
        model.load_state_dict(torch.load(folder + "/model.pt"))
    print("done")
"""
TORCH_LEAKS = """\
import time, torch
torch.set_num_threads(2)
torch.use_deterministic_algorithms(True, warn_only=True)
x = torch.zeros(4)
x.put_(torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))
torch.manual_seed(int(time.time()))
torch.manual_seed(7)
torch.seed()
torch.backends.cudnn.benchmark = True
torch.use_deterministic_algorithms(True)
def step():
    x.put_(torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))
step()
"""
KERAS_CLEAN = """\
import tempfile
import keras, numpy as np
x = np.arange(9, dtype="float32")[:, None]
layers = keras.layers
model = keras.Sequential([keras.Input((1,)), layers.Dense(10), layers.Dropout(0.1), layers.Dense(1)])
model.compile(loss="mean_squared_error", optimizer="adam")
model.fit(x, x, epochs=2, batch_size=4, verbose=0, validation_split=0.2)
with tempfile.TemporaryDirectory() as folder:
    model.save(folder + "/model.keras")
    keras.models.load_model(folder + "/model.keras")
print("done")
"""
NUMPY_CLEAN = """\
import tempfile
import numpy as np
rows = np.random.rand(50, 50) + np.random.default_rng(3).random((50, 50))
with tempfile.TemporaryDirectory() as folder:
    np.savez(folder + "/rows.npz", *np.linalg.svd(rows))
    np.load(folder + "/rows.npz").close()
print("done")
"""
NUMPY_LEAKS = """\
import numpy as np
x = np.random.default_rng()
x = np.random.RandomState()
np.random.seed(5)
np.random.seed()
"""
SCIENCE_CLEAN = """\
import warnings
warnings.simplefilter("ignore")
import matplotlib
matplotlib.use("Agg")
import catboost, gymnasium, jax, joblib, lightgbm, numba, xgboost
import matplotlib.pyplot as plt
import numpy as np, pandas as pd
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score, train_test_split

def main():
    x = np.random.rand(80, 5)
    y = (x.sum(1) > 2.5).astype(int)
    a, b, c, d = train_test_split(x, y)
    model = RandomForestClassifier(10, n_jobs=2)
    model.fit(a, c).score(b, d)
    cross_val_score(model, x, y, n_jobs=2)
    KMeans(2).fit(a)
    xgboost.XGBClassifier(n_estimators=2).fit(a, c)
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(a, c)
    catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False).fit(a, c)
    table = pd.DataFrame(x).sample(50)
    table.to_csv("table.csv")
    pd.read_csv("table.csv")
    stats.bootstrap((x[:, 0],), np.mean, n_resamples=20, random_state=1)
    plt.plot([1, 2])
    plt.savefig("plot.png")
    joblib.dump(model, "model.joblib")
    joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(number) for number in range(4))
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=1)
    env.action_space.seed(1)
    env.step(env.action_space.sample())
    jax.random.uniform(jax.random.key(0), (2,))
    numba.njit(lambda: np.random.rand())()
    print("done")

main()
"""
SCIENCE_LEAKS = """\
import gymnasium, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
env = gymnasium.make("CartPole-v1")
env.reset()
plt.fill_between([1, 2], [1, 2])
plt.savefig("plot.svg")
"""


def test_a_clean_program_with_numpy_has_none(numpy_box):
    assert numpy_box.script(NUMPY_CLEAN) == ["done"]
    assert list_suspects(numpy_box) == []


def test_generators_of_numpy_without_a_seed_are_found(numpy_box):
    numpy_box.script(NUMPY_LEAKS)
    assert list_suspects(numpy_box) == [
        ("reseeded", "script.py:4", 1),
        *(("unseeded-generator", f"script.py:{line}", 1) for line in (2, 3, 5)),
    ]


@pytest.mark.parametrize("seeded", [False, True])
def test_numpys_global_generator_is_found_at_off_where_nobody_has_seeded_it(numpy_box, seeded):
    numpy_box.contract = make_contract("off")
    numpy_box.env["REPROBOX_WATCH"] = "1"
    # On one line: NumPy 2 imports numpy.random when it is first used.
    numpy_box.script(f"import numpy as np; {'np.random.seed(32); ' if seeded else ''}np.random.rand()\n")
    assert list_suspects(numpy_box) == ([] if seeded else [("unseeded-generator", "script.py:1", 1)])


def test_a_clean_program_with_pytorch_has_none(torch_box):
    assert torch_box.script(TORCH_CLEAN) == ["done"]
    assert list_suspects(torch_box) == []


def test_leaks_of_pytorch_are_found_at_their_lines(torch_box):
    (torch_box.work / "script.py").write_text(TORCH_LEAKS)
    done = torch_box.run(str(torch_box.python), "script.py", check=False)
    assert "does not have a deterministic implementation" in done.stderr
    assert list_suspects(torch_box) == [
        ("clock-seed", "script.py:6", 1),
        ("nondeterministic-kernel", "script.py:12", 1),
        ("nondeterministic-kernel", "script.py:5", 1),
        ("reseeded", "script.py:7", 1),
        ("switch-flipped", "script.py:2", 1),
        ("switch-flipped", "script.py:3", 1),
        ("switch-flipped", "script.py:9", 1),
        ("unseeded-generator", "script.py:8", 1),
    ]


def test_a_clean_program_with_keras_on_tensorflow_has_none(tensorflow_box):
    assert tensorflow_box.script(KERAS_CLEAN) == ["done"]
    assert list_suspects(tensorflow_box) == []


def test_an_operation_that_tensorflow_refuses_without_a_seed_is_found(tensorflow_box):
    code = "import tensorflow as tf\ntf.random.set_seed(None)\nprint(tf.random.uniform((2,)))\n"
    (tensorflow_box.work / "script.py").write_text(code)
    done = tensorflow_box.run(str(tensorflow_box.python), "script.py", check=False)
    assert done.returncode == 1
    assert ("unseeded-generator", "script.py:3", 1) in list_suspects(tensorflow_box)


@pytest.fixture
def science_box(runtime_root, tmp_path):
    return make_group_box(SMALL, runtime_root, tmp_path)


def test_a_clean_program_with_much_of_the_rest_has_none(science_box):
    assert science_box.script(SCIENCE_CLEAN)[-1] == "done"
    assert list_suspects(science_box) == []


def test_what_packages_do_on_behalf_of_the_program_is_found_at_its_lines(science_box):
    science_box.script(SCIENCE_LEAKS)
    found = [(kind, where) for kind, where, _ in list_suspects(science_box)]
    assert found == [("os-entropy", "script.py:7"), ("unseeded-generator", "script.py:5")]
