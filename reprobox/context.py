"""Write the build context: a folder that plain ``docker build`` turns into the image's files, offline."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from reprobox.errors import BuildError, UsageError
from reprobox.files import make_folder_atomic, write_atomic
from reprobox.image_settings import USER, make_image_settings
from reprobox.layers.bytecode import read_worker
from reprobox.layers.tar import Entry, Kind
from reprobox.layers.wheel_files import site_packages
from reprobox.lock import ArchiveBase, DebianBase, DebPackage, ImageBase, Sdist, Wheel
from reprobox.plan import Plan
from reprobox.runtime_files import list_runtime_files
from reprobox.source import OWN_IGNORE_FILE
from reprobox.steps.debian import INSTALL_SCRIPT, PACKAGES_FOLDER, list_step_files
from reprobox.steps.runner import STEP_ENV
from reprobox.steps.sources import BUILDER, VENV_PYTHON, read_builder
from reprobox.templating import fill_template, read_base_dockerfile

INSTALLER = "pip"
"""The package that installs the others in a plain ``docker build``; every lock holds it."""

Blobs = Mapping[str, Path]
"""sha256 -> the file with that content."""


def write_context(plan: Plan, project: Path, out: Path, blobs: Blobs, unpacked: Path | None) -> None:
    """Write everything the Dockerfile needs into ``out``, which must be new or empty.

    ``blobs`` has every wheel and Debian package of the plan, ``unpacked`` is the tar that a base without a registry
    starts from. The folder is written under another name and renamed: it is whole or not there.
    """
    _check_target(out)
    try:
        with make_folder_atomic(out.absolute()) as temporary:
            _write_parts(plan, project, temporary, blobs, unpacked)
    except OSError as exc:
        _check_target(out)  # another process may have been faster
        raise BuildError(
            f"the build context {out} could not be written: {exc.strerror}: {exc.filename}", hint="look at its disk"
        ) from exc


def _check_target(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and not an empty folder", hint="name a new folder")


def _write_parts(plan: Plan, project: Path, out: Path, blobs: Blobs, unpacked: Path | None) -> None:
    write_atomic(out / "Dockerfile", format_dockerfile(plan))
    write_atomic(out / OWN_IGNORE_FILE, "*\n")  # where it is inside a project it is no part of the source
    if isinstance(plan.base, DebianBase):
        _write_packages(out / "base", plan.base.packages, blobs)
    if unpacked is not None:
        _link_or_copy(unpacked, out / "base.tar")
    _write_packages(out / "system", plan.system, blobs)
    (out / "wheels").mkdir()
    for wheel in plan.wheels:
        _link_or_copy(blobs[wheel.sha256], out / "wheels" / wheel.filename)
    write_atomic(out / "wheels" / "requirements.lock", format_requirements(plan.wheels))
    write_atomic(out / "wheels" / "compile_worker.py", read_worker())
    _write_sdists(plan.sdists, out / "sources", blobs)
    for entry, data in list_runtime_files(plan):
        _write_entry(out / "runtime", entry, data)
    _write_source(plan, project, out / "source")


def format_dockerfile(plan: Plan) -> str:
    """Return the Dockerfile of a plan."""
    settings = make_image_settings(plan)
    script = f"/{PACKAGES_FOLDER}/{INSTALL_SCRIPT}"
    return fill_template(
        "Dockerfile.j2",
        name=plan.name,
        spec_digest=plan.spec_digest,
        lock_digest=plan.lock_digest,
        base_stage=_format_base(plan),
        system=plan.system,
        install_script=script,
        python=plan.python.executable,
        pip_wheel=_find_installer(plan.wheels),
        sdists=plan.sdists,
        build_command=[VENV_PYTHON, f"/sources/{BUILDER}"],
        wanted=[f"{sdist.name}=={sdist.version}" for sdist in plan.sdists],
        site_packages="/" + site_packages(plan.python),
        run=plan.run,
        step_env=[f"{key}={value}" for key, value in STEP_ENV.items()],
        env=plan.env,
        labels=settings.labels,
        open_folders=[entry.path for entry, _ in list_runtime_files(plan) if entry.mode & 0o1000],
        user=USER,
        entrypoint=settings.entrypoint,
        command=(),
    )


def format_requirements(wheels: tuple[Wheel, ...]) -> str:
    """Return a requirements file that pip installs with ``--require-hashes``."""
    return "".join(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)


def _format_base(plan: Plan) -> str:
    match plan.base:
        case DebianBase():
            return read_base_dockerfile().rstrip()
        case ImageBase(reference=reference):
            return f"FROM {reference} AS base"
        case ArchiveBase():
            return "FROM scratch AS base\nADD base.tar /"


def _find_installer(wheels: tuple[Wheel, ...]) -> str:
    found = next((wheel.filename for wheel in wheels if wheel.name == INSTALLER), None)
    if found is None:
        raise BuildError(
            f"the lock has no {INSTALLER}, which a plain docker build needs", hint="run `reprobox lock` again"
        )
    return found


def _write_packages(folder: Path, packages: tuple[DebPackage, ...], blobs: Blobs) -> None:
    if not packages:
        return
    for entry, data in list_step_files([(package, blobs[package.sha256]) for package in packages]):
        _write_entry(folder, entry, data)


def _write_sdists(sdists: tuple[Sdist, ...], folder: Path, blobs: Blobs) -> None:
    if not sdists:
        return
    folder.mkdir()
    for sdist in sdists:
        _link_or_copy(blobs[sdist.sha256], folder / sdist.filename)
    write_atomic(folder / BUILDER, read_builder())


def _write_entry(folder: Path, entry: Entry, data: bytes | Path | None) -> None:
    target = folder / PurePosixPath(entry.path)
    if entry.kind is Kind.DIR:
        target.mkdir(parents=True, exist_ok=True)
    elif isinstance(data, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(data, target)
        return
    else:
        write_atomic(target, data or b"")
    target.chmod(entry.mode)


def _write_source(plan: Plan, project: Path, folder: Path) -> None:
    folder.mkdir()
    for file in plan.source:
        target = folder / PurePosixPath(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.link:
            target.symlink_to(file.link)
            continue
        shutil.copyfile(project / file.path, target, follow_symlinks=False)
        target.chmod(0o755 if file.executable else 0o644)
    # The builder copies the folders' modes too, and this user's umask may have left others out.
    for parent, folders, _ in os.walk(folder):
        for name in (".", *folders):
            Path(parent, name).chmod(0o755)


def _link_or_copy(source: Path, target: Path) -> None:
    """Share the cache's bytes where the disk allows; blobs are never written to, so a link is safe."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
