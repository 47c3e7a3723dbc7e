"""PaddlePaddle: its generators on every device, and the flags of its CUDA builds.

https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/seed_en.html
"""

from ..switches import Switch
from ..wrapping import wrap

NOTE = "its data loaders draw from random and numpy"
_FLAGS = (
    ("FLAGS_cudnn_deterministic", "deterministic_kernels", True, True),
    ("FLAGS_embedding_deterministic", "deterministic_kernels", True, 1),
    ("FLAGS_cudnn_batchnorm_spatial_persistent", "deterministic_kernels", True, False),
    ("FLAGS_cudnn_exhaustive_search", "cudnn_benchmark", False, False),
    ("FLAGS_cublaslt_exhaustive_search_times", "cudnn_benchmark", False, 0),
)
"""Flag, the contract's switch, its value that asks for the flag, the flag's value."""


def find_version(module):
    """Return PaddlePaddle's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed the CPU's generator and every device's; before 2.0 a program's generators are its own."""
    if not hasattr(module, "seed"):
        return None
    module.seed(seed)
    return seed


def list_switches(module, switches):
    """Return the flags that are asked for; a build without CUDA knows none of them."""
    return [_flag(module, name, value) for name, switch, wanted, value in _FLAGS if switches.get(switch) is wanted]


def _flag(paddle, name, wanted):
    is_cuda = getattr(paddle, "is_compiled_with_cuda", None)
    if is_cuda is not None and not is_cuda():
        return Switch(name, wanted, None, detail="only in builds for CUDA")
    try:
        paddle.get_flags(name)
    except Exception:
        return Switch(name, wanted, None)
    return Switch(name, wanted, lambda value: paddle.set_flags({name: value}), lambda: paddle.get_flags(name)[name])


def watch(module, streams):
    """Notice the program seeding it."""
    wrap(module, "seed", lambda original: _make_seed(original, streams))


def _make_seed(original, streams):
    def seed(seed):
        streams.note_reseed("paddle.seed", seed)
        return original(seed)

    return seed
