"""What a process had to do with a GPU, as it ends: the libraries of CUDA's that are loaded, and their own versions."""

import os
import sys

# Library -> the function that says its version; https://docs.nvidia.com/deeplearning/cudnn/backend/latest/api/,
# https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART____VERSION.html
_VERSIONS = {
    "libcuda": "cuDriverGetVersion",
    "libcudart": "cudaRuntimeGetVersion",
    "libcudnn": "cudnnGetVersion",
    "libnccl": "ncclGetVersion",
}
_OTHERS = ("libcublas", "libcublasLt", "libcufft", "libcurand", "libcusolver", "libcusparse", "libnvrtc")


def is_wanted():
    """Whether this is a run on a GPU."""
    return os.environ.get("REPROBOX_GPU") == "1"


def describe_gpu():
    """Return what is to be put down; whether the driver's library is loaded tells whether a GPU was asked for."""
    paths = _list_libraries("/proc/self/maps")
    versions = {}
    for name in _VERSIONS:
        found = _ask_version(paths[name], name) if name in paths else None
        if found is not None:
            versions[name] = found
    found = {"used": "libcuda" in paths, "libraries": sorted(map(os.path.basename, paths.values()))}
    found["versions"] = versions
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = _describe_torch(torch)
    return found


def _list_libraries(maps):
    """Return name -> path of the libraries that this process has mapped."""
    found = {}
    with open(maps, errors="surrogateescape") as stream:
        for line in stream:
            path = line.partition("/")[2].strip()
            name = os.path.basename(path).partition(".so")[0]
            if path and (name in _VERSIONS or name in _OTHERS):
                found.setdefault(name, "/" + path)
    return found


def _ask_version(path, name):
    """Call the library's function: cuDNN returns its version, the others write it where they are told.

    Every framework that loads these has loaded ``ctypes`` too.
    """
    ctypes = sys.modules.get("ctypes")
    if ctypes is None:
        return None
    function = getattr(ctypes.CDLL(path), _VERSIONS[name], None)
    if function is None:
        return None
    if name == "libcudnn":
        function.restype = ctypes.c_size_t
        return int(function())
    number = ctypes.c_int(0)
    return number.value if function(ctypes.byref(number)) == 0 else None


def _describe_torch(torch):
    """Ask PyTorch without making it start what it has not started."""
    precision = getattr(torch, "get_float32_matmul_precision", None)
    found = {
        "cuda": getattr(getattr(torch, "version", None), "cuda", None),
        "float32_matmul_precision": precision() if precision is not None else None,
    }
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        found["devices"] = [cuda.get_device_name(index) for index in range(cuda.device_count())]
    return found
