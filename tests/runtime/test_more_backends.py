"""Real JAX, Numba, Chainer, Theano, MXNet, Paddle and others: golden values, switches, what the record says."""

import json

import pytest

from .backend_venvs import (
    AESARA,
    CHAINER_1_17,
    CHAINERS,
    CUPY,
    OLD,
    PADDLE,
    SKLEARN_0,
    SMALL,
    TORCH,
    make_group_box,
)
from .conftest import SEED
from .trace_files import events

pytestmark = pytest.mark.network

NUMPY_32 = [0.8588892672930397, 0.37271115497527996, 0.5551287779985967]
CHAINER_32 = [
    *(-0.20143429934978485, 0.567941427230835, 0.3353959619998932),
    *(0.04057874158024788, 0.4489086866378784, 0.33599403500556946),
]


@pytest.fixture
def make_box(runtime_root, tmp_path):
    """A function: a group of packages -> a box that has them, as an image at the default level."""
    return lambda group: make_group_box(group, runtime_root, tmp_path / group.name)


def _run(box, code):
    """Return what the last line of the output says, and the record."""
    numbers = json.loads(box.script(code)[-1])
    return numbers, box.records()[-1]


def _switches(record):
    return {name: (entry["status"], entry["value"]) for name, entry in record["switches"].items()}


class TestNumba:
    def test_compiled_code_is_seeded_before_it_is_compiled(self, make_box):
        code = """
import numba, numpy
@numba.njit
def draw():
    return numpy.random.rand(), numpy.random.rand(), numpy.random.rand()
print(list(draw()))
"""
        numbers, record = _run(make_box(SMALL), code)
        assert numbers == NUMPY_32
        assert record["backends"]["numba"]["seed"] == SEED
        assert _switches(record)["environment NUMBA_NUM_THREADS"] == ("set", "1")

    def test_a_variable_that_the_program_deletes_is_overridden(self, make_box):
        box = make_box(SMALL)
        box.script("import numba, os\ndel os.environ['NUMBA_NUM_THREADS']\n")
        record = box.record()
        entry = record["switches"]["environment NUMBA_NUM_THREADS"]
        assert (entry["status"], entry["value"], entry["found"]) == ("overridden", "1", None)
        assert record["overrides"] == [{"switch": "environment NUMBA_NUM_THREADS", "set": "1", "found": None}]
        assert "environment NUMBA_NUM_THREADS is not set, no longer '1'" in [
            one["detail"] for one in record["suspects"]
        ]

    def test_it_is_what_seeding_in_compiled_code_does(self, make_box):
        code = """
import json, random
import numba
@numba.njit
def seed(number):
    random.seed(number)
@numba.njit
def draw():
    return random.random(), random.gauss(0.0, 1.0)
first = draw()
seed(32)
print(json.dumps(first == draw()))
"""
        assert _run(make_box(SMALL), code)[0] is True

    def test_a_new_thread_has_a_stream_of_its_own_that_repeats(self, make_box):
        code = """
import threading
import numba, numpy
@numba.njit
def draw():
    return numpy.random.rand()
seen = [draw()]
for _ in range(2):
    thread = threading.Thread(target=lambda: seen.append(draw()))
    thread.start()
    thread.join()
print(seen)
"""
        box = make_box(SMALL)
        first, second = (_run(box, code)[0] for _ in range(2))
        assert first == second
        assert len(set(first)) == 3

    @pytest.mark.parametrize(
        ("function", "name", "other"),
        [("numpy.random.rand", "numba", "numba.random"), ("random.random", "numba.random", "numba")],
    )
    def test_the_states_of_compiled_code_s_generators_are_in_the_trace(self, make_box, function, name, other):
        box = make_box(SMALL)
        box.env["REPROBOX_TRACE"] = "1"
        box.script(f"""
import numba, numpy, random
from reprobox_runtime import mark
@numba.njit
def draw():
    return {function}()
draw()
for draws in (0, 0, 1):
    for _ in range(draws): draw()
    mark("x", 1)
""")
        states = [one["rng"][name] for one in events(box)]
        assert states[0] == states[1] != states[2]
        assert len({one["rng"][other] for one in events(box)}) == 1
        assert box.records()[-1]["warnings"] == []

    PARALLEL = """
import json
import numba, numpy
@numba.njit(parallel=True)
def draw():
    drawn = numpy.zeros(8)
    for i in numba.prange(8):
        drawn[i] = numpy.random.rand()
    return drawn
print(json.dumps([draw().tolist(), numba.get_num_threads()]))
"""

    @pytest.mark.long
    def test_with_one_thread_what_prange_draws_repeats(self, make_box):
        box = make_box(SMALL)
        (first, threads), (second, _) = (_run(box, self.PARALLEL)[0] for _ in range(2))
        assert (first == second, threads) == (True, 1)
        assert box.records()[-1]["suspects"] == []

    def test_with_several_it_does_not_and_is_a_suspect_at_the_call_s_line(self, make_box):
        box = make_box(SMALL)
        box.env["NUMBA_NUM_THREADS"] = "2"
        box.contract["switches"]["threads"] = 2
        (first, threads), (second, _) = (_run(box, self.PARALLEL)[0] for _ in range(2))
        assert (first == second, threads) == (False, 2)
        (suspect,) = box.records()[-1]["suspects"]
        assert (suspect["kind"], suspect["where"]) == ("unseeded-generator", "script.py:10")
        assert suspect["detail"].endswith("takes its seed from the operating system")


class TestJax:
    def test_its_keys_give_what_they_always_gave(self, make_box):
        numbers, record = _run(
            make_box(SMALL), "import jax; print(jax.random.uniform(jax.random.key(32), (3,)).tolist())"
        )
        assert numbers == [0.9247291088104248, 0.9571967124938965, 0.9747416973114014]
        assert record["backends"]["jax"]["seed"] is None
        assert "no global seed" in record["backends"]["jax"]["detail"]
        assert record["switches"]["XLA_FLAGS: xla_gpu_deterministic_ops"]["status"] == "not available"

    # JAX beside a plug-in for CUDA that is nothing but its folder.
    WITH_GPU = """
import json, os, sys, tempfile
from importlib.util import find_spec
site = tempfile.mkdtemp()
os.symlink(os.path.dirname(find_spec("jax").origin), os.path.join(site, "jax"))
os.mkdir(os.path.join(site, "jax_cuda12_plugin"))
sys.path.insert(0, site)
import jax
assert jax.__file__.startswith(site)
print(json.dumps([jax.config.jax_default_matmul_precision, os.environ.get("NCCL_NVLS_ENABLE")]))
"""

    def test_on_a_gpu_it_takes_no_tf32_and_nccl_adds_up_nothing_in_switches(self, make_box):
        box = make_box(SMALL)
        found, record = _run(box, self.WITH_GPU)
        assert found == ["float32", "0"]
        assert _switches(record)["jax_default_matmul_precision"] == ("set", "float32")
        assert _switches(record)["environment NCCL_NVLS_ENABLE"] == ("set", "0")
        _, record = _run(box, "import jax; print(1)")
        assert record["switches"]["jax_default_matmul_precision"]["detail"].startswith("only of use with a GPU")
        assert "environment NCCL_NVLS_ENABLE" not in record["switches"]

    def test_what_the_spec_s_environment_says_of_them_stands_and_is_told(self, make_box):
        box = make_box(SMALL)
        box.env.update(JAX_DEFAULT_MATMUL_PRECISION="tensorfloat32", NCCL_NVLS_ENABLE="1")
        found, record = _run(box, self.WITH_GPU)
        assert found == ["tensorfloat32", "1"]
        for name in ("jax_default_matmul_precision", "environment NCCL_NVLS_ENABLE"):
            assert record["switches"][name]["status"] == "failed"
            assert any(name in warning for warning in record["warnings"])

    def test_its_older_keys_give_what_they_always_gave(self, make_box):
        code = """
import jax
jax.config.update("jax_threefry_partitionable", False)
print(jax.random.uniform(jax.random.key(32), (3,)).tolist())
"""
        assert _run(make_box(SMALL), code)[0] == [0.3260079622268677, 0.3055844306945801, 0.667937159538269]

    TRAIN = """
import json, hashlib, os
BEFORE
import jax, jax.numpy as jnp, numpy
AFTER
x, y = numpy.random.rand(4096, 64).astype("float32"), numpy.random.rand(4096, 8).astype("float32")
weights = [0.1 * numpy.random.rand(*shape).astype("float32") for shape in ((64, 256), (256, 256), (256, 8))]
def loss(weights, x, y):
    for weight in weights[:-1]:
        x = jnp.tanh(x @ weight)
    return jnp.mean((x @ weights[-1] - y) ** 2)
gradient = jax.jit(jax.grad(loss))
for _ in range(20):
    weights = [weight - 0.05 * one for weight, one in zip(weights, gradient(weights, x, y))]
print(json.dumps(hashlib.sha256(b"".join(numpy.asarray(weight).tobytes() for weight in weights)).hexdigest()))
"""

    def test_it_computes_the_same_whatever_the_number_of_cores(self, make_box):
        box = make_box(SMALL)
        one_core = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
        alone, record = _run(box, self.TRAIN.replace("BEFORE", one_core).replace("AFTER", ""))
        assert _switches(record)["environment PJRT_NPROC"] == ("set", "1")
        assert _run(box, self.TRAIN.replace("BEFORE", "").replace("AFTER", ""))[0] == alone
        threads, record = _run(box, self.TRAIN.replace("BEFORE", "").replace("AFTER", "os.environ['PJRT_NPROC'] = '4'"))
        assert threads != alone
        assert [one["switch"] for one in record["overrides"]] == ["environment PJRT_NPROC"]

    def test_what_is_marked_is_in_the_trace(self, make_box):
        box = make_box(SMALL)
        box.env["REPROBOX_TRACE"] = "1"
        box.script("""
import jax, jax.numpy as jnp
from reprobox_runtime import mark
mark("ramp", jax.jit(lambda x: 2 * x)(jnp.arange(100, dtype="float32")))
mark("halves", jnp.ones((2, 3), dtype="bfloat16"))
mark("tree", {"w": jnp.ones(2), "b": [jnp.zeros(1), 3]})
""")
        found = {one["source"]: one["tensors"] for one in events(box)}
        assert (found["ramp"][0]["dtype"], found["ramp"][0]["shape"], found["ramp"][0]["sum"]) == (
            "float32",
            [100],
            9900.0,
        )
        assert (found["halves"][0]["dtype"], found["halves"][0]["shape"]) == ("bfloat16", [2, 3])
        assert [tensor["name"] for tensor in found["tree"]] == ["tree.w", "tree.b[0]", "tree.b[1]"]
        assert box.records()[-1]["warnings"] == []


class TestForests:
    CODE = """
import json, numpy
from sklearn.ensemble import IsolationForest, RandomForestRegressor
data = numpy.sin(numpy.arange(12000.0)).reshape(4000, 3)
forest = RandomForestRegressor(40, max_depth=6, n_jobs=4).fit(data, data.sum(1))
anomalies = IsolationForest(n_estimators=40, n_jobs=4).fit(data)
seen = {forest.predict(data).tobytes() for _ in range(40)}
print(json.dumps([len(seen), forest.n_jobs, len(anomalies.score_samples(data))]))
"""

    def test_predictions_are_added_in_the_order_of_the_trees(self, make_box):
        numbers, record = _run(make_box(SMALL), self.CODE)
        assert numbers == [1, 4, 4000]
        for module in ("_forest", "_iforest"):
            name = f"sklearn.ensemble.{module}: sums in the order of the trees"
            assert _switches(record)[name] == ("set", True)
        assert record["warnings"] == []

    def test_old_versions_too(self, make_box):
        code = self.CODE.replace("IsolationForest(", 'IsolationForest(behaviour="new", ')
        numbers, record = _run(make_box(SKLEARN_0), code)
        assert numbers[0] == 1
        assert _switches(record)["sklearn.ensemble.forest: sums in the order of the trees"] == ("set", True)


@pytest.mark.long
class TestPyTorchsCompany:
    @pytest.mark.parametrize("name", ["lightning", "transformers", "accelerate"])
    def test_their_versions_are_put_down(self, make_box, name):
        box = make_box(TORCH)
        (version,) = box.script(f"import {name}; print({name}.__version__)")
        assert box.record()["backends"][name]["version"] == version

    def test_lightnings_seed_everything_takes_the_runs_seed(self, make_box):
        code = "import lightning, torch; print([lightning.seed_everything(), torch.initial_seed()])"
        assert _run(make_box(TORCH), code)[0] == [SEED, SEED]

    def test_lightnings_trainer_leaves_the_switches_alone_unless_told(self, make_box):
        code = """
import json
import lightning, torch
lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
print(json.dumps(torch.are_deterministic_algorithms_enabled()))
"""
        assert _run(make_box(TORCH), code)[0] is True


class TestChainer:
    @pytest.mark.long
    def test_version_7_draws_from_numpy_and_is_deterministic_in_every_thread(self, make_box):
        code = """
import json, os, threading
import chainer
seen = []
thread = threading.Thread(target=lambda: seen.append(chainer.config.cudnn_deterministic))
thread.start()
thread.join()
print(json.dumps([seen, os.environ["CHAINER_SEED"], chainer.links.Linear(3, 2).W.data.ravel().tolist()]))
"""
        (seen, variable, weights), record = _run(make_box(OLD), code)
        assert (seen, variable, weights) == ([True], str(SEED), CHAINER_32)
        assert _switches(record)["chainer.global_config.cudnn_deterministic"] == ("set", True)
        assert _switches(record)["chainer.global_config.autotune"] == ("set", False)
        assert record["warnings"] == []

    @pytest.mark.parametrize(
        "group", [OLD, pytest.param(CHAINERS[4], marks=pytest.mark.long)], ids=lambda group: group.name
    )
    def test_a_switch_that_the_program_changes_for_its_thread_is_noted(self, make_box, group):
        code = """
import json
import chainer
with chainer.using_config("cudnn_deterministic", False):
    pass
chainer.config.autotune = True
with chainer.using_config("train", False):
    pass
print(json.dumps([chainer.config.cudnn_deterministic, chainer.global_config.autotune]))
"""
        numbers, record = _run(make_box(group), code)
        assert numbers == [True, False]
        assert [(one["kind"], one["where"]) for one in record["suspects"]] == [
            ("switch-flipped", "script.py:4"),
            ("switch-flipped", "script.py:6"),
        ]
        # The first one was over when the program ended.
        assert record["overrides"] == [{"switch": "chainer.global_config.autotune", "set": False, "found": True}]

    @pytest.mark.long
    @pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
    def test_versions_between_draw_from_numpy_and_are_deterministic(self, make_box, number):
        numbers, record = _run(make_box(CHAINERS[number]), self.WEIGHTS)
        assert numbers == CHAINER_32
        assert _switches(record)["chainer.global_config.cudnn_deterministic"] == ("set", True)
        if number > 2:
            assert _switches(record)["chainer.global_config.autotune"] == ("set", False)
        else:
            assert record["switches"]["chainer.global_config.autotune"]["detail"].startswith("needs Chainer 3.1")
        assert record["warnings"] == []

    @pytest.mark.long
    def test_version_1_17_goes_without_cudnn(self, make_box):
        numbers, record = _run(make_box(CHAINER_1_17), self.WEIGHTS)
        assert numbers == CHAINER_32
        assert _switches(record)["environment CHAINER_CUDNN"] == ("set", "0")
        assert record["warnings"] == []

    WEIGHTS = "import chainer.links; print(chainer.links.Linear(3, 2).W.data.ravel().tolist())"

    def test_version_1_has_every_convolution_deterministic(self, make_box):
        code = """
import json
import chainer, chainer.links, numpy
layer = chainer.links.Convolution2D(1, 1, 3)
y = layer(chainer.Variable(numpy.zeros((1, 1, 5, 5), "f")))
weights = [float(w) for w in chainer.links.Linear(3, 2).W.data.ravel()]
print(json.dumps([y.creator.deterministic, layer.deterministic]))
"""
        numbers, record = _run(make_box(CHAINERS[1]), code)
        assert numbers == [True, False]
        assert _switches(record)["chainer.functions.convolution_2d(deterministic=)"] == ("set", True)
        assert record["switches"]["chainer.global_config.autotune"]["detail"].startswith("needs Chainer 3.1")

    def test_version_1_draws_from_numpy(self, make_box):
        assert _run(make_box(CHAINERS[1]), self.WEIGHTS)[0] == CHAINER_32


class TestCupy:
    """As far as it goes without a GPU."""

    def test_the_seed_of_a_device_is_ready_and_no_device_is_woken(self, make_box):
        box = make_box(CUPY)
        assert box.script("import cupy, os; print(os.environ['CUPY_SEED'], os.environ['CHAINER_SEED'])") == ["32 32"]
        record = box.record()
        entry = record["backends"]["cupy"]
        assert (entry["seed"], entry["version"]) == (SEED, "14.2.0")
        assert record["warnings"] == []

    def test_a_child_makes_generators_of_its_own(self, make_box):
        code = """
import os
import cupy
cupy.random._generator._random_states[0] = "the parent's"
if os.fork() == 0:
    print(os.environ["CUPY_SEED"] == "32", cupy.random._generator._random_states, flush=True)
    os._exit(0)
os.wait()
print(os.environ["CUPY_SEED"] == "32", cupy.random._generator._random_states)
"""
        assert make_box(CUPY).script(code) == ["False {}", 'True {0: "the parent\'s"}']

    def test_the_program_seeding_it_is_noted(self, make_box):
        box = make_box(CUPY)
        box.script(
            "import cupy\ntry:\n    cupy.random.seed(7)\nexcept Exception as error:\n    print(type(error).__name__)"
        )
        assert [one["kind"] for one in box.record()["suspects"]] == ["reseeded"]

    def test_so_is_its_seed_in_the_environment_but_not_a_child_s(self, make_box):
        box = make_box(CUPY)
        box.script("""
import cupy, os
os.environ["CUPY_SEED"] = "32"
if os.fork() == 0:
    os._exit(0)
os.wait()
os.environ["CUPY_SEED"] = "7"
del os.environ["CHAINER_SEED"]
""")
        found = [(one["kind"], one["where"], one["detail"]) for record in box.records() for one in record["suspects"]]
        assert found == [
            ("reseeded", "script.py:7", "CUPY_SEED: '7', was '32'"),
            ("reseeded", "script.py:8", "CHAINER_SEED: deleted, was '32'"),
        ]


class TestTheano:
    CODE = """
import theano
from theano.tensor.shared_randomstreams import RandomStreams
print(theano.function([], RandomStreams(32).uniform((3,), dtype="float32"))().tolist())
"""

    def test_its_streams_give_what_they_always_gave_and_its_flags_are_set(self, make_box):
        box = make_box(OLD)
        box.env["THEANO_FLAGS"] = "cxx=,floatX=float32"
        numbers, record = _run(box, self.CODE)
        assert numbers == [0.2992623746395111, 0.504647433757782, 0.8544368147850037]
        assert (
            _switches(record).items()
            >= {
                "theano.config.deterministic": ("set", "more"),
                "theano.config.dnn.conv.algo_bwd_data": ("set", "deterministic"),
                "theano.config.dnn.conv.algo_bwd_filter": ("set", "deterministic"),
            }.items()
        )
        assert record["warnings"] == []


class TestAesara:
    def test_it_is_met_as_pytensor_is_and_its_unseeded_streams_repeat(self, make_box):
        code = """
import aesara
from aesara.tensor.random.utils import RandomStream
print(aesara.function([], RandomStream().uniform(size=(3,)), mode="FAST_COMPILE")().tolist())
"""
        box = make_box(AESARA)
        box.env["AESARA_FLAGS"] = "cxx="
        (first, record), (second, _) = _run(box, code), _run(box, code)
        assert first == second
        assert record["backends"]["pytensor"]["version"] == "aesara 2.9.4"


class TestMxnet:
    def test_it_is_seeded_and_its_variables_are_there(self, make_box):
        code = "import mxnet; print(mxnet.nd.random.uniform(shape=3).asnumpy().tolist())"
        numbers, record = _run(make_box(OLD), code)
        assert numbers == [0.3726349174976349, 0.6618531346321106, 0.31733039021492004]
        assert (
            _switches(record).items()
            >= {
                "environment MXNET_CUDNN_AUTOTUNE_DEFAULT": ("set", "0"),
                "environment MXNET_ENFORCE_DETERMINISM": ("set", "1"),
                "environment MXNET_USE_OPERATOR_TUNING": ("set", "0"),
            }.items()
        )

    def test_a_variable_that_the_image_lacks_is_a_warning(self, make_box):
        box = make_box(OLD)
        del box.env["MXNET_USE_OPERATOR_TUNING"]
        box.script("import mxnet")
        (warning,) = box.record()["warnings"]
        assert "MXNET_USE_OPERATOR_TUNING not set" in warning

    def test_the_program_seeding_it_is_noted(self, make_box):
        box = make_box(OLD)
        box.script("import mxnet\nmxnet.random.seed(7)")
        assert [one["kind"] for one in box.record()["suspects"]] == ["reseeded"]


@pytest.mark.long
class TestPaddle:
    def test_it_is_seeded_and_a_build_without_cuda_lacks_the_flags(self, make_box):
        numbers, record = _run(make_box(PADDLE), "import paddle; print(paddle.rand([3]).tolist())")
        assert numbers == pytest.approx([0.2283237874507904, 0.5975658297538757, 0.3190169632434845], abs=0)
        assert record["switches"]["FLAGS_cudnn_deterministic"]["detail"] == "only in builds for CUDA"
        assert record["warnings"] == []
