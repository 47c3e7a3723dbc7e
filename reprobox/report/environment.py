"""ウ: from lock and run record to the execution environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from reprobox.gpus.loaded import find_loaded
from reprobox.gpus.need import read_base_cuda, read_base_cudnn
from reprobox.lock import ArchiveBase, DebianBase, ImageBase, Sdist, Wheel
from reprobox.report.environment_model import (
    Accelerator,
    DebianPackage,
    DeclaredHardware,
    Engine,
    EnvironmentSection,
    Hardware,
    ImageIdentity,
    Package,
    Software,
    System,
    Variables,
)
from reprobox.report.numeric_variables import select_variables
from reprobox.report.sources import Sources
from reprobox.report.values import Origin
from reprobox.resolve.deb_releases import find_release
from reprobox.spec.backends import seed_limits
from reprobox.streams import escape_unprintable

_CUDA = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn(-cu\d+)?")
_MOST_LIBRARIES, _LONGEST_NAME = 60, 200


def describe_environment(sources: Sources) -> EnvironmentSection:
    """Return the section."""
    declared, run = sources.declared, sources.run_file
    engine = sources.record.engine
    return EnvironmentSection(
        system=_describe_system(sources),
        software=_describe_software(sources),
        image=_describe_image(sources),
        hardware=_describe_hardware(sources),
        declared_hardware=_describe_said_hardware(sources),
        engine=Engine(Origin.MEASURED, run.trace("engine"), engine.name, engine.version, engine.isolation),
        variables=Variables(Origin.MEASURED, run.trace("environment"), select_variables(sources.record.environment)),
        method=declared.state("method"),
        hyperparameters=declared.state("hyperparameters"),
    )


def _describe_system(sources: Sources) -> System:
    host = sources.record.host
    trace = (*sources.lock_file.trace("base"), *sources.run_file.trace("host.kernel", "host.architecture"))
    return System(Origin.MEASURED, trace, _name_system(sources), host.kernel, host.architecture)


def _name_system(sources: Sources) -> str | None:
    base = sources.plan.base
    if not isinstance(base, DebianBase) or not sources.has_lock:
        return None
    release = find_release(base.suite)
    return f"Debian {release.number} ({base.suite})" if release else f"Debian {base.suite}"


def _describe_software(sources: Sources) -> Software:
    if not sources.has_lock:
        return _describe_seen_software(sources)
    plan, base = sources.plan, sources.plan.base
    versions = dict(plan.versions)
    python: tuple[Wheel | Sdist, ...] = (*plan.wheels, *plan.sdists)
    files = sorted(python, key=lambda one: (one.name, one.filename))
    debian = (*base.packages, *plan.system) if isinstance(base, DebianBase) else None
    drivers = dict.fromkeys(gpu.driver for gpu in sources.record.gpus if gpu.driver)
    loaded = find_loaded(sources.record.runtime)
    gpu = ("gpus", "runtime.processes") if drivers else ()
    keys = (
        ("python", "wheels", "sdists", "system", "base.packages")
        if debian is not None
        else ("python", "wheels", "base")
    )
    return Software(
        origin=Origin.MEASURED,
        trace=(*sources.lock_file.trace(*keys), *(sources.run_file.trace(*gpu) if gpu else ())),
        python=plan.python.version,
        c_library=f"glibc {plan.python.glibc}",
        packages=tuple(Package(one.name, one.version, one.filename, one.sha256) for one in files),
        debian=None
        if debian is None
        else tuple(DebianPackage(one.name, one.version, one.architecture, one.sha256) for one in sorted(debian)),
        cuda=_find_version(versions, _CUDA) or read_base_cuda(_read_base(sources)) or None,
        cudnn=_find_version(versions, _CUDNN) or read_base_cudnn(_read_base(sources)) or None,
        cuda_loaded=loaded.cuda or None,
        cudnn_loaded=loaded.cudnn or None,
        driver=", ".join(drivers) or None,
    )


def _describe_seen_software(sources: Sources) -> Software:
    """Of a run without a container, or of another lock, only the interpreter is known: its processes named it."""
    found = (one.get("python") for one in sources.record.runtime.processes)
    versions = {version for one in found if isinstance(one, dict) and isinstance(version := one.get("version"), str)}
    drivers = dict.fromkeys(gpu.driver for gpu in sources.record.gpus if gpu.driver)
    trace = sources.run_file.trace("runtime.processes", "gpus", "warnings")
    loaded = find_loaded(sources.record.runtime)
    return Software(
        origin=Origin.MEASURED,
        trace=trace,
        python=", ".join(sorted(versions - {""})) or None,
        c_library=None,
        packages=(),
        debian=None,
        cuda=None,
        cudnn=None,
        cuda_loaded=loaded.cuda or None,
        cudnn_loaded=loaded.cudnn or None,
        driver=", ".join(drivers) or None,
    )


def _read_base(sources: Sources) -> dict[str, str]:
    base = sources.plan.base
    return dict(item.split("=", 1) for item in base.env) if isinstance(base, ImageBase) else {}


def _find_version(versions: Mapping[str, str], name: re.Pattern[str]) -> str | None:
    return next((version for found, version in sorted(versions.items()) if name.fullmatch(found)), None)


def _describe_image(sources: Sources) -> ImageIdentity:
    record = sources.record
    name, digest = _name_base(sources) if sources.has_lock or not sources.in_image else (None, None)
    keys = ("image_digest", "spec_digest", "lock_digest")
    return ImageIdentity(
        origin=Origin.MEASURED,
        trace=(*sources.run_file.trace(*keys), *sources.lock_file.trace("base")),
        digest=record.image_digest if sources.in_image else None,
        base=name,
        base_digest=digest,
        dockerfile_sha256=sources.dockerfile_sha256 if sources.has_lock and sources.has_spec else None,
        spec_digest=record.spec_digest,
        lock_digest=record.lock_digest,
    )


def _name_base(sources: Sources) -> tuple[str, str | None]:
    match sources.plan.base:
        case DebianBase(suite=suite, snapshot=snapshot):
            return f"Debian {suite}, {snapshot}", None
        case ImageBase(reference=reference, config_digest=digest):
            return reference, digest
        case ArchiveBase(path=path, sha256=sha256):
            return path, f"sha256:{sha256}"


def _describe_hardware(sources: Sources) -> Hardware:
    record = sources.record
    host, gpus, storage = record.host, record.gpus, record.host.storage
    models = dict.fromkeys(gpu.name for gpu in gpus)
    return Hardware(
        origin=Origin.MEASURED,
        trace=(
            *sources.run_file.trace("host", "gpus", "runtime.processes"),
            *(sources.lock_file.trace("python", "wheels") if sources.has_lock else ()),
        ),
        system_name=host.system.strip() or None,
        number_of_nodes=1,
        host_processors_per_node=host.processors or None,
        host_processor_model_name=host.cpu_model or None,
        host_processor_vcpu_count=host.cpus,
        host_processor_flags=host.cpu_flags,
        host_memory_capacity=host.memory,
        host_storage_type=", ".join(filter(None, (storage.kind, storage.file_system))) or None if storage else None,
        host_storage_capacity=storage.capacity if storage else None,
        accelerators_per_node=len(gpus),
        accelerator_model_name=", ".join(models) or None,
        accelerator_memory_capacity=max((gpu.memory for gpu in gpus), default=None),
        accelerators=tuple(Accelerator(gpu.name, gpu.driver, gpu.memory, gpu.compute_capability) for gpu in gpus),
        operating_system=_name_system(sources),
        framework=_list_frameworks(dict(sources.plan.versions)) if sources.has_lock else None,
        other_software_stack={**(_list_stack(sources) if sources.has_lock else {}), **_list_libraries(sources)},
    )


def _describe_said_hardware(sources: Sources) -> DeclaredHardware | None:
    said = sources.declared.declared.hardware
    if said is None:
        return None
    return DeclaredHardware(
        Origin.DECLARED,
        sources.declared.trace("hardware"),
        said.host_networking,
        said.accelerator_interconnect,
        said.accelerator_memory_needed,
    )


def _list_frameworks(versions: Mapping[str, str]) -> str | None:
    known = seed_limits().keys()
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if name in known) or None


def _list_libraries(sources: Sources) -> dict[str, str]:
    """Return the compiled libraries that were computed with: one version of a package is compiled by many."""
    found = sources.record.runtime.libraries.items()
    few = islice(found, _MOST_LIBRARIES)
    return {escape_unprintable(name[:_LONGEST_NAME]): build for name, build in few if name.strip()}


def _list_stack(sources: Sources) -> dict[str, str]:
    versions = dict(sources.plan.versions)
    found = {
        "python": sources.plan.python.version,
        "glibc": sources.plan.python.glibc,
        "cuda": _find_version(versions, _CUDA),
        "cudnn": _find_version(versions, _CUDNN),
        "reprobox": sources.record.reprobox,
    }
    return {name: version for name, version in found.items() if version}
