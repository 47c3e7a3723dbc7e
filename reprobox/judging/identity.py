"""Rung 0: is a bundle's image what its spec, lock and source say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reprobox import __version__
from reprobox.build import assemble_plan, make_runtime_layer, make_source_layer
from reprobox.bundle.manifest import refuse
from reprobox.bundle.model import CLAIM_OUTPUT, CLAIM_RECORD, PROJECT, SPEC, Manifest, blob_path
from reprobox.errors import BuildError, BundleError, LockError, SpecError, UsageError
from reprobox.image import Image, closing_members
from reprobox.judging.lint import find_hooks
from reprobox.languages import Reason, Said, make_reason
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.lock import Lock
from reprobox.plan import Plan, make_plan
from reprobox.project import load_lock, open_project
from reprobox.record_text import read_record
from reprobox.records import OutputFile, RunRecord
from reprobox.spec.load import load_spec
from reprobox.spec.model import Spec
from reprobox.streams import escape_unprintable


@dataclass(frozen=True)
class Entry:
    """An entry that is consistent in itself: every byte is the one that its manifest, and its image, name."""

    manifest: Manifest
    folder: Path
    """Where the bundle's files are."""
    spec: Spec
    lock: Lock
    plan: Plan
    image: Image
    claim: RunRecord
    notes: Said
    """What was not proven."""


def identify(manifest: Manifest, folder: Path, store: LayerStore) -> Entry:
    """Read spec, lock, image and claimed run from a bundle's files, and check each against the others.

    Raises ``BundleError`` where they do not fit together.
    """
    spec, lock = _read_project(manifest, folder)
    plan = make_plan(spec, lock, manifest.source)
    _check_plan(plan, manifest)
    layers = tuple(Layer(one.diff_id, one.size, one.what, Path(), cached=True) for one in manifest.layers)
    image = _check_image(plan, layers, manifest, folder)
    entry = Entry(manifest, folder, spec, lock, plan, image, _read_claim(plan, spec, manifest, folder), ())
    try:
        return replace(entry, notes=tuple(_check_own_layers(entry, store)))
    except BundleError:
        raise
    except BuildError as exc:
        raise refuse(exc.message) from exc


def _read_project(manifest: Manifest, folder: Path) -> tuple[Spec, Lock]:
    try:
        spec = load_spec(folder / SPEC)
        return spec, load_lock(open_project(folder / SPEC), spec)
    except (SpecError, LockError, UsageError) as exc:
        first = exc.message.partition("\n")[0].replace(f"{folder}/", "")
        raise refuse(f"its spec and lock cannot be used: {first}") from exc


def _check_plan(plan: Plan, manifest: Manifest) -> None:
    said = (manifest.name, manifest.seed, manifest.level, manifest.spec_digest, manifest.lock_digest)
    if said != (plan.name, plan.seed, plan.level.value, plan.spec_digest, plan.lock_digest):
        raise refuse("its manifest and its spec and lock do not say the same")


def _check_image(plan: Plan, layers: tuple[Layer, ...], manifest: Manifest, folder: Path) -> Image:
    """Write the image's configuration as a build would, and compare: user, entrypoint, variables, order of layers."""
    config = (folder / blob_path(manifest.image_digest)).read_bytes()
    for hook in find_hooks(config):
        raise refuse(f"its image has {hook}")
    image = assemble_plan(plan, layers)
    if image.config_digest != manifest.image_digest:
        raise refuse(f"its image is not the one that its spec and lock describe{_say_version(manifest)}")
    if image.manifest_digest != manifest.manifest_digest:
        raise refuse("its image's manifest is not the one that its layers make")
    for name, data in closing_members(image, manifest.tag):
        if (folder / name).read_bytes() != data:
            raise refuse(f"its {name} would lead an engine to another image")
    return image


def _say_version(manifest: Manifest) -> str:
    if manifest.reprobox == __version__:
        return ""
    theirs = escape_unprintable(manifest.reprobox[:40])
    return f"; it says that reprobox {theirs} made it, and this is {__version__}: only the same one can tell"


def _check_own_layers(entry: Entry, store: LayerStore) -> Iterator[Reason]:
    """Make the layers that need no engine, and compare; say what remains the entrant's word."""
    plan, layers = entry.plan, entry.image.layers
    source = make_source_layer(plan, entry.folder / PROJECT, store)
    if source.diff_id != layers[-1].diff_id:
        raise refuse("the source in its image is not the source beside it")
    if make_runtime_layer(plan, store).diff_id != layers[-2].diff_id:
        raise refuse(
            f"the runtime in its image, which seeds everything, is not reprobox's{_say_version(entry.manifest)}"
        )
    yield make_reason("packed_as_is")


def _read_claim(plan: Plan, spec: Spec, manifest: Manifest, folder: Path) -> RunRecord:
    """Return the record of the claimed run, whose outputs are those that are really there."""
    try:
        record = read_record(folder / CLAIM_RECORD)
    except UsageError as exc:
        raise refuse(f"the record of its result cannot be used: {exc.message.replace(f'{folder}/', '')}") from exc
    outputs = tuple(
        OutputFile(file.path.removeprefix(CLAIM_OUTPUT), file.sha256, file.size)
        for file in manifest.files
        if file.path.startswith(CLAIM_OUTPUT)
    )
    said = {(file.path, file.sha256, file.size) for file in record.outputs}
    for output in outputs:
        if (output.path, output.sha256, output.size) not in said:
            raise refuse(f"the output {output.path[:200]!r} is not the one that the claimed run left")
    if (record.image_digest, record.seed, record.level) != (manifest.image_digest, plan.seed, plan.level.value):
        raise refuse("its result is of another image, seed or level")
    if dict(record.inputs) != {name: one.sha256 for name, one in spec.inputs.items()}:
        raise refuse("its result is of other inputs than those of its spec")
    return replace(record, outputs=outputs)
