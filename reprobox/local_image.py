"""Have a lock's packages, the runtime and the source at hand without an image, for runs on this machine itself."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from reprobox.engines.local import LocalImage
from reprobox.errors import BuildError, UsageError
from reprobox.files import make_folder_atomic
from reprobox.image_settings import WORKDIR, make_image_settings
from reprobox.layers.tar import Kind
from reprobox.plan import Plan
from reprobox.process import run_program
from reprobox.runtime_files import RUNTIME_FOLDER, list_runtime_files
from reprobox.settings import Settings
from reprobox.source_files import list_source_entries
from reprobox.supply import Supply
from reprobox.uv import PythonConfig, clean_message, run_uv

_VENV = "/opt/venv"
_DONE = ".reprobox-done"
_LAYOUT = 2
"""Of such a venv: one that was laid out otherwise is made anew."""
_ASK = """
import importlib.metadata, json, site, sys, sysconfig
print(json.dumps({
    "version": sys.version.split()[0],
    "prefixes": [*dict.fromkeys([sys.prefix, sys.base_prefix])],
    "folders": [*dict.fromkeys([*map(sysconfig.get_path, ("purelib", "platlib")), *site.getsitepackages()])],
    "packages": {str(one.metadata["Name"]): one.version for one in importlib.metadata.distributions()},
}))
"""
_SHOWN = 5


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine, and what is installed beside it."""

    path: Path
    version: str
    prefixes: tuple[str, ...]
    """Where it is installed, and where what it is a virtual environment of is."""
    folders: tuple[str, ...]
    packages: Mapping[str, str]
    """Normalised name -> version."""


@dataclass(frozen=True)
class LocalSurroundings:
    """What a run has instead of an image."""

    image: LocalImage
    digest: str
    """Over the plan, the source and the interpreter; no image's."""
    unproved: tuple[str, ...]
    """What an image would have held fast and this does not: for the record."""


def make_surroundings(plan: Plan, project: Path, settings: Settings) -> LocalSurroundings:
    """Lay out a plan's runtime and source, and a venv: of the lock's wheels, or over an interpreter that is given.

    Raises ``UsageError`` where there is no such Python here, ``BuildError`` where the wheels cannot be installed.
    """
    supply, given = Supply(settings, project), bool(settings.python)
    interpreter = ask_interpreter(Path(settings.python)) if given else find_interpreter(plan, supply.config)
    venv = _make_venv(plan, interpreter, supply, settings, given=given)
    contract = b"".join(
        data for entry, data in list_runtime_files(plan) if data and entry.path.endswith("contract.json")
    )
    facts = [plan.lock_digest, contract.decode(), [vars(file) for file in plan.source], venv.name, plan.versions]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = project / ".reprobox" / "local" / digest[:16]
    with _locked(folder):  # two runs at once may both come to lay it out
        if not folder.is_dir():
            with make_folder_atomic(folder) as made:
                _write_runtime(plan, made)
                _write_source(plan, project, made)
                for name in ("home", "input"):
                    (made / name).mkdir()
    folders = {_VENV: venv, f"/{RUNTIME_FOLDER}": folder / RUNTIME_FOLDER, "/input": folder / "input"}
    copies = {WORKDIR: folder / "work", "/home/reprobox": folder / "home"}
    # What the machine has of the same names would hide an interpreter that is below them.
    hidden = [path for path in interpreter.prefixes if any(Path(path).is_relative_to(target) for target in copies)]
    image = LocalImage(
        folders={**folders, **{path: Path(path) for path in hidden}},
        copies=copies,
        env=dict(plan.env),
        entrypoint=make_image_settings(plan).entrypoint,
        workdir=WORKDIR,
    )
    return LocalSurroundings(image, f"local:{digest}", tuple(_list_unproved(plan, interpreter, given=given)))


def ask_versions(python: str) -> dict[str, str]:
    """Return what an interpreter of this machine has, as :func:`reprobox.plan.list_versions` does of a lock."""
    return {"glibc": platform.libc_ver()[1], **ask_interpreter(Path(python)).packages}


def find_interpreter(plan: Plan, config: PythonConfig) -> Interpreter:
    """Return this machine's Python of the lock's minor version."""
    short = ".".join(plan.python.version.split(".")[:2])
    done = run_uv(["python", "find", "--system", "--no-python-downloads", short], config)
    if done.code != 0:
        raise UsageError(
            f"the lock is for Python {short}, which is not on this machine",
            hint=f"install it (`uv python install {short}`), or say --python with an interpreter that has the packages",
        )
    return ask_interpreter(Path(done.stdout.strip()))


def ask_interpreter(path: Path) -> Interpreter:
    """Return what an interpreter says of itself; raise ``UsageError`` where it is none."""
    program = shutil.which(path) or str(path)
    try:
        done = run_program([program, "-I", "-c", _ASK], timeout=60)
        said = json.loads(done.stdout)
        packages = {str(canonicalize_name(name)): str(version) for name, version in said["packages"].items()}
        place = Path(os.path.abspath(program))  # noqa: PTH100 — the link itself is what belongs to a venv
        return Interpreter(place, said["version"], tuple(said["prefixes"]), tuple(said["folders"]), packages)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{path} is no Python that can be run", hint="name the interpreter itself: venv/bin/python"
        ) from None


def _make_venv(plan: Plan, interpreter: Interpreter, supply: Supply, settings: Settings, *, given: bool) -> Path:
    """Return the venv, made once for these wheels and this interpreter."""
    wheels = [] if given else [[wheel.filename, wheel.sha256] for wheel in plan.wheels]
    facts = [
        _LAYOUT,
        str(interpreter.path),
        interpreter.version,
        wheels,
        *([list(interpreter.folders)] if given else []),
    ]
    folder = settings.cache / "venvs" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    if plan.sdists and not given:
        names = ", ".join(sdist.name for sdist in plan.sdists)
        raise UsageError(
            f"{names}: source archives are built in the image, and there is none",
            hint="say --python with an interpreter that has them, or use a container engine",
        )
    with _locked(folder):
        if not (folder / _DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _create(folder, interpreter)
            if given:
                lines = [f"import site; site.addsitedir({path!r})\n" for path in interpreter.folders]
                # Read after reprobox.pth, so that the runtime is this one whatever those folders bring.
                (_site(folder) / "reprobox_existing.pth").write_text("".join(lines))
            else:
                _install(plan, folder, supply)
            (_site(folder) / "reprobox.pth").write_bytes(_read_hook(plan))
            (folder / _DONE).touch()
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create(folder: Path, interpreter: Interpreter) -> None:
    done = run_program([str(interpreter.path), "-I", "-m", "venv", "--without-pip", str(folder)], timeout=120)
    if done.code != 0:
        raise BuildError(
            f"{interpreter.path} makes no virtual environment: {(done.stderr or done.stdout).strip()[-500:]}"
        )


def _site(folder: Path) -> Path:
    return next(folder.glob("lib/python3.*/site-packages"))


def _install(plan: Plan, folder: Path, supply: Supply) -> None:
    """Install exactly the lock's wheels, by the files that were checked by their hashes."""
    blobs = supply.fetch_wheels(plan.wheels, plan.python)
    places = folder / "wheels"
    places.mkdir()
    for wheel in plan.wheels:
        (places / wheel.filename).symlink_to(blobs[wheel.sha256])
    files = [str(places / wheel.filename) for wheel in plan.wheels]
    if files:
        options = ("--no-deps", "--no-index", "--compile-bytecode", "--quiet", "--color", "never")
        done = run_uv(["pip", "install", "--python", str(folder / "bin" / "python"), *options, *files], supply.config)
        if done.code != 0:
            raise BuildError(f"the lock's wheels cannot be installed here: {clean_message(done.stderr)[-1000:]}")
    shutil.rmtree(places)


def _read_hook(plan: Plan) -> bytes:
    return next(data for entry, data in list_runtime_files(plan) if data and entry.path.endswith("reprobox.pth"))


def _write_runtime(plan: Plan, folder: Path) -> None:
    for entry, data in list_runtime_files(plan):
        if data is not None and entry.path.startswith(f"{RUNTIME_FOLDER}/"):
            path = folder / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _write_source(plan: Plan, project: Path, folder: Path) -> None:
    """Copy the source as it was listed; a file that has changed since is refused."""
    known = {f"work/{file.path}": file.sha256 for file in plan.source}
    for entry, data in list_source_entries(plan.source, project):
        path = folder / entry.path
        if entry.kind is Kind.DIR:
            path.mkdir(parents=True, exist_ok=True)
        elif entry.kind is Kind.SYMLINK:
            path.symlink_to(entry.link)
        elif isinstance(data, Path):
            shutil.copyfile(data, path)
            path.chmod(entry.mode)
            if hashlib.sha256(path.read_bytes()).hexdigest() != known[entry.path]:
                raise BuildError(f"{data} changed while it was copied", hint="run again when it is whole")


def _list_unproved(plan: Plan, interpreter: Interpreter, *, given: bool) -> Iterator[str]:
    """Say what nobody else gets with this run, each thing once."""
    yield "not in a container: its system and the libraries of it are this machine's, and cannot be handed over"
    if interpreter.version != plan.python.version:
        yield f"Python {interpreter.version} of this machine ran it, and the lock has {plan.python.version}"
    library, version = platform.libc_ver()
    if library == "glibc" and version != plan.python.glibc:
        yield f"the C library here is glibc {version}, and the lock has {plan.python.glibc}"
    if plan.system:
        yield f"Debian packages of the lock were not used: {_shorten(one.name for one in plan.system)}"
    if plan.run:
        yield "the spec's build steps were not run"
    if given:
        locked = {wheel.name: wheel.version for wheel in plan.wheels if wheel.name != "pip"}
        other = (
            f"{name} {interpreter.packages.get(name, 'missing')} (lock: {version})"
            for name, version in sorted(locked.items())
            if interpreter.packages.get(name) != version
        )
        if differing := _shorten(other):
            yield f"packages are those of {interpreter.path}, and differ from the lock: {differing}"


def _shorten(items: Iterator[str]) -> str:
    found = list(items)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
