"""Generators that nobody seeds: each has its own stream, the same in every run, and is noted; so is re-seeding."""

import json

import pytest

from .conftest import SEED, make_contract

RANDOM_32 = 0.07742178385330412


def _draw(box, code):
    """Run ``code`` twice; return what it printed, which must be the same."""
    first, second = (json.loads(box.script(code)[-1]) for _ in range(2))
    assert first == second
    return first


def _suspects(box):
    """Return what the first process noted, as "kind where"."""
    return [f"{one['kind']} {one['where']}" for one in box.records()[0]["suspects"]]


def _details(box):
    return [one["detail"] for one in box.records()[0]["suspects"]]


def test_each_generator_has_a_stream_of_its_own_that_repeats(box):
    drawn = _draw(box, "import random\nprint([random.Random().random() for _ in range(3)] + [random.random()])")
    assert len(set(drawn)) == 4
    assert drawn[-1] == RANDOM_32
    suspects = box.records()[0]["suspects"]
    assert [(one["kind"], one["where"], one["count"]) for one in suspects] == [("unseeded-generator", "script.py:2", 3)]


def test_at_level_off_it_is_random(box):
    box.contract = make_contract("off")
    code = "import random; print(random.Random().random())"
    assert box.script(code) != box.script(code)


def test_a_generator_with_a_seed_is_as_it_was_and_nothing_is_noted(box):
    code = "import random; print([random.Random(0).random(), random.Random('reprobox').random()])"
    assert _draw(box, code) == [0.8444218515250481, 0.21534797335808042]
    assert _suspects(box) == []


def test_a_subclass_is_seeded_and_noted_too(box):
    code = """
import random
class Mine(random.Random):
    def __init__(self):
        super().__init__()
print([Mine().random(), Mine().random()])
"""
    assert len(set(_draw(box, code))) == 2
    assert _suspects(box) == ["unseeded-generator script.py:5"]


def test_copies_and_pickles_of_a_seeded_generator_are_no_suspects(box):
    code = """
import copy, pickle, random
seeded = random.Random(5)
others = [copy.copy(seeded), copy.deepcopy(seeded), pickle.loads(pickle.dumps(seeded))]
print([other.random() for other in others] + [seeded.random()])
"""
    assert len(set(_draw(box, code))) == 1
    assert _suspects(box) == []


def test_names_of_temporary_files_stay_unforeseeable_and_are_not_noted(box):
    code = """
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    print(os.path.basename(folder))
"""
    assert box.script(code) != box.script(code)
    assert _suspects(box) == []


def test_the_systems_own_generator_is_left_alone(box):
    code = "import random; print(random.SystemRandom().random())"
    assert box.script(code) != box.script(code)


def test_seeding_again_is_noted_with_its_line_and_not_fought(box):
    code = """
import random
random.seed(32)
random.seed(0)
print([random.random()])
"""
    assert _draw(box, code) == [0.8444218515250481]
    assert _suspects(box) == ["reseeded script.py:4"]


def test_seeding_from_the_clock_is_noted_as_such(box):
    box.script("import random, time\nrandom.seed(time.time())\nrandom.seed(int(time.time() * 1000))")
    assert _suspects(box) == ["clock-seed script.py:2", "clock-seed script.py:3"]


def test_seeding_from_entropy_is_noted_and_repeats(box):
    drawn = _draw(
        box, "import random\nrandom.seed()\nfirst = random.random()\nrandom.seed(None)\nprint([first, random.random()])"
    )
    assert len({*drawn, RANDOM_32}) == 3
    assert _suspects(box) == ["unseeded-generator script.py:2", "unseeded-generator script.py:4"]
    assert _details(box) == ["random.seed() without a seed"] * 2


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_have_streams_of_their_own(box, method):
    code = f"""
import multiprocessing, random
at_import = random.Random().random()
def work(queue):
    queue.put([at_import, random.Random().random()])
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    queue = context.SimpleQueue()
    found = [at_import]
    for _ in range(2):
        process = context.Process(target=work, args=(queue,))
        process.start()
        process.join()
    print(found + sum([queue.get() for _ in range(2)], []))
"""
    main, first_import, first, second_import, second = _draw(box, code)
    assert len({main, first, second}) == 3
    if method == "spawn":
        assert len({main, first_import, second_import}) == 3


class TestNumpy:
    pytestmark = pytest.mark.network

    CODE = """
import numpy
from numpy.random import PCG64, RandomState, SeedSequence, default_rng
print([default_rng().random(), default_rng().random(), RandomState().rand(), float(PCG64().random_raw()),
       float(SeedSequence().entropy), numpy.random.rand()])
"""

    def test_each_generator_has_a_stream_of_its_own_that_repeats(self, numpy_box):
        drawn = _draw(numpy_box, self.CODE)
        assert len(set(drawn)) == 6
        assert drawn[-1] == 0.8588892672930397
        assert {text.split()[0] for text in _suspects(numpy_box)} == {"unseeded-generator"}
        assert sum(one["count"] for one in numpy_box.records()[0]["suspects"]) == 5

    @pytest.mark.parametrize(
        ("version", "made"),
        [("1.16.6", "made.RandomState().rand()"), ("1.18.5", "made.RandomState().rand(), made.default_rng().random()")],
    )
    def test_old_versions_too(self, framework_box, version, made):
        box = framework_box("3.6", f"numpy=={version}")
        drawn = _draw(box, f"import numpy.random as made\nprint([{made}, {made}, made.RandomState(5).rand()])")
        assert len(set(drawn)) == len(drawn)
        (suspect,) = box.records()[0]["suspects"]
        assert (suspect["kind"], suspect["where"], suspect["count"]) == (
            "unseeded-generator",
            "script.py:2",
            len(drawn) - 1,
        )

    @pytest.mark.parametrize(
        ("version", "what"), [("1.16.6", "numpy.random.seed()"), ("1.18.5", "a generator of numpy.random")]
    )
    def test_the_global_one_seeded_without_a_seed_has_a_stream_too(self, framework_box, version, what):
        box = framework_box("3.6", f"numpy=={version}")
        code = """
import numpy.random
numpy.random.seed()
first = numpy.random.rand()
numpy.random.seed(None)
print([first, numpy.random.rand()])
"""
        assert len({*_draw(box, code), 0.8588892672930397}) == 3
        assert _details(box) == [f"{what} without a seed"] * 2
        box.contract = make_contract("off")
        assert box.script(code) != box.script(code)

    def test_at_level_off_they_are_random(self, numpy_box):
        numpy_box.contract = make_contract("off")
        code = "import numpy; print(numpy.random.default_rng().random())"
        assert numpy_box.script(code) != numpy_box.script(code)

    def test_copies_and_pickles_are_no_suspects(self, numpy_box):
        code = """
import copy, numpy, pickle
for one in (numpy.random.default_rng(5), numpy.random.RandomState(5)):
    others = [copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    assert {type(other) for other in others} == {type(one)}
    assert len({other.random() if hasattr(one, "integers") else other.rand() for other in others + [one]}) == 1
assert pickle.loads(pickle.dumps(numpy.random.seed)) is numpy.random.seed
print([numpy.random.default_rng(32).random(), numpy.random.default_rng(5).spawn(1)[0].random()
       if hasattr(numpy.random.default_rng(5), "spawn") else 0])
"""
        assert _draw(numpy_box, code)[0] == 0.16024283037476805
        assert _suspects(numpy_box) == []

    def test_seeding_again_is_noted(self, numpy_box):
        code = f"""
import numpy
numpy.random.seed({SEED})
numpy.random.seed(1337)
numpy.random.seed(numpy.int64(7))
numpy.random.seed([1, 2])
numpy.random.seed()
print([numpy.random.rand()])
"""
        _draw(numpy_box, code)
        assert _suspects(numpy_box) == [
            "reseeded script.py:4",
            "reseeded script.py:5",
            "reseeded script.py:6",
            "unseeded-generator script.py:7",
        ]

    def test_workers_have_streams_of_their_own(self, numpy_box):
        code = """
import multiprocessing, numpy
def work(queue):
    queue.put(numpy.random.default_rng().random())
if __name__ == "__main__":
    found = []
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        process.join()
        found.append(queue.get())
    print(found + [numpy.random.default_rng().random()])
"""
        assert len(set(_draw(numpy_box, code))) == 3


class TestTorch:
    pytestmark = pytest.mark.network

    def test_a_generator_without_a_seed_is_noted_where_it_is_made(self, torch_box):
        code = """
import torch
unseeded, unused, seeded = torch.Generator(), torch.Generator(), torch.Generator().manual_seed(5)
print(torch.rand(2, generator=unseeded).tolist() + torch.rand(1, generator=seeded).tolist())
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(4)), shuffle=True)
list(loader)
"""
        assert torch_box.script(code) == ["[0.267295241355896, 0.8725283145904541, 0.8302518725395203]"]
        assert _suspects(torch_box) == ["unseeded-generator script.py:3"]

    def test_seeding_again_is_noted(self, torch_box):
        code = """
import torch
torch.manual_seed(32)
torch.manual_seed(5)
torch.seed()
torch.cuda.manual_seed_all(5)
"""
        torch_box.script(code)
        assert _suspects(torch_box) == [
            "reseeded script.py:4",
            "unseeded-generator script.py:5",
            "reseeded script.py:6",
        ]
        assert _details(torch_box)[1] == "torch.seed() takes its seed from the operating system"

    def test_loaders_seeding_their_workers_are_no_suspects(self, torch_box):
        code = """
import torch
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(4)), num_workers=2)
list(loader)
"""
        torch_box.script(code)
        assert [record["suspects"] for record in torch_box.records()] == [[], [], []]

    def test_switches_changed_back_are_noted_with_their_lines(self, torch_box):
        code = """
import torch
torch.use_deterministic_algorithms(True)
torch.use_deterministic_algorithms(False)
torch.backends.cudnn.benchmark = True
torch.set_num_threads(2)
torch.backends.cuda.matmul.allow_tf32 = True
"""
        torch_box.script(code)
        assert _suspects(torch_box) == [
            "switch-flipped script.py:4",
            "switch-flipped script.py:5",
            "switch-flipped script.py:6",
            # No function of PyTorch's sees this one: the end of the process does.
            "switch-flipped ",
        ]
        switches = torch_box.record()["switches"]
        assert {name for name, entry in switches.items() if entry["status"] == "overridden"} == {
            # The public function of the other one changes it too.
            "torch._inductor.config.deterministic",
            "torch.backends.cuda.matmul.allow_tf32",
            "torch.backends.cudnn.benchmark",
            "torch.set_num_threads",
            "torch.use_deterministic_algorithms",
        }
        assert switches["torch.set_num_threads"]["found"] == 2

    def test_compiled_code_has_its_generators_as_before(self, torch_box):
        code = """
import torch
def draw(x):
    generator = torch.Generator()
    generator.manual_seed(4)
    return x + torch.rand(3, generator=generator)
print(torch.equal(torch.compile(draw, backend="aot_eager")(torch.zeros(3)), draw(torch.zeros(3))))
"""
        assert torch_box.script(code) == ["True"]


class TestTensorflow:
    pytestmark = pytest.mark.network

    def test_the_global_generator_repeats_where_op_determinism_allows_it(self, tensorflow_box):
        tensorflow_box.contract = make_contract("seeded")
        code = """
import tensorflow as tf
made = tf.random.Generator.from_non_deterministic_state()
print(tf.random.get_global_generator().uniform((2,)).numpy().tolist() + made.uniform((2,)).numpy().tolist())
"""
        assert len(set(_draw(tensorflow_box, code))) == 4
        assert _suspects(tensorflow_box) == ["unseeded-generator script.py:3", "unseeded-generator script.py:4"]
        assert _details(tensorflow_box) == ["tf.random.Generator without a seed"] * 2

    def test_seeding_again_is_noted(self, tensorflow_box):
        code = """
import tensorflow as tf
tf.random.set_seed(32)
tf.random.set_seed(5)
with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(7)
tf.function(lambda: tf.random.uniform((3,)))()
"""
        tensorflow_box.script(code)
        assert _suspects(tensorflow_box) == ["reseeded script.py:4", "reseeded script.py:6"]
