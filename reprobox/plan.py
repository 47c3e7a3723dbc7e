"""Spec + lock + source, with every default filled in; nothing after it is optional."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from reprobox.backend_variables import list_backend_variables, merge_variables
from reprobox.determinism import decide_environment, decide_switches
from reprobox.lock import ArchiveBase, DebianBase, DebPackage, ImageBase, Lock, PythonTarget, Sdist, Wheel, lock_digest
from reprobox.spec.model import Level, Spec


@dataclass(frozen=True, order=True)
class SourceFile:
    """One project file that enters the image below ``/work``."""

    path: str
    """Relative, with forward slashes."""
    executable: bool
    sha256: str
    size: int
    link: str = ""
    """Target, when it is a symbolic link."""


@dataclass(frozen=True)
class StagePlan:
    """One command to run; a spec with ``command`` has one, named "train"."""

    name: str
    command: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Everything the image is a function of, and how to run it."""

    name: str
    seed: int
    level: Level
    switches: tuple[tuple[str, bool | int | str], ...]
    """Determinism switches the runtime sets, by name, sorted."""
    env: tuple[tuple[str, str], ...]
    """The image's whole environment, sorted."""
    base: DebianBase | ImageBase | ArchiveBase
    python: PythonTarget
    system: tuple[DebPackage, ...]
    wheels: tuple[Wheel, ...]
    sdists: tuple[Sdist, ...]
    run: tuple[str, ...]
    source: tuple[SourceFile, ...]
    stages: tuple[StagePlan, ...]
    spec_digest: str
    lock_digest: str
    versions: tuple[tuple[str, str], ...] = ()
    """What is installed where it runs, by normalised name, sorted; ``glibc`` is the C library."""

    @property
    def tag(self) -> str:
        """What engines call its image."""
        return f"reprobox/{self.name}:latest"

    @property
    def cpu(self) -> str:
        """The instruction set that level ``portable`` holds everything to; "" at any other."""
        return str(dict(self.switches).get("cpu", ""))


VENV_BIN = "/opt/venv/bin"
"""First in the image's PATH."""
_FIXED_ENVIRONMENT = {
    "HOME": "/home/reprobox",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LOGNAME": "reprobox",
    "PATH": f"{VENV_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # The source is not writable inside, and bytecode of packages is already there.
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "USER": "reprobox",
    "VIRTUAL_ENV": "/opt/venv",
}


def make_plan(
    spec: Spec, lock: Lock, source: tuple[SourceFile, ...], versions: Mapping[str, str] | None = None
) -> Plan:
    """Fill in every default; the spec's own ``env`` is put over the image's and the level's.

    ``versions`` are of what is installed where that is not what the lock has.
    """
    switches = decide_switches(spec)
    versions = list_versions(lock) if versions is None else versions
    return Plan(
        name=spec.name,
        seed=spec.seed,
        level=spec.determinism.level,
        switches=tuple(switches.items()),
        env=_fill_environment(lock, decide_variables(spec, versions), spec.env),
        base=lock.base,
        python=lock.python,
        system=lock.system,
        wheels=lock.wheels,
        sdists=lock.sdists,
        run=spec.run,
        source=source,
        stages=plan_stages(spec),
        spec_digest=spec_digest(spec),
        lock_digest=lock_digest(lock),
        versions=tuple(sorted(versions.items())),
    )


def list_versions(lock: Lock) -> dict[str, str]:
    """Return the version of each locked package, by normalised name, and of the image's C library as ``glibc``."""
    sdists = {one.name: one.version for one in lock.sdists}
    return {"glibc": lock.python.glibc, **{one.name: one.version for one in lock.wheels}, **sdists}


def decide_variables(spec: Spec, versions: Mapping[str, str]) -> dict[str, str]:
    """Return what the spec's level sets in the image's environment, where these versions are installed."""
    switches = decide_switches(spec)
    chosen = decide_environment(switches, versions)
    seed = None if spec.determinism.level is Level.OFF else spec.seed
    merge_variables(chosen, list_backend_variables(versions, switches, seed))
    return chosen


def _fill_environment(lock: Lock, level: Mapping[str, str], own: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Put the layers of the environment over each other: the base image's, ours, the level's, the spec's."""
    base = dict(item.split("=", 1) for item in lock.base.env) if isinstance(lock.base, ImageBase) else {}
    path = f"{VENV_BIN}:{base['PATH']}" if "PATH" in base else _FIXED_ENVIRONMENT["PATH"]
    return tuple(sorted({**base, **_FIXED_ENVIRONMENT, "PATH": path, **level, **own}.items()))


def plan_stages(spec: Spec) -> tuple[StagePlan, ...]:
    """Return what a run does, in order; a plain ``command`` is one stage named "train"."""
    if spec.command is not None:
        return (StagePlan("train", spec.command, spec.outputs),)
    if spec.stages is None:
        return ()
    named = (("prepare", spec.stages.prepare), ("train", spec.stages.train), ("predict", spec.stages.predict))
    return tuple(StagePlan(name, stage.command, stage.outputs) for name, stage in named if stage is not None)


def source_digest(source: Iterable[SourceFile]) -> str:
    """Return one sha256 over the names, kinds and contents of the source: ``inputs.hash_folder`` of the same files."""
    ordered = sorted((f"./{one.path}".encode("utf-8", "surrogateescape"), one) for one in source)
    files = [f"{one.sha256}  ".encode() + name + b"\0" for name, one in ordered if not one.link]
    links = []
    for name, one in ordered:
        if one.link:
            target = one.link.encode("utf-8", "surrogateescape")
            links.append(b"link %d %s  %s\0" % (len(target), target, name))
    return hashlib.sha256(b"".join([*files, *sorted(links)])).hexdigest()


def spec_digest(spec: Spec) -> str:
    """Digest of what the spec means: comments, key order and spelled-out defaults do not change it."""
    values = asdict(spec)
    for key in ("from_source", "compat"):
        if not values[key]:
            del values[key]  # which specs did not always have
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
