"""What frameworks say of their own determinism is known for what it is: their texts, and for real where it can be."""

import json
import mmap

import pytest

from .backend_venvs import OLD, make_group_box
from .test_suspects import list_suspects

KERNEL, SEED = "nondeterministic-kernel", "unseeded-generator"
IN_TENSORFLOW_2_21 = {
    # tensorflow/compiler/tf2xla/kernels/pooling_ops.cc
    "GPU MaxPool gradient ops do not yet have a deterministic XLA implementation.": KERNEL,
    # tensorflow/core/kernels/logging_ops.cc
    "Timestamp cannot be called when determinism is enabled": KERNEL,
    # tensorflow/core/util/guarded_philox_random.cc
    "When determinism is enabled, random ops must have a seed specified.": SEED,
}
"""Texts that are whole in its compiled libraries, built for CPUs."""
IN_PYTHON = {
    # TensorFlow 2.21, tensorflow/python/framework/random_seed.py
    "Random ops require a seed to be set when determinism is enabled. Please set a seed before running the op, e.g. by"
    " calling tf.random.set_seed(1).": SEED,
    # tensorflow/python/ops/stateful_random_ops.py
    '"from_non_deterministic_state" cannot be called when determinism is enabled.': SEED,
    '"get_global_generator" cannot be called if determinism is enabled, unless "set_global_generator" has already been'
    ' called. Please call "set_global_generator" first.': SEED,
    # tensorflow/python/ops/nn_ops.py
    "tf.nn.fractional_max_pool requires a non-zero seed to be passed in when determinism is enabled, but got seed=0."
    ' Please pass in a non-zero seed, e.g. by passing "seed=1".': SEED,
    'tf.compat.v1.nn.fractional_max_pool requires "seed" and "seed2" to be non-zero and "deterministic" to be true when'
    " op determinism is enabled.": SEED,
    # tensorflow/python/ops/image_ops_impl.py
    'tf.compat.v1.image.sample_distorted_bounding_box requires "seed" or "seed2" to be non-zero when determinism is'
    " enabled.": SEED,
    # Chainer 7.8.1, chainer/utils/nondeterministic.py
    "Potentially non-deterministic code is being executed while config.warn_nondeterministic set. Source: atomicAdd": (
        KERNEL
    ),
}
IN_KERNELS_FOR_GPUS = {
    # TensorFlow 2.8 and later, tensorflow/core/kernels: not in a library built for CPUs
    "Determinism is not yet supported in GPU implementation of Bincount.": KERNEL,
    "Determinism is not yet supported in GPU implementation of FakeQuantWithMinMaxVarsGradient.": KERNEL,
    "Determinism is not yet supported for Dilation2DBackpropInput.": KERNEL,
    "A deterministic GPU implementation of ResizeNearestNeighborGrad is not currently available.": KERNEL,
    "A deterministic GPU implementation of SparseTensorDenseMatmulOp is not currently available.": KERNEL,
    "A deterministic GPU implementation of fused batch-norm backprop, when training is disabled, is not currently"
    " available.": KERNEL,
    "The GPU implementation of SoftmaxCrossEntropyWithLogits that would have been executed is not deterministic."
    " Note that the Python API uses an alternative, deterministic, GPU-accelerated path when determinism is enabled.": (
        KERNEL
    ),
}
OF_OTHER_THINGS = {
    # TensorFlow 2.21, tensorflow/core/kernels/data/shuffle_dataset_op.cc: the words alone are no sign
    "Failed to find seed generator resource. Falling back to using a non-deterministically seeded generator and"
    " reshuffling each iteration.": "",
    "this deterministic function is slow": "",
}


def test_every_text_is_known_for_what_it_is(newest_box):
    texts = {**IN_TENSORFLOW_2_21, **IN_PYTHON, **IN_KERNELS_FOR_GPUS, **OF_OTHER_THINGS}
    code = f"""
import json
from reprobox_runtime.watch_kernels import find_kind
print(json.dumps([find_kind(text) for text in {list(texts)!r}]))
"""
    found = json.loads(newest_box.script(code)[-1])
    assert dict(zip(texts, found, strict=True)) == texts


@pytest.mark.network
@pytest.mark.long
@pytest.mark.parametrize("text", IN_TENSORFLOW_2_21)
def test_the_texts_are_those_of_the_installed_library(tensorflow_box, text):
    paths = list(
        tensorflow_box.python.parent.parent.glob("lib/python3.*/site-packages/tensorflow/libtensorflow_*.so.2")
    )
    assert any(map_file(path).find(text.encode()) > 0 for path in paths), paths


def map_file(path):
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)


@pytest.mark.network
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("tf.raw_ops.RandomUniform(shape=[2], dtype=tf.float32)", SEED),
        pytest.param("tf.timestamp()", KERNEL, marks=pytest.mark.long),
        pytest.param("tf.random.get_global_generator()", SEED, marks=pytest.mark.long),
        pytest.param("tf.nn.fractional_max_pool(tf.ones((1, 4, 4, 1)), 1.5)", SEED, marks=pytest.mark.long),
    ],
)
def test_what_tensorflow_refuses_is_a_suspect_at_its_line(tensorflow_box, call, kind):
    (tensorflow_box.work / "script.py").write_text(f"import tensorflow as tf\n{call}\n")
    done = tensorflow_box.run(str(tensorflow_box.python), "script.py", check=False)
    assert done.returncode == 1
    assert (kind, "script.py:2", 1) in list_suspects(tensorflow_box), done.stderr


@pytest.mark.network
@pytest.mark.long
def test_what_chainer_warns_of_is_a_suspect_at_its_line(runtime_root, tmp_path):
    box = make_group_box(OLD, runtime_root, tmp_path / "box")
    box.script("""\
import chainer
chainer.global_config.warn_nondeterministic = True
chainer.utils.nondeterministic("atomicAdd")
""")
    assert list_suspects(box) == [(KERNEL, "script.py:3", 1)]
