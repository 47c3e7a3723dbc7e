"""Checks of headings ウ and エ: execution environment and random seeds."""

from __future__ import annotations

from reprobox.report.findings import Finding, Parts, find_statements, say_no, say_yes
from reprobox.report.values import Origin
from reprobox.sizes import format_size

_OFF = "off"


def check_system(parts: Parts) -> Finding:
    """12: operating systems of image and host."""
    system = parts.u.system
    if parts.u.image.digest is None:
        return say_no("system_own", kernel=system.kernel)
    if system.image is None:
        return say_no("system_unknown", kernel=system.kernel)
    return say_yes(system.origin, system.trace, "system_known", image=system.image, kernel=system.kernel)


def check_software(parts: Parts) -> Finding:
    """13: interpreter, packages, libraries, drivers."""
    software = parts.u.software
    if parts.u.image.digest is None:
        return say_no("software_own")
    if parts.u.image.base is None or software.python is None:
        return say_no("software_unlocked")
    packages = len(software.packages)
    if software.debian is None:
        return say_no("software_partly", python=software.python, packages=packages)
    return say_yes(
        software.origin,
        software.trace,
        "software_pinned",
        python=software.python,
        packages=packages,
        debian=len(software.debian),
    )


def check_image(parts: Parts) -> Finding:
    """14: the image, its base, its Dockerfile."""
    image = parts.u.image
    if image.digest is None:
        return say_no("image_none")
    if image.base is None:
        return say_no("image_unlocked", digest=image.digest[:19])
    if image.dockerfile_sha256 is None:
        return say_no("image_without_dockerfile", digest=image.digest[:19], base=image.base)
    values = {"digest": image.digest[:19], "base": image.base, "dockerfile": image.dockerfile_sha256[:12]}
    return say_yes(image.origin, image.trace, "image_known", **values)


def check_hardware(parts: Parts) -> Finding:
    """15: processor, memory, disk, accelerators."""
    hardware = parts.u.hardware
    if hardware.host_processor_model_name is None:
        return say_no("hardware_unknown")
    if hardware.host_storage_capacity is None:
        return say_no("hardware_without_disk", cpu=hardware.host_processor_model_name)
    values: dict[str, str | int] = {
        "cpu": hardware.host_processor_model_name,
        "count": hardware.host_processor_vcpu_count,
        "memory": format_size(hardware.host_memory_capacity),
        "disk": f"{format_size(hardware.host_storage_capacity)} {hardware.host_storage_type or ''}".strip(),
    }
    if not hardware.accelerators_per_node:
        return say_yes(hardware.origin, hardware.trace, "hardware_cpu", **values)
    gpu = f"{hardware.accelerators_per_node} × {hardware.accelerator_model_name}"
    return say_yes(hardware.origin, hardware.trace, "hardware_gpu", **values, gpu=gpu)


def check_variables(parts: Parts) -> Finding:
    """16: variables that change numbers."""
    variables = parts.u.variables
    return say_yes(variables.origin, variables.trace, "variables_listed", count=len(variables.values))


def check_method(parts: Parts) -> Finding:
    """17: the method and its hyper-parameters."""
    return find_statements("method", parts.u.method, parts.u.hyperparameters)


def check_seeds(parts: Parts) -> Finding:
    """19: the seeds, declared and observed; or that nothing is random."""
    declared, observed, none = parts.e.declared, parts.e.observed, parts.e.no_randomness
    if none:
        return say_yes(Origin.DECLARED, none.trace, "seeds_no_randomness")
    if declared.level == _OFF:
        return say_no("seeds_off")
    seeded = {one.backend for one in observed.backends if one.seeds}
    if not seeded:
        return say_no("seeds_unobserved", seed=declared.seed)
    trace = (*declared.trace, *observed.trace)
    return say_yes(Origin.MEASURED, trace, "seeds_observed", seed=declared.seed, backends=", ".join(sorted(seeded)))


def check_switches(parts: Parts) -> Finding:
    """20: determinism switches, and what may still differ."""
    declared, observed = parts.e.declared, parts.e.observed
    if declared.level == _OFF:
        return say_no("switches_off")
    values: dict[str, str | int] = {
        "level": declared.level,
        "switches": len(observed.switches),
        "suspects": len(observed.suspects),
    }
    if not observed.processes:
        return say_no("switches_unobserved", level=declared.level)
    return say_yes(observed.origin, observed.trace, "switches_observed", **values)
