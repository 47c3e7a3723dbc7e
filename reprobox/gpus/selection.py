"""Which GPUs a run is to have, as the command line says it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reprobox.errors import EngineError, UsageError
from reprobox.records import Gpu

ALL = ("all",)
_DEVICE = r"\d{1,3}(?::\d{1,3})?|(?:GPU|MIG)-[0-9A-Za-z/-]{1,80}"
_VALUE = re.compile(rf"all|none|(?:{_DEVICE})(?:,(?:{_DEVICE}))*")


def join_option(arguments: list[str]) -> list[str]:
    """Make ``--gpu`` one argument with its value, which may be left out: the spec may stand behind it.

    >>> join_option(["--gpu", "0,1", "spec.yaml"])
    ['--gpu=0,1', 'spec.yaml']
    >>> join_option(["--gpu", "spec.yaml"])
    ['--gpu=all', 'spec.yaml']
    """
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--gpu":
            takes = _VALUE.fullmatch(argument) is not None
            joined[-1] = f"--gpu={argument if takes else 'all'}"
            if takes:
                continue
        joined.append(argument)
    return [*joined[:-1], "--gpu=all"] if joined[-1:] == ["--gpu"] else joined


def parse_selection(text: str) -> tuple[str, ...]:
    """Return the devices that ``text`` names: ``()`` for none, ``("all",)``, or indices and UUIDs, each once.

    "0:1" is the second part of the first GPU where that is divided (MIG).
    """
    if text in ("", "none"):
        return ()
    if _VALUE.fullmatch(text) is None:
        raise UsageError(
            f"--gpu {text}: cannot be read", hint="write all, none, or numbers and UUIDs as nvidia-smi has them: 0,1"
        )
    return tuple(dict.fromkeys(text.split(",")))


def narrow_to_allotted(devices: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Make of all GPUs those that the caller's CUDA_VISIBLE_DEVICES leaves, as a cluster's scheduler sets it.

    Its numbers are taken for nvidia-smi's. Raises EngineError where it leaves none, or cannot be read.
    """
    allotted = environ.get("CUDA_VISIBLE_DEVICES")
    if devices != ALL or allotted is None:
        return devices
    try:
        found = parse_selection(allotted.replace(" ", ""))
    except UsageError:
        found = ()
    if not found:
        raise EngineError(
            f"CUDA_VISIBLE_DEVICES is {allotted!r} here, which leaves no GPU",
            hint="have one allotted, name one (`--gpu 0`), or unset that variable",
        )
    return found


def choose_gpus(gpus: Sequence[Gpu], devices: tuple[str, ...]) -> tuple[Gpu, ...]:
    """Return the GPUs that are handed over, in the machine's order; what is named by a UUID is not told apart."""
    if devices == ALL:
        return tuple(gpus)
    numbers = {device.partition(":")[0] for device in devices}
    if any(not number.isdigit() for number in numbers):
        return tuple(gpus)
    return tuple(gpu for gpu in gpus if str(gpu.index) in numbers)
