"""Wheels of source archives: each built in a container of the image's own lower layers, and kept like a layer."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

from packaging.tags import Tag, parse_tag

from reprobox.errors import BuildError
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.layers.wheel_tar import WheelFile
from reprobox.layers.zip_members import open_zip
from reprobox.lock import Sdist, Wheel
from reprobox.steps.runner import STEP_ENV, StepRunner

BUILDER = "build_wheel.py"
_WORKER = Path(__file__).parent / "data" / BUILDER
VENV_PYTHON = "/opt/venv/bin/python"
_TIMEOUT = 3600.0
_Contents = dict[str, tuple[int, int, bool]]


@cache
def read_builder() -> str:
    """Return the program that builds a wheel in the image."""
    return _WORKER.read_text("utf-8")


def find_built_wheel(sdist: Sdist, lower: Sequence[Layer], store: LayerStore) -> WheelFile | None:
    """Return the wheel of an archive that has been built before on these layers; ``DamagedLayer``: it no longer is."""
    layer = store.find(_key(sdist, lower))
    if layer is None:
        return None
    store.verify([layer])
    return _describe(sdist, layer)


def describe_build(sdist: Sdist) -> str:
    """Return the name of a build for people."""
    return f"build {sdist.name} {sdist.version} from source"


def build_wheel(
    sdist: Sdist, path: Path, lower: Sequence[Layer], steps: StepRunner, on_warning: Callable[[str], None]
) -> WheelFile:
    """Return the wheel of an archive, built on ``lower`` without network and with nothing that is not there.

    A new one is built twice, and told about where the two have different files.
    """
    what = describe_build(sdist)

    def write(out: BinaryIO) -> None:
        built = _run(sdist, path, lower, steps, what)
        again = _run(sdist, path, lower, steps, what)
        _warn_of_chance(what, _list_contents(built, what), _list_contents(again, what), on_warning)
        out.write(built)

    return _describe(sdist, steps.store.make(_key(sdist, lower), what, write))


def _key(sdist: Sdist, lower: Sequence[Layer]) -> str:
    script = hashlib.sha256(read_builder().encode()).hexdigest()
    below = [layer.diff_id for layer in lower]
    return json.dumps(["wheel of source", sdist.filename, sdist.sha256, script, STEP_ENV, below])


def _run(sdist: Sdist, path: Path, lower: Sequence[Layer], steps: StepRunner, what: str) -> bytes:
    argv = (VENV_PYTHON, "-c", read_builder(), sdist.filename)
    with path.open("rb") as stream:
        try:
            return steps.read_output(lower, argv, what=what, stdin=stream, timeout=_TIMEOUT)
        except BuildError as exc:
            hint = "what it is built with must be among the packages, and compilers and headers among `system`"
            raise BuildError(exc.message, hint=exc.hint or hint) from exc


def _describe(sdist: Sdist, layer: Layer) -> WheelFile:
    """Say of a built wheel what a lock says of a downloaded one; its name follows from its tags."""
    tags = _read_tags(layer)
    parts = [".".join(sorted({get(tag) for tag in tags})) for get in _TAG_PARTS]
    filename = "-".join([sdist.name.replace("-", "_"), sdist.version, *parts]) + ".whl"
    sha256 = layer.diff_id.removeprefix("sha256:")
    return Wheel(sdist.name, sdist.version, filename, sha256, layer.size), layer.path


_TAG_PARTS: tuple[Callable[[Tag], str], ...] = (
    lambda tag: tag.interpreter,
    lambda tag: tag.abi,
    lambda tag: tag.platform,
)


def _read_tags(layer: Layer) -> frozenset[Tag]:
    with open_zip(layer.path, layer.what) as archive:
        names = [name for name in archive.members if name.endswith(".dist-info/WHEEL") and name.count("/") == 1]
        if len(names) != 1:
            raise BuildError(f"{layer.what}: what came out is not a wheel")
        text = archive.read(archive.members[names[0]]).decode("utf-8", "replace")
    lines = [line.partition(":") for line in text.splitlines()]
    return frozenset(tag for key, _, value in lines if key.strip() == "Tag" for tag in parse_tag(value.strip()))


def _warn_of_chance(what: str, found: _Contents, again: _Contents, on_warning: Callable[[str], None]) -> None:
    paths = sorted(name for name in found.keys() | again.keys() if found.get(name) != again.get(name))
    if paths:
        on_warning(
            f"{what}: built twice, it has different files ({', '.join(paths[:3])}{' …' if paths[3:] else ''});"
            " whoever builds this image elsewhere will get another digest"
        )


def _list_contents(data: bytes, what: str) -> _Contents:
    """Return checksum, size and mode by name: times and the order in a wheel do not get into the image."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                one.filename: (one.CRC, one.file_size, bool(one.external_attr >> 16 & 0o111))
                for one in archive.infolist()
            }
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as exc:
        raise BuildError(f"{what}: what came out is not a wheel ({exc})") from exc
