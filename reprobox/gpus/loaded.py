"""The CUDA and the cuDNN that a run's processes had loaded, as these libraries say it themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reprobox.records import RuntimeRecord


@dataclass(frozen=True)
class Loaded:
    """Versions, "13.0" and "9.20.0"; several where processes differ, empty where none had any."""

    cuda: str
    cudnn: str


def find_loaded(runtime: RuntimeRecord) -> Loaded:
    """Return what the processes of a run put down; a stranger's may have put down anything."""
    return Loaded(_list_versions(runtime, "libcudart", name_cuda), _list_versions(runtime, "libcudnn", name_cudnn))


def _list_versions(runtime: RuntimeRecord, library: str, name: Callable[[int], str]) -> str:
    found = set()
    for process in runtime.processes:
        gpu = process.get("gpu")
        versions = gpu.get("versions") if isinstance(gpu, dict) else None
        number = versions.get(library) if isinstance(versions, dict) else None
        if isinstance(number, int) and 1000 <= number < 10**7:
            found.add(number)
    return ", ".join(name(number) for number in sorted(found))


def name_cuda(number: int) -> str:
    """Read what ``cudaRuntimeGetVersion`` says: 12080 is 12.8.

    https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART____VERSION.html
    """
    return f"{number // 1000}.{number % 1000 // 10}"


def name_cudnn(number: int) -> str:
    """Read what ``cudnnGetVersion`` says: 92000 is 9.20.0, and before version 9 it was 8907 for 8.9.7.

    https://docs.nvidia.com/deeplearning/cudnn/backend/latest/api/ (``CUDNN_VERSION``)
    """
    scale = 10_000 if number >= 90_000 else 1000
    return f"{number // scale}.{number % scale // 100}.{number % 100}"
