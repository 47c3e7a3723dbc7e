"""Take a bundle in: check it, have the engine hold its image, find the inputs that its runs read."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from reprobox.build import build_plan
from reprobox.bundle.manifest import refuse
from reprobox.bundle.model import INPUTS, PROJECT, Manifest
from reprobox.bundle.read import BundleLayers, Heading, extract_files, read_heading
from reprobox.bundle.signature import check_signature
from reprobox.engines.base import Engine, EngineInfo
from reprobox.errors import BundleError, UsageError
from reprobox.files import write_atomic
from reprobox.image import load_image
from reprobox.inputs import hash_input
from reprobox.judging.entrant_report import is_unpacked
from reprobox.judging.identity import Entry
from reprobox.judging.summary import SUMMARIES
from reprobox.judging.terms import Contest
from reprobox.languages import Reason, Said, make_reason
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.reporting import show_activity, show_tasks
from reprobox.settings import Settings
from reprobox.sizes import format_size
from reprobox.source import OWN_IGNORE_FILE

_BLOCK = 4096
RESERVE = 2**30
"""Bytes that stay free on the judge's disk."""


def prepare_out(out: Path) -> Path:
    """Make the folder for judgements; where it is below a project it is no part of its source."""
    out = out.absolute()
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / OWN_IGNORE_FILE).exists():
            write_atomic(out / OWN_IGNORE_FILE, "*\n")
    except OSError as exc:
        raise UsageError(f"{out} cannot be written: {exc.strerror or exc}", hint="name another folder: -o") from exc
    return out


def choose_folder(path: Path, out: Path) -> Path:
    """Return where a bundle's judgement is kept: below ``out``, by the name that its sender gave the file.

    Raises ``BundleError`` for a name that leads elsewhere, as "...reprobox" does to the folder above, or that a file
    of ours has there.
    """
    if path.stem.startswith(".") or path.stem in ("", *SUMMARIES) or not path.stem.isprintable():
        raise BundleError(
            f"{path.name!r} is refused: its judgement cannot be kept under such a name", hint="rename the file"
        )
    return out / path.stem


def open_heading(path: Path, contest: Contest, allowed: Path | None) -> tuple[Heading, str]:
    """Read what stands first in a bundle, and refuse one of the wrong sender or size before anything is unpacked."""
    heading = read_heading(path)
    signer = check_signature(heading.text, heading.signature, allowed) if allowed else ""
    size = sum(file.size for file in heading.manifest.files)
    size += sum(layer.size for layer in heading.manifest.layers if layer.held)
    if size > contest.limits.bundle:
        most = format_size(contest.limits.bundle)
        raise refuse(f"it unpacks to {format_size(size)}, and the contest takes {most} (limits.bundle)")
    return heading, signer


def unpack_files(path: Path, heading: Heading, folder: Path, settings: Settings) -> None:
    """Check every byte of a bundle and put its files, but neither layers nor pages of a report, into a new folder."""
    # Each takes whole blocks, and a folder perhaps.
    needed = sum(file.size + 2 * _BLOCK for file in heading.manifest.files)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    if needed + RESERVE > shutil.disk_usage(folder).free:
        raise UsageError(f"the files of {path.name} take {format_size(needed)}", hint=f"make room for {folder}")
    with show_tasks(settings.reporter, "check") as show:
        extract_files(path, heading, folder, partial(show, path.name), is_unpacked)


def provide_image(path: Path, entry: Entry, engine: Engine, settings: Settings, *, rebuild: bool) -> tuple[str, Entry]:
    """Have the engine hold the entry's image, and return the engine's ID of it.

    Its layers come from the bundle, and those that a thin one leaves out from the cache; with ``rebuild`` all are made
    anew from spec, lock and source, and have to be the same.
    """
    tag = tag_image(entry.manifest)
    if rebuild:
        _rebuild(entry, tag, engine, settings)
    reader = _Layers(BundleLayers(path, entry.manifest), LayerStore(settings.cache), entry.manifest)
    check_room(engine, entry.manifest, path)
    with show_tasks(settings.reporter, "load") as show:
        image = load_image(engine, replace(entry.image, layers=reader.layers), tag, reader, partial(show, path.name))
    notes = tuple(note for note in entry.notes if not rebuild or note.key != "packed_as_is")
    return image, replace(entry, notes=notes)


def tag_image(manifest: Manifest) -> str:
    """Return what the engine calls an entry's image: never a name that the entrant chose, which another may have."""
    return f"reprobox-judge/{manifest.image_digest.partition(':')[2][:32]}:latest"


def check_room(engine: Engine, manifest: Manifest, path: Path) -> None:
    """Refuse to fill the engine's disk, which others use too; where it can be seen from here."""
    info = engine.info()
    layers = {one.diff_id: one.size for one in manifest.layers}
    lacking = list(layers)[engine.count_held_layers(tuple(layers)) :]
    needed = sum(layers[one] for one in lacking)
    free = _find_free(info)
    if free is not None and needed + RESERVE > free:
        raise UsageError(
            f"the layers of {path.name} take {format_size(needed)}, and {format_size(free)} are left in {info.root}",
            hint="make room for the engine there",
        )


def _find_free(info: EngineInfo) -> int | None:
    """Return the bytes that are left on the engine's disk; ``None`` where that cannot be seen from here."""
    try:
        return shutil.disk_usage(info.root).free if info.local else None
    except OSError:
        return None


def _rebuild(entry: Entry, tag: str, engine: Engine, settings: Settings) -> None:
    # Its build steps are a stranger's programs: what they want must not be all that the machine has.
    info = engine.info()
    free = _find_free(info)
    engine.limit_steps(info.memory * 3 // 4, None if free is None else max(1, free // 2))
    with show_activity(settings.reporter, "make the image anew"):
        built = build_plan(entry.plan, entry.folder / PROJECT, engine, settings, tag)
    if built.image.config_digest == entry.manifest.image_digest:
        return
    engine.remove_image(tag)
    pairs = zip(built.image.layers, entry.image.layers, strict=False)
    which = next((theirs.what for ours, theirs in pairs if ours.diff_id != theirs.diff_id), "their number")
    raise refuse(f"made anew from its spec, lock and source, its image is another one: {which!r} differs")


class _Layers:
    """The layers of an entry: from its bundle, or from this machine's cache."""

    def __init__(self, bundle: BundleLayers, store: LayerStore, manifest: Manifest) -> None:
        self._bundle = bundle
        self._store = store
        self._held = {one.diff_id for one in manifest.layers if one.held}
        self.layers = tuple(self._locate(manifest))

    def _locate(self, manifest: Manifest) -> Iterator[Layer]:
        missing = []
        for one in manifest.layers:
            found = None if one.held else self._store.find_content(one.diff_id, one.size, one.what)
            if found is None and not one.held:
                missing.append(one.what)
            yield found or Layer(one.diff_id, one.size, one.what, Path(), cached=True)
        if missing:
            raise BundleError(
                f"the bundle is thin, and layers that it leaves out are not on this machine: {', '.join(missing[:5])}",
                hint="--rebuild makes them, with the network; or ask for a bundle that is not thin",
            )

    def read(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer's tar, hashed on its way."""
        return self._bundle.read(layer) if layer.diff_id in self._held else self._store.read_verified(layer)

    def verify(self, layers: Iterable[Layer]) -> None:
        """Raise where one is damaged."""
        for layer in layers:
            for _ in self.read(layer):
                pass


def find_inputs(entry: Entry, contest: Contest) -> tuple[dict[str, Path], Said]:
    """Return where each input is, the judges' own data first, and what is not the data that the entry was made with.

    Raises ``UsageError`` for one that nobody has.
    """
    found: dict[str, Path] = {}
    other: list[Reason] = []
    for name, wanted in entry.spec.inputs.items():
        held = entry.folder / INPUTS / name
        path = contest.inputs.get(name) or (held if held.exists() else None)
        if path is None:
            raise UsageError(
                f"the entry reads the input {name!r}, which its bundle does not hold",
                hint=f"say --input {name}=PATH, or name it under inputs in the contest's file",
            )
        digest = hash_input(path)
        if digest != wanted.sha256:
            other.append(make_reason("other_input", name=name, here=digest[:16], claimed=wanted.sha256[:16]))
        found[name] = path
    return found, tuple(other)
