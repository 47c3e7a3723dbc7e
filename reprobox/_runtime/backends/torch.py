"""PyTorch: its generators on every device, and the switches of its reproducibility notes.

https://pytorch.org/docs/stable/notes/randomness.html
"""

import sys

from ..suspects import note
from ..switches import Switch, attribute_switch, environment_switch, nvls_switch
from ..torch_generators import watch_generators
from ..wrapping import wrap_everywhere


def find_version(module):
    """Return PyTorch's version."""
    return str(module.__version__)


def seed(module, seed, event):
    """Seed the CPU's generator and every device's; a device not in use yet is seeded when it is first used.

    DataLoader workers seed themselves from the parent's generator after this (torch, ``random``; NumPy since 1.9):
    https://github.com/pytorch/pytorch/pull/56488
    """
    module.manual_seed(seed)
    return seed


def list_switches(module, switches):
    """Return the switches that this version has, each under its public name."""
    found = []
    cudnn = getattr(module.backends, "cudnn", None)
    has_cuda = bool(getattr(getattr(module, "version", None), "cuda", None))
    if switches.get("deterministic_kernels"):
        found.append(_deterministic_algorithms(module))
        found.append(_cudnn_switch(cudnn, "deterministic", True))
        found.extend([nvls_switch()] if has_cuda else [])
    if "cudnn_benchmark" in switches:
        found.append(_cudnn_switch(cudnn, "benchmark", switches["cudnn_benchmark"]))
    if "cublas_workspace" in switches and has_cuda:
        # Read when a cuBLAS handle is made, so that it is in time here; the image has it from the start.
        found.append(environment_switch("CUBLAS_WORKSPACE_CONFIG", switches["cublas_workspace"], in_time=True))
    if "tf32" in switches:
        found.extend(_tf32(module, cudnn, switches["tf32"]))
    if "fill_uninitialized_memory" in switches:
        found.append(_fill_memory(module, switches["fill_uninitialized_memory"]))
    if "threads" in switches:
        found.extend(_threads(module, switches["threads"]))
    return found


def watch(module, streams):
    """Notice the program seeding PyTorch's generators, by number or from entropy, and generators left unseeded."""
    owners = (getattr(module, "random", None), module)
    wrap_everywhere(owners, "manual_seed", lambda original: _make_manual_seed(original, "torch.manual_seed", streams))
    wrap_everywhere(owners, "seed", lambda original: _make_seed(original, "torch.seed", streams))
    cuda = (sys.modules.get("torch.cuda.random"), sys.modules.get("torch.cuda"))
    for name in ("manual_seed", "manual_seed_all"):
        _wrap_cuda(cuda, name, _make_manual_seed, streams)
    for name in ("seed", "seed_all"):
        _wrap_cuda(cuda, name, _make_seed, streams)
    watch_generators(module, streams)


def _wrap_cuda(owners, name, make, streams):
    wrap_everywhere(owners, name, lambda original: make(original, "torch.cuda." + name, streams))


def _make_manual_seed(original, function, streams):
    def manual_seed(seed):
        streams.note_reseed(function, seed)
        return original(seed)

    return manual_seed


def _make_seed(original, function, streams):
    def seed():
        streams.note_reseed(function, None)
        return original()

    return seed


def _cudnn_switch(cudnn, attribute, wanted):
    name = "torch.backends.cudnn." + attribute
    # The module is an object whose class has the attribute as a descriptor with a setter of its own.
    setters = ((vars(type(cudnn)).get(attribute), "setter"),)
    return attribute_switch(name, cudnn, attribute, wanted, setters=setters)


def _deterministic_algorithms(torch):
    """What ``use_deterministic_algorithms(True)`` does in strict mode, without its import of Inductor.

    Since 2.10 the public function imports ``torch._inductor.config`` first, only to set one flag there (+1.7 s and 889
    modules in 2.13); :mod:`.inductor` sets that flag when the user's program gets there. What is left of the function
    is this one call: https://github.com/pytorch/pytorch/blob/v2.13.0/torch/__init__.py (use_deterministic_algorithms).
    Strict, because ``warn_only`` would leave memory-efficient attention on its random backward:
    https://github.com/pytorch/pytorch/pull/101847
    """
    name = "torch.use_deterministic_algorithms"
    core = torch._C
    setters = [(torch, setter) for setter in (name[6:], "set_deterministic", "set_deterministic_debug_mode")]
    for owner, setter, getter in (
        (core, "_set_deterministic_algorithms", "_get_deterministic_algorithms"),
        (torch, "use_deterministic_algorithms", "are_deterministic_algorithms_enabled"),
        (torch, "set_deterministic", "is_deterministic"),
    ):
        if hasattr(owner, setter) and hasattr(owner, getter):
            read = _make_strict_getter(getattr(owner, getter), core)
            return Switch(name, True, getattr(owner, setter), read, setters=setters)
    return Switch(name, True, None)


def _make_strict_getter(enabled, core):
    """Return what tells the switch's value: that it only warns is another value than that it is on."""
    warns_only = getattr(core, "_get_deterministic_algorithms_warn_only", None)

    def read():
        return "warn_only" if enabled() and warns_only is not None and warns_only() else enabled()

    return read


def _tf32(torch, cudnn, wanted):
    """The switches of 1.7; the ``fp32_precision`` ones of 2.9 would make a read of these raise in the user's code."""
    matmul = getattr(getattr(torch.backends, "cuda", None), "matmul", None)
    return [
        attribute_switch("torch.backends.cuda.matmul.allow_tf32", matmul, "allow_tf32", wanted),
        _cudnn_switch(cudnn, "allow_tf32", wanted),
    ]


def _fill_memory(torch, wanted):
    """Through the C functions, as ``torch/utils/deterministic.py`` does: that module may not be loaded."""
    name = "torch.utils.deterministic.fill_uninitialized_memory"
    write = getattr(torch._C, "_set_deterministic_fill_uninitialized_memory", None)
    read = getattr(torch._C, "_get_deterministic_fill_uninitialized_memory", None)
    return Switch(name, wanted, write, read)


def _threads(torch, count):
    setters = ((torch, "set_num_threads"),)
    found = [Switch("torch.set_num_threads", count, torch.set_num_threads, torch.get_num_threads, setters=setters)]
    write = getattr(torch, "set_num_interop_threads", None)
    if write is None:
        return found + [Switch("torch.set_num_interop_threads", count, None)]

    def write_once(value):
        write(value)
        torch.set_num_interop_threads = _forgive_second_call(write, value)

    return found + [Switch("torch.set_num_interop_threads", count, write_once, torch.get_num_interop_threads)]


def _forgive_second_call(write, count):
    """PyTorch lets this be set once only, and that was ours: the user's own call must not fail where it did not.

    Nor may it warn: warnings may be errors there. That it has no effect is in the record.
    """

    def set_num_interop_threads(*args, **kwargs):
        try:
            write(*args, **kwargs)
        except RuntimeError:
            if args != (count,):
                words = "torch.set_num_interop_threads(%s) has no effect: it takes one number, and was given %d before"
                note("switch-flipped", words % (", ".join(map(str, args)), count))

    set_num_interop_threads.__doc__ = getattr(write, "__doc__", None)
    return set_num_interop_threads
