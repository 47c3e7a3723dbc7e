"""Refuse a run on GPUs that could not be one, and warn of what may go wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reprobox.engines.base import Fence, GpuAccess, Runner
from reprobox.findings import Finding, Status
from reprobox.gpus.driver import Driver
from reprobox.gpus.kernels import FRAMEWORKS, check_kernels, read_kernels
from reprobox.gpus.need import GpuNeed, find_need
from reprobox.gpus.preflight import TOOLKIT, Surroundings, check_gpus, refuse
from reprobox.gpus.selection import choose_gpus, narrow_to_allotted
from reprobox.gpus.toolkit import read_toolkit_version
from reprobox.lock import ImageBase
from reprobox.plan import Plan
from reprobox.settings import Settings


@dataclass(frozen=True)
class GpuChecks:
    """What a run on these devices depends on."""

    devices: tuple[str, ...]
    driver: Driver
    engine: Runner
    plan: Plan
    settings: Settings
    fence: Fence | None = None
    """What a stranger's image is kept in; ``None``: it is one's own."""

    def check_machine(self) -> None:
        """Look at the driver, the engine and the plan, before anything is made; raise ``EngineError``.

        To a stranger's image a toolkit with known weaknesses is an obstacle: getting out is what they are good for.
        """
        around = Surroundings(self.driver, self.engine.info(), read_toolkit_version())
        found = check_gpus(around, self.devices, self._find_need(around))
        self._tell(map(_harden, found) if self.fence else found)

    def _find_need(self, around: Surroundings) -> GpuNeed:
        """Without a container nothing of the base image and no Debian package is there."""
        plan, versions = self.plan, dict(self.plan.versions)
        if around.engine is not None and around.engine.gpu_access is GpuAccess.DIRECT:
            return find_need(versions)
        base = plan.base.env if isinstance(plan.base, ImageBase) else ()
        return find_need(versions, dict(item.split("=", 1) for item in base), (one.name for one in plan.system))

    def check_kernels(self, image: str) -> None:
        """Ask the frameworks in the image for which GPUs they have kernels; raise ``EngineError``."""
        # What an interpreter of this machine has is not what the lock has, and may be another thing tomorrow.
        wheels = {} if self.settings.python else {wheel.name: wheel.sha256 for wheel in self.plan.wheels}
        installed = dict(self.plan.versions)
        for name in FRAMEWORKS:
            if name in installed:
                wheel = wheels.get(name, "")
                kernels = read_kernels(name, wheel, image, self.engine, self.settings.cache, self.fence)
                self._tell(check_kernels(choose_gpus(self.driver.gpus, self.devices), name, kernels))

    def _tell(self, found: Iterable[Finding]) -> None:
        findings = tuple(found)
        refuse(findings)
        for finding in findings:
            if finding.status is Status.WARNING:
                self.settings.reporter.warn(f"{finding.detail}: {finding.hint}")


def narrow(devices: tuple[str, ...], engine: Runner, settings: Settings) -> tuple[str, ...]:
    """Leave out what the caller was not allotted, where a run sees all that the machine has."""
    direct = engine.info().gpu_access is GpuAccess.DIRECT
    return narrow_to_allotted(devices, settings.environ) if direct else devices


def _harden(finding: Finding) -> Finding:
    return replace(finding, status=Status.FAILED) if finding.name == TOOLKIT else finding
