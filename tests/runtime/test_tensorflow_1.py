"""Graphs and sessions: TensorFlow 1, ``tf.compat.v1`` under TensorFlow 2, and what is between."""

import json

import pytest

from .backend_venvs import TENSORFLOW_1 as TENSORFLOW_1_GROUP
from .backend_venvs import make_group_box
from .conftest import SEED
from .venvs import KERAS_2, TENSORFLOW_1

pytestmark = pytest.mark.network

GRAPHS = """
import json
import tensorflow as tf
tf1 = tf.compat.v1 if hasattr(tf, "compat") and hasattr(tf.compat, "v1") else tf

def draw(**options):
    with tf.Graph().as_default():
        numbers = tf1.random_uniform((3,))
        with tf1.Session(**options) as session:
            config = session._config
            return (session.run(numbers).tolist(), config.intra_op_parallelism_threads,
                    config.inter_op_parallelism_threads)

two = tf1.ConfigProto(intra_op_parallelism_threads=2, allow_soft_placement=True)
print(json.dumps([draw(), draw(), draw(config=tf1.ConfigProto()), draw(config=two)]))
"""
SESSIONS = """
import json
import tensorflow as tf
tf1 = tf.compat.v1 if hasattr(tf, "compat") and hasattr(tf.compat, "v1") else tf

def describe(numbers, config):
    return numbers.tolist(), config.intra_op_parallelism_threads, config.inter_op_parallelism_threads

def draw_interactively(**options):
    with tf.Graph().as_default():
        numbers = tf1.random_uniform((3,))
        session = tf1.InteractiveSession(**options)
        found = describe(numbers.eval(), session._config)
        session.close()
        return found

def draw_monitored(make):
    with tf.Graph().as_default():
        numbers = tf1.random_uniform((3,))
        tf1.train.get_or_create_global_step()
        with make() as session:
            return describe(session.run(numbers), session._tf_sess()._config)

train = tf1.train
two = tf1.ConfigProto(intra_op_parallelism_threads=2)
print(json.dumps([
    draw_interactively(),
    draw_interactively(config=tf1.ConfigProto(allow_soft_placement=True)),
    draw_monitored(train.MonitoredSession),
    draw_monitored(train.SingularMonitoredSession),
    draw_monitored(train.MonitoredTrainingSession),
    draw_monitored(lambda: train.MonitoredTrainingSession(config=two)),
]))
"""
GOLDEN = [0.27722787857055664, 0.5385162830352783, 0.33469295501708984]
"""What TensorFlow 1.15.5 draws first with seed 32."""
TENSORFLOWS = {
    "1.1.0": ("3.6", KERAS_2),
    "1.15.5": ("3.6", TENSORFLOW_1),
    "2.5.3": ("3.8", ("tensorflow-cpu==2.5.3", "protobuf==3.19.6")),
}


@pytest.fixture
def make_box(framework_box):
    def make(version):
        python, requirements = TENSORFLOWS[version]
        box = framework_box(python, *requirements)
        box.env.update(TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
        return box

    return make


def _draw(box, code):
    first, second = (json.loads(box.script(code)[-1]) for _ in range(2))
    assert first == second
    return first


def _check_graphs(box):
    drawn = _draw(box, GRAPHS)
    assert len({str(numbers) for numbers, _, _ in drawn}) == 1
    assert [threads for _, *threads in drawn] == [[1, 1], [1, 1], [1, 1], [2, 1]]
    record = box.records()[0]
    threads = record["switches"]["tf.compat.v1.Session threads"]
    assert (threads["status"], threads["value"], threads["found"]) == ("overridden", 1, 2)
    assert record["overrides"] == [{"switch": "tf.compat.v1.Session threads", "set": 1, "found": 2}]
    assert [one["kind"] for one in record["suspects"]] == ["switch-flipped"]
    assert record["warnings"] == []
    box.contract["seed"] = SEED + 1
    assert _draw(box, GRAPHS)[0][0] != drawn[0][0]
    return drawn[0][0]


@pytest.mark.long
def test_every_graph_is_seeded_and_every_session_has_the_threads_under_compat_v1(tensorflow_box):
    _check_graphs(tensorflow_box)


@pytest.mark.parametrize(
    "version", ["1.1.0", *(pytest.param(one, marks=pytest.mark.long) for one in ("1.15.5", "2.5.3"))]
)
def test_every_graph_is_seeded_and_every_session_has_the_threads(make_box, version):
    drawn = _check_graphs(make_box(version))
    assert version != "1.15.5" or drawn == GOLDEN


@pytest.mark.parametrize(
    "version", ["1.1.0", *(pytest.param(one, marks=pytest.mark.long) for one in ("1.15.5", "2.5.3"))]
)
def test_sessions_of_every_kind_have_the_threads_and_seeded_graphs(make_box, version):
    box = make_box(version)
    drawn = _draw(box, SESSIONS)
    assert [threads for _, *threads in drawn] == [[1, 1]] * 5 + [[2, 1]]
    assert len({str(numbers) for numbers, _, _ in drawn[:2]}) == 1
    assert version != "1.15.5" or drawn[0][0] == GOLDEN
    assert [one["kind"] for one in box.records()[0]["suspects"]] == ["switch-flipped"]


@pytest.mark.long
def test_a_graph_that_the_program_seeds_has_its_seed_and_is_noted(make_box):
    code = """
import json
import tensorflow as tf
tf.set_random_seed(7)
first = tf.Session().run(tf.random_uniform((1,)))
tf.reset_default_graph()
second = tf.Session().run(tf.random_uniform((1,)))
print(json.dumps([float(first[0]), float(second[0])]))
"""
    box = make_box("1.15.5")
    first, second = _draw(box, code)
    assert (first != second, second) == (True, GOLDEN[0])
    assert [(one["kind"], one["where"]) for one in box.records()[0]["suspects"]] == [("reseeded", "script.py:4")]


@pytest.mark.long
def test_the_variables_of_cudnn_are_there_before_the_process(runtime_root, tmp_path):
    box = make_group_box(TENSORFLOW_1_GROUP, runtime_root, tmp_path)
    assert box.env["TF_CUDNN_DETERMINISTIC"] == "1"
    box.script("import tensorflow")
    entry = box.record()["switches"]["environment TF_CUDNN_DETERMINISTIC"]
    assert (entry["status"], entry["value"]) == ("set", "1")


@pytest.mark.long
def test_eager_execution_can_be_enabled_and_is_seeded(make_box):
    code = """
import json
import tensorflow as tf
tf.enable_eager_execution(config=tf.ConfigProto(allow_soft_placement=True))
from tensorflow.python.eager import context
print(json.dumps([tf.random.uniform((3,)).numpy().tolist(), context.context().config.inter_op_parallelism_threads]))
"""
    assert _draw(make_box("1.15.5"), code) == [[0.5452059507369995, 0.13372337818145752, 0.4523266553878784], 1]


def test_the_tutorial_of_2017_is_the_same_to_the_last_bit_without_a_session_of_its_own(make_box):
    """Its published numbers are 0.224045112999 and 0.00154879478823: with other threads, each run gave others."""
    code = """
import json
from numpy.random import seed
seed(1)
from tensorflow import set_random_seed
set_random_seed(2)
import numpy
from keras.layers import Dense
from keras.models import Sequential

def fit():
    model = Sequential([Dense(10, input_dim=1), Dense(1)])
    model.compile(loss="mean_squared_error", optimizer="adam")
    model.fit(x, y, epochs=100, batch_size=len(x), verbose=0)
    return float(((y - model.predict(x, verbose=0)[:, 0]) ** 2).mean())

numbers = numpy.arange(10) / 10.0
x, y = numbers[:-1].reshape(-1, 1), numbers[1:]
print(json.dumps([fit(), fit()]))
"""
    box = make_box("1.1.0")
    box.env["KERAS_BACKEND"] = "tensorflow"
    assert _draw(box, code) == pytest.approx([0.224316077601775, 0.001516510979205573], rel=1e-6)


@pytest.mark.long
def test_switches_of_other_versions_are_not_available_with_what_stands_in_for_them(make_box):
    box = make_box("2.5.3")
    box.script("import tensorflow")
    switches = box.record()["switches"]
    missing = switches["tf.config.experimental.enable_op_determinism"]
    assert (missing["status"], missing["detail"]) == (
        "not available",
        "needs TensorFlow 2.8; TF_DETERMINISTIC_OPS=1 stands in for it since 2.1",
    )
    for name in ("TF_DETERMINISTIC_OPS", "TF_CUDNN_USE_FRONTEND"):
        assert (switches[f"environment {name}"]["status"], switches[f"environment {name}"]["value"]) == ("set", "1")
    assert "environment TF_CUDNN_DETERMINISTIC" not in switches


@pytest.mark.long
def test_a_variable_that_the_runtime_has_set_and_the_program_deletes_is_overridden(make_box):
    box = make_box("2.5.3")
    box.script("import os, tensorflow\ndel os.environ['TF_CUDNN_USE_FRONTEND']")
    entry = box.record()["switches"]["environment TF_CUDNN_USE_FRONTEND"]
    assert (entry["status"], entry["found"]) == ("overridden", None)
