"""Pack a project's image, source, result and evidence into the one file that is handed over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reprobox.build import build_plan
from reprobox.bundle.contents import Contents, Sources, choose_contents, list_evidence
from reprobox.bundle.manifest import format_manifest
from reprobox.bundle.model import SUFFIX
from reprobox.bundle.packing import Compression
from reprobox.bundle.signature import sign
from reprobox.bundle.write import write_bundle
from reprobox.context import format_dockerfile, format_requirements
from reprobox.contract import format_contract
from reprobox.engines.base import Engine
from reprobox.errors import UsageError
from reprobox.layers.store import LayerStore
from reprobox.plan import Plan
from reprobox.record_text import find_run, read_newest_first
from reprobox.records import RunRecord
from reprobox.reporting import show_tasks
from reprobox.settings import Settings
from reprobox.source import REPORT_FOLDER
from reprobox.spec.model import Spec
from reprobox.sweep import sweep_id


@dataclass(frozen=True)
class ExportOptions:
    """What was asked for."""

    out: Path | None
    """The file, or a folder for it; ``None``: here, under the entry's name."""
    run: str
    """Whose outputs are the result; empty: the newest run of the image that is whole."""
    with_inputs: bool
    thin: bool
    compression: Compression
    key: Path | None
    """An SSH key to sign with."""
    allowed: frozenset[str]


@dataclass(frozen=True)
class Exported:
    """The bundle that was written."""

    path: Path
    size: int
    digest: str
    """Of its manifest: the same however it is packed."""
    contents: Contents


@dataclass(frozen=True)
class ExportRequest:
    """A planned project that is to be exported."""

    plan: Plan
    spec: Spec
    project: Path
    spec_path: Path
    lock_path: Path
    state: Path
    beside: tuple[tuple[str, str], ...]
    """What lies in the project and is no source: path and reason."""
    options: ExportOptions


def export_plan(request: ExportRequest, engine: Engine, settings: Settings) -> Exported:
    """Bring the image up to date, choose what enters, write the bundle."""
    plan, options = request.plan, request.options
    image = build_plan(plan, request.project, engine, settings).image
    report = request.project / REPORT_FOLDER
    contents = choose_contents(
        Sources(
            plan=plan,
            spec=request.spec,
            image=image,
            project=request.project,
            spec_text=request.spec_path.read_bytes(),
            lock_text=request.lock_path.read_bytes(),
            context={
                "Dockerfile": format_dockerfile(plan).encode(),
                "contract.json": format_contract(plan),
                "requirements.lock": format_requirements(plan.wheels).encode(),
            },
            claim=find_claim(request, image.config_digest),
            evidence=list_evidence(request.state, image.config_digest, sweep_id(image.config_digest, gpu=False)),
            report=report if (report / "report.json").is_file() else None,
            with_inputs=options.with_inputs,
            thin=options.thin,
            beside=request.beside,
            allowed=options.allowed,
        )
    )
    out = _choose_path(options.out, plan.name)
    signer = partial(sign, key=options.key) if options.key else None
    store = LayerStore(settings.cache)
    with show_tasks(settings.reporter, "write") as show:
        # Each layer is hashed as it goes out: a damaged one must not be handed over.
        size = write_bundle(
            contents, image, store.read_verified, out, options.compression, signer, partial(show, out.name)
        )
    digest = hashlib.sha256(format_manifest(contents.manifest)).hexdigest()
    return Exported(out, size, f"sha256:{digest}", contents)


def find_claim(request: ExportRequest, image_digest: str) -> tuple[Path, RunRecord]:
    """Return the run whose outputs are handed over as the result.

    Raises ``UsageError`` where there is none of this image that ran every stage and left every output.
    """
    runs = request.state / "runs"
    if request.options.run:
        folder, record = find_run(request.options.run, runs)
        if problem := _find_fault(request.plan, record, image_digest):
            raise UsageError(f"run {record.id} cannot be the result: {problem}", hint="name another, or none")
        return folder, record
    for folder, record in read_newest_first(runs):
        if not _find_fault(request.plan, record, image_digest):
            return folder, record
    raise UsageError(
        "there is no run of this image whose result could be handed over",
        hint="`reprobox verify` makes several and shows that they agree; `reprobox run` makes one",
    )


def _find_fault(plan: Plan, record: RunRecord, image_digest: str) -> str:
    """Say why a run is not the whole of what the spec describes; empty where it is."""
    if record.image_digest != image_digest:
        return f"it is of another image, {record.image_digest[:19]}, and the spec's is {image_digest[:19]} now"
    if record.seed != plan.seed:
        return f"it ran with seed {record.seed}, not the spec's {plan.seed}"
    if record.failed:
        return "it failed, or left outputs out"
    if record.earlier or [stage.name for stage in record.stages] != [stage.name for stage in plan.stages]:
        return "it did not run every stage itself"
    return ""


def _choose_path(out: Path | None, name: str) -> Path:
    if out is None:
        return Path(f"{name}{SUFFIX}").absolute()
    return (out / f"{name}{SUFFIX}" if out.is_dir() else out).absolute()
