"""Choose what enters a bundle, and refuse what must not leave this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reprobox import __version__
from reprobox.bundle.left_out import summarise_left_out
from reprobox.bundle.manifest import format_manifest, is_safe_path, parse_manifest
from reprobox.bundle.model import (
    BUNDLE_SCHEMA,
    CLAIM_OUTPUT,
    CLAIM_RECORD,
    CONTEXT,
    EVIDENCE,
    INPUTS,
    LOCK,
    PROJECT,
    REPORT,
    SPEC,
    BundledFile,
    BundledInput,
    BundledLayer,
    LeftOut,
    Manifest,
    blob_path,
)
from reprobox.bundle.secrets import (
    LOOKED_AT,
    LOOKED_AT_INPUT,
    Secret,
    find_named,
    find_variables,
    find_written,
    is_text,
)
from reprobox.errors import BundleError, UsageError
from reprobox.image import Image, closing_members
from reprobox.inputs import hash_file
from reprobox.outputs import select_outputs, walk_tree
from reprobox.plan import Plan
from reprobox.records import OutputFile, RunRecord
from reprobox.resolve.requirement_files import list_requirement_files
from reprobox.source import REPORT_FOLDER
from reprobox.spec.model import Spec

Data = bytes | Path
"""What a member holds: bytes, or a file of this machine."""


@dataclass(frozen=True)
class Sources:
    """Where everything lies that a bundle is made of."""

    plan: Plan
    spec: Spec
    image: Image
    project: Path
    spec_text: bytes
    lock_text: bytes
    context: Mapping[str, bytes]
    """The Dockerfile and what is written for it, by name."""
    claim: tuple[Path, RunRecord]
    """The run whose outputs are handed over as the result."""
    evidence: tuple[tuple[str, Path], ...]
    """Verifications, sweeps and their runs' records: name and file."""
    report: Path | None
    with_inputs: bool
    thin: bool
    beside: tuple[tuple[str, str], ...]
    """What lies in the project and is no source: path and reason."""
    allowed: frozenset[str]
    """Files, or folders of such, that are handed over though they look as if they held secrets."""


@dataclass(frozen=True)
class Contents:
    """A manifest, and the data of each of its files."""

    manifest: Manifest
    data: Mapping[str, Data]


def choose_contents(sources: Sources) -> Contents:
    """Describe a bundle without writing it.

    Raises ``UsageError`` for what looks like a secret, and for files that no bundle can hold.
    """
    plan, image = sources.plan, sources.image
    left_out = list(summarise_left_out(sources.beside))
    data = dict(_list_data(sources, left_out))
    _check_secrets(sources, data)
    files = tuple(sorted((_describe(name, one) for name, one in data.items()), key=lambda file: file.path))
    _check_claim(sources, files)
    tag = plan.tag
    manifest = Manifest(
        schema_version=BUNDLE_SCHEMA,
        reprobox=__version__,
        name=plan.name,
        seed=plan.seed,
        level=plan.level.value,
        spec_digest=plan.spec_digest,
        lock_digest=plan.lock_digest,
        image_digest=image.config_digest,
        manifest_digest=image.manifest_digest,
        tag=tag,
        layers=_describe_layers(sources),
        source=plan.source,
        inputs=tuple(
            BundledInput(name, entry.path, entry.sha256, sources.with_inputs)
            for name, entry in sorted(sources.spec.inputs.items())
        ),
        claim=sources.claim[1].id,
        files=files,
        left_out=tuple(left_out),
    )
    try:
        parse_manifest(format_manifest(manifest))
    except BundleError as exc:
        raise UsageError(f"nothing was exported, for every judge would say: {exc.message}") from exc
    return Contents(manifest, data)


def _check_claim(sources: Sources, files: tuple[BundledFile, ...]) -> None:
    """Raise ``UsageError`` for a run of other inputs, or whose outputs have changed: every judge would refuse it."""
    _, record = sources.claim
    if dict(record.inputs) != {name: entry.sha256 for name, entry in sources.spec.inputs.items()}:
        raise UsageError(
            f"run {record.id} had other inputs than the spec names now",
            hint="run it again, or export another run: --run",
        )
    found = {file.path: file.sha256 for file in files}
    for output in list_claimed(sources.plan, sources.spec, record):
        if found[CLAIM_OUTPUT + output.path] != output.sha256:
            raise UsageError(
                f"{output.path} of run {record.id} has been changed since the run left it",
                hint="run it again, or export another run: --run",
            )


def _list_data(sources: Sources, left_out: list[LeftOut]) -> Iterator[tuple[str, Data]]:
    yield SPEC, sources.spec_text
    yield LOCK, sources.lock_text
    for file in sources.plan.source:
        if not file.link:
            yield PROJECT + file.path, sources.project / file.path
    if sources.spec.requirements:
        for path in list_requirement_files(sources.project / sources.spec.requirements, sources.project):
            yield PROJECT + path.relative_to(sources.project).as_posix(), path
    for name, text in sources.context.items():
        yield CONTEXT + name, text
    folder, record = sources.claim
    yield CLAIM_RECORD, folder / "run.json"
    for output in list_claimed(sources.plan, sources.spec, record):
        yield CLAIM_OUTPUT + output.path, folder / "output" / output.path
    yield from ((EVIDENCE + name, path) for name, path in sources.evidence)
    yield from _list_report(sources.report, left_out)
    if sources.with_inputs:
        yield from _list_inputs(sources)
    else:
        left_out += [LeftOut(entry.path, "inputs stay here without --with-inputs") for entry in _inputs(sources.spec)]
    image = sources.image
    yield blob_path(image.config_digest), image.config
    yield from closing_members(image, sources.plan.tag)


def list_claimed(plan: Plan, spec: Spec, record: RunRecord) -> tuple[OutputFile, ...]:
    """Return the outputs of a run that are its result: what the spec names, or all where it names none."""
    declared = (*spec.outputs, *(item for stage in plan.stages for item in stage.outputs))
    return select_outputs(declared, record.outputs)


def _inputs(spec: Spec) -> Iterable[BundledInput]:
    return (BundledInput(name, one.path, one.sha256, held=False) for name, one in sorted(spec.inputs.items()))


def _list_inputs(sources: Sources) -> Iterator[tuple[str, Path]]:
    for one in _inputs(sources.spec):
        root = sources.project / one.path
        if root.is_file():
            yield INPUTS + one.name, root
            continue
        for path in walk_tree(root, _refuse_unlisted):
            if path.is_symlink() or (path.is_dir() and not any(path.iterdir())):
                raise UsageError(
                    f"{path} cannot enter a bundle: it is a link or an empty folder",
                    hint="leave --with-inputs out and hand the data over by another way",
                )
            if path.is_file():
                yield f"{INPUTS}{one.name}/{path.relative_to(root).as_posix()}", path


def _list_report(report: Path | None, left_out: list[LeftOut]) -> Iterator[tuple[str, Path]]:
    if report is None:
        left_out.append(LeftOut(REPORT_FOLDER, "there is none: `reprobox report` writes it"))
        return
    for path in walk_tree(report, _refuse_unlisted):
        if path.is_file() and not path.is_symlink():
            yield REPORT + path.relative_to(report).as_posix(), path


def _refuse_unlisted(path: Path, reason: str) -> None:
    raise UsageError(f"{path} cannot be read: {reason}", hint="make it readable for yourself")


def _describe_layers(sources: Sources) -> tuple[BundledLayer, ...]:
    """Keep, of a thin bundle, only what no other entry can have: the two layers that the plan alone makes."""
    own = {layer.diff_id for layer in sources.image.layers[-2:]}
    return tuple(
        BundledLayer(one.diff_id, one.size, one.what, held=not sources.thin or one.diff_id in own)
        for one in sources.image.layers
    )


def _describe(name: str, data: Data) -> BundledFile:
    if not is_safe_path(name):
        raise UsageError(
            f"{name!r} cannot enter a bundle: its name has characters that some systems read otherwise",
            hint="rename it, or leave it out with source.exclude",
        )
    if isinstance(data, bytes):
        return BundledFile(name, hashlib.sha256(data).hexdigest(), len(data))
    return BundledFile(name, hash_file(data), data.stat().st_size)


def _check_secrets(sources: Sources, data: Mapping[str, Data]) -> None:
    found = [one for one in _find_secrets(sources, data) if not _is_allowed(one.file, sources.allowed)]
    if not found:
        return
    lines = "\n".join(f"  {one.where}: {one.what}" for one in sorted(set(found))[:20])
    more = f"\n  and {len(found) - 20} more" if len(found) > 20 else ""
    raise UsageError(
        f"nothing was exported: these look like secrets, and whoever gets the bundle can read them\n{lines}{more}",
        hint="take them out of the project (source.exclude keeps a file out of the image too), or say"
        " --allow-secret FILE where one is none (a folder: all below it); a secret that was in an image once should be"
        " changed",
    )


def _is_allowed(file: str, allowed: frozenset[str]) -> bool:
    return any(file == one or file.startswith(f"{one.rstrip('/')}/") for one in allowed if one)


def _find_secrets(sources: Sources, data: Mapping[str, Data]) -> Iterator[Secret]:
    yield from find_variables(sources.plan.env)
    project = {name.removeprefix(PROJECT): one for name, one in data.items() if name.startswith(PROJECT)}
    texts = {name: one for name, one in data.items() if name.startswith((REPORT, EVIDENCE, CLAIM_RECORD, CONTEXT))}
    # Of any size and kind: what is no text is not searched.
    results = {name: one for name, one in data.items() if name.startswith((CLAIM_OUTPUT, INPUTS))}
    yield from find_named((*project, *results))
    for name, one in {**project, **texts, **results}.items():
        start = _read_start(one, LOOKED_AT_INPUT if name.startswith(INPUTS) else LOOKED_AT)
        if name not in results or is_text(start):
            yield from find_written(name, start)


def _read_start(data: Data, size: int) -> bytes:
    if isinstance(data, bytes):
        return data[:size]
    with data.open("rb") as stream:
        return stream.read(size)


def list_evidence(state: Path, image_digest: str, sweep_name: str) -> tuple[tuple[str, Path], ...]:
    """Return the newest verification of the image, its sweep, and the records of their runs."""
    found: dict[str, Path] = {}
    verified = sorted((state / "verify").glob("*.json"), reverse=True)
    for path, key in (*((one, "verify") for one in verified), (state / "sweep" / f"{sweep_name}.json", "sweep")):
        data = _read_json(path)
        if data.get("image_digest") != image_digest or any(name.startswith(f"{key}/") for name in found):
            continue
        found[f"{key}/{path.name}"] = path
        for run in _list_runs(data):
            record = state / "runs" / run / "run.json"
            if record.is_file():
                found[f"runs/{run}.json"] = record
    return tuple(sorted(found.items()))


def _read_json(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _list_runs(data: Mapping[str, object]) -> Iterator[str]:
    runs = data.get("runs")
    for one in runs if isinstance(runs, list) else ():
        name = one.get("run") if isinstance(one, dict) else None
        if isinstance(name, str) and "/" not in name and name not in ("", ".", ".."):
            yield name
