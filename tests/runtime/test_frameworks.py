"""Real NumPy, PyTorch and TensorFlow; their wheels are fetched once and kept."""

import json

import pytest

from .conftest import SEED, make_contract

pytestmark = pytest.mark.network

NUMPY_32 = [0.8588892672930397, 0.37271115497527996, 0.5551287779985967]
TORCH_32 = [0.8756536841392517, 0.27206677198410034, 0.4140551686286926]
TENSORFLOW_32 = [0.5452059507369995, 0.13372337818145752, 0.4523266553878784]


def _numbers(box, code):
    return json.loads(box.script(code)[-1])


class TestNumpy:
    def test_the_legacy_generator_is_seeded(self, numpy_box):
        assert _numbers(numpy_box, "import numpy; print(numpy.random.rand(3).tolist())") == NUMPY_32
        entry = numpy_box.record()["backends"]["numpy"]
        assert entry["seed"] == SEED
        assert entry["version"].startswith(("1.", "2."))

    def test_it_is_seeded_however_it_is_imported(self, numpy_box):
        for place in ("numpy.random", "numpy.random.mtrand"):
            assert _numbers(numpy_box, f"from {place} import rand; print(rand(3).tolist())") == NUMPY_32

    def test_importing_something_else_does_not_import_it(self, numpy_box):
        code = "import random, sys, json, multiprocessing.util; print('numpy' in sys.modules)"
        assert numpy_box.script(code) == ["False"]

    def test_at_level_off_it_is_random(self, numpy_box):
        numpy_box.contract = make_contract("off")
        code = "import numpy; print(numpy.random.rand(3).tolist())"
        assert numpy_box.script(code) != numpy_box.script(code)

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_workers_differ_and_repeat(self, numpy_box, method):
        code = f"""
import multiprocessing, numpy
def work(queue):
    queue.put(float(numpy.random.rand()))
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    queue = context.SimpleQueue()
    for _ in range(3):
        process = context.Process(target=work, args=(queue,))
        process.start()
        process.join()
    print([queue.get() for _ in range(3)], float(numpy.random.rand()))
"""
        first = numpy_box.script(code)
        assert first == numpy_box.script(code)
        assert len(set(json.loads(first[0].split("] ")[0] + "]"))) == 3
        assert first[0].endswith(str(NUMPY_32[0]))


class TestTorch:
    def test_it_is_seeded_and_its_switches_are_set(self, torch_box):
        assert _numbers(torch_box, "import torch; print(torch.rand(3).tolist())") == TORCH_32
        record = torch_box.record()
        assert record["backends"]["torch"]["seed"] == SEED
        assert {name: (entry["status"], entry["value"]) for name, entry in record["switches"].items()} == {
            "PYTHONHASHSEED": ("set", 32),
            "torch.backends.cuda.matmul.allow_tf32": ("set", False),
            "torch.backends.cudnn.allow_tf32": ("set", False),
            "torch.backends.cudnn.benchmark": ("set", False),
            "torch.backends.cudnn.deterministic": ("set", True),
            "torch.set_num_interop_threads": ("set", 1),
            "torch.set_num_threads": ("set", 1),
            "torch.use_deterministic_algorithms": ("set", True),
            "torch.utils.deterministic.fill_uninitialized_memory": ("set", False),
        }
        assert record["overrides"] == []
        assert record["warnings"] == []

    def test_inductor_is_not_imported_and_made_deterministic_when_it_is(self, torch_box):
        code = """
import sys, torch
print(torch.are_deterministic_algorithms_enabled(), "torch._inductor.config" in sys.modules)
import torch._inductor.config
print(torch._inductor.config.deterministic)
"""
        assert torch_box.script(code) == ["True False", "True"]

    def test_what_the_public_function_sets_is_what_is_set(self, torch_box):
        code = """
import torch, torch._inductor.config as config
def read():
    return torch.get_deterministic_debug_mode(), config.deterministic
before = read()
torch.use_deterministic_algorithms(True)
print(before == read(), before)
"""
        assert torch_box.script(code) == ["True (2, True)"]

    def test_the_seeded_level_sets_no_switch(self, torch_box):
        torch_box.contract = make_contract("seeded")
        code = "import torch; print(torch.rand(3).tolist()); print(torch.are_deterministic_algorithms_enabled())"
        assert torch_box.script(code) == [str(TORCH_32), "False"]
        assert list(torch_box.record()["switches"]) == ["PYTHONHASHSEED"]

    def test_a_users_own_thread_call_does_not_fail_and_is_an_override(self, torch_box):
        torch_box.script("import torch; torch.set_num_threads(2)")
        overrides = torch_box.record()["overrides"]
        assert overrides == [{"switch": "torch.set_num_threads", "set": 1, "found": 2}]

    def test_a_call_that_pytorch_takes_once_does_not_fail_and_that_it_has_no_effect_is_noted(self, torch_box):
        code = """
import torch
torch.set_num_interop_threads(1)
torch.set_num_interop_threads(2)
print(torch.get_num_interop_threads())
"""
        assert torch_box.script(code) == ["1"]
        (suspect,) = torch_box.record()["suspects"]
        assert (suspect["kind"], suspect["where"]) == ("switch-flipped", "script.py:4")
        assert suspect["detail"].startswith("torch.set_num_interop_threads(2) has no effect")

    @pytest.mark.long
    def test_loader_workers_differ_and_repeat(self, torch_box):
        code = """
import numpy, random, torch
class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return index, torch.rand(1).item(), random.random(), numpy.random.rand()
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        loader = torch.utils.data.DataLoader(Data(), num_workers=2, shuffle=True, multiprocessing_context=method)
        for epoch in range(2):
            print([[float(item) for item in row] for row in loader])
"""
        first = torch_box.script(code)
        assert first == torch_box.script(code)
        draws = [number for line in first for row in json.loads(line) for number in row[1:]]
        assert len(set(draws)) == len(draws)

    def test_plain_workers_differ_and_repeat(self, torch_box):
        code = """
import multiprocessing, torch
def work(queue):
    queue.put(torch.rand(1).item())
if __name__ == "__main__":
    queue = multiprocessing.SimpleQueue()
    for _ in range(2):
        process = multiprocessing.Process(target=work, args=(queue,))
        process.start()
        process.join()
    print([queue.get() for _ in range(2)])
"""
        first = torch_box.script(code)
        assert first == torch_box.script(code)
        assert len(set(json.loads(first[0]))) == 2

    def test_ranks_of_torchrun_begin_with_the_seed_of_the_run(self, torch_box):
        (torch_box.work / "rank.py").write_text(
            "import os, torch\n"
            "other = torch.utils.data.DataLoader(range(4), num_workers=1)\n"
            "print(os.environ['RANK'], torch.rand(3).tolist(), [batch.item() for batch in other])\n"
        )
        launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "rank.py")
        done = torch_box.run(str(torch_box.python), *launch)
        assert sorted(done.stdout.splitlines()) == [f"{rank} {TORCH_32} [0, 1, 2, 3]" for rank in "01"]
        ranks = {record["rank"]: record["seed"] for record in torch_box.records(identity=[]) if record["rank"]}
        assert ranks == {"0": SEED, "1": SEED}

    @pytest.mark.parametrize("method", ["spawn", "fork"])
    def test_so_do_ranks_that_are_workers_and_their_own_workers_differ(self, torch_box, method):
        code = """
import sys, torch
import torch.multiprocessing as multiprocessing
def draw(parts):
    print(*parts, [round(one, 6) for one in torch.rand(3).tolist()], flush=True)
def rank(number):
    draw([number])
    worker = multiprocessing.get_context("METHOD").Process(target=draw, args=([number, "worker"],))
    worker.start()
    worker.join()
if __name__ == "__main__":
    multiprocessing.start_processes(rank, nprocs=2, start_method="METHOD")
"""
        lines = sorted(torch_box.script(code.replace("METHOD", method)))
        first = [round(one, 6) for one in TORCH_32]
        assert [line for line in lines if "worker" not in line] == [f"{rank} {first}" for rank in "01"]
        workers = {line.split("worker ")[1] for line in lines if "worker" in line}
        assert len(workers | {str(first)}) == 3
        ranks = {record["rank"]: record["seed"] for record in torch_box.records(identity=[]) if record["rank"]}
        assert ranks == {"0": SEED, "1": SEED}


class TestTensorflow:
    def test_it_is_seeded_and_its_switches_are_set(self, tensorflow_box):
        code = "import tensorflow as tf; print(tf.random.uniform((3,)).numpy().tolist())"
        assert _numbers(tensorflow_box, code) == TENSORFLOW_32
        record = tensorflow_box.record()
        assert record["backends"]["tensorflow"]["seed"] == SEED
        assert {name: (entry["status"], entry["value"]) for name, entry in record["switches"].items()} == {
            "PYTHONHASHSEED": ("set", 32),
            "tf.compat.v1.Session threads": ("set", 1),
            "tf.config.experimental.enable_op_determinism": ("set", True),
            "tf.config.experimental.enable_tensor_float_32_execution": ("set", False),
            "tf.config.threading.set_inter_op_parallelism_threads": ("set", 1),
            "tf.config.threading.set_intra_op_parallelism_threads": ("set", 1),
        }

    def test_its_runtime_is_not_started_so_that_the_user_can_still_configure_it(self, tensorflow_box):
        code = """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(2)
print(tf.config.threading.get_intra_op_parallelism_threads())
"""
        assert tensorflow_box.script(code)[-1] == "2"
        (override,) = tensorflow_box.record()["overrides"]
        assert (override["set"], override["found"]) == (1, 2)

    def test_keras_repeats(self, tensorflow_box):
        code = """
import keras, random
layer = keras.layers.Dense(3)
layer.build((None, 2))
print([keras.random.uniform((2,)).numpy().tolist(), layer.get_weights()[0].tolist(), random.random()])
"""
        assert _numbers(tensorflow_box, code) == _numbers(tensorflow_box, code)
        assert tensorflow_box.records()[0]["backends"]["keras"]["seed"] == SEED

    def test_a_forked_worker_of_a_started_tensorflow_does_not_hang(self, tensorflow_box):
        code = """
import multiprocessing, random
import tensorflow as tf
def work(queue):
    queue.put(random.random())
if __name__ == "__main__":
    tf.random.uniform((3,))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(queue,))
    process.start()
    process.join(60)
    print(process.exitcode)
"""
        assert tensorflow_box.script(code)[-1] == "0"
        assert tensorflow_box.record(role="worker")["backends"]["tensorflow"]["when"] == "import"
