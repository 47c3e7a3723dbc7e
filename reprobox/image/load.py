"""Make an engine hold an image: send what it lacks, check what it has, only then give it its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from reprobox.engines.base import EngineGone, EngineImage, EngineInfo, ImageStore
from reprobox.engines.owners import name_temporary
from reprobox.errors import BuildError, EngineError
from reprobox.image.archive import archive_chunks, archive_size
from reprobox.image.assemble import Image
from reprobox.layers.model import Layer

OnProgress = Callable[[int, int], None]
"""Gets (bytes sent, of how many)."""


class LayerReader(Protocol):
    """Where the layers' bytes are."""

    def read(self, layer: Layer) -> Iterator[bytes]:
        """Yield the layer's tar; its digest is for the engine to check."""

    def verify(self, layers: Iterable[Layer]) -> None:
        """Raise a ``BuildError`` when one of them is damaged."""


class LoadingEngine(ImageStore, Protocol):
    """What loading needs of an engine."""

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""


def load_image(
    engine: LoadingEngine,
    image: Image,
    tag: str,
    store: LayerReader,
    on_progress: OnProgress = lambda sent, total: None,
) -> str:
    """Make ``tag`` name ``image`` in the engine, sending only what it lacks; return the engine's ID, checked.

    Raises ``EngineError`` when the engine refuses or holds something else afterwards, and lets through what ``store``
    raises for a damaged layer; ``tag`` is then what it was before.
    """
    wanted = engine.info().identify(image)
    if engine.find_image(tag) == wanted:
        return wanted.engine_id
    # Under a name of its own until it is whole: the containerd store names an image before it has unpacked it,
    # and keeps the name when that fails. It is this process's alone: another build of the same image neither takes
    # it away nor finds half of its work under it.
    loading = name_temporary("reprobox-loading")
    try:
        _send_what_is_missing(engine, image, loading, _find_held(engine, image, tag), store, on_progress)
        _check_loaded(engine.find_image(loading), wanted)
        engine.tag_image(wanted.engine_id, tag)
    except EngineGone:
        raise  # there is nobody to tidy up with; the next process to connect does
    except BaseException:
        engine.remove_image(loading)
        raise
    engine.remove_image(loading)
    return wanted.engine_id


def _send_what_is_missing(
    engine: LoadingEngine, image: Image, tag: str, held: frozenset[str], store: LayerReader, on_progress: OnProgress
) -> None:
    """Send the image without the layers ``held``; when it refuses, once more with all of them.

    The second try also heals a containerd store that kept the beginning of a damaged layer from an earlier load:
    it resumes there, finds another digest, and drops it.
    """
    refused: EngineError | None = None
    for skip in (held, frozenset[str]()):
        total = archive_size(image, tag, skip)
        chunks = archive_chunks(image, tag, skip, store.read)
        try:
            engine.load_archive(_count_sent(chunks, total, on_progress))
        except EngineGone:
            raise
        except BuildError:  # a layer has another length than it had
            store.verify(image.layers)
            raise
        except EngineError as error:
            # Engines check every layer's digest: hashing them here as well is for when one has refused.
            store.verify(image.layers)
            refused = error
            continue
        if not skip or engine.is_whole(tag):
            return
    if refused is not None:
        raise refused


def _find_held(engine: LoadingEngine, image: Image, tag: str) -> frozenset[str]:
    """Return the layers that may be left out; Podman wants every one. Most are those of the image built before.

    The containerd store takes part of an OCI layout, though of a ``docker save`` archive it wants all.
    """
    if engine.info().name != "docker":
        return frozenset()
    return frozenset(image.diff_ids[: engine.count_held_layers(image.diff_ids, tag)])


def _count_sent(chunks: Iterable[bytes], total: int, on_progress: OnProgress) -> Iterator[bytes]:
    sent = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        on_progress(sent, total)


def _check_loaded(found: EngineImage | None, wanted: EngineImage) -> None:
    if found == wanted:
        return
    if found is None:
        problem = "has none afterwards"
    elif found.diff_ids != wanted.diff_ids:
        problem = f"holds other layers: {', '.join(found.diff_ids) or 'none'} instead of {', '.join(wanted.diff_ids)}"
    else:
        problem = f"calls it {found.engine_id} instead of {wanted.engine_id}"
    raise EngineError(
        f"the engine accepted the image but {problem}",
        hint="build again; if it stays so, see the engine's log and its free disk",
    )
