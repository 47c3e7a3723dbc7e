"""Small layers and images made in the test: a static busybox, no registry."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine_packages import unpack_packages

from reprobox.engines.base import ContainerSpec, Engine
from reprobox.image import Image, assemble_image
from reprobox.layers.model import EPOCH, Layer

_COMMANDS = ("cat", "dd", "echo", "env", "head", "id", "ls", "md5sum", "mount", "sh", "sleep", "tail", "touch", "true")


class Layers:
    """A folder of layers that can be read back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sent: list[str] = []
        """The layers that were sent, in order."""

    def make(self, what: str, files: Mapping[str, bytes | str]) -> Layer:
        """Make a layer; a value that is text is a symbolic link's target."""
        data = make_tar(files)
        digest = hashlib.sha256(data).hexdigest()
        path = self._folder / digest
        path.write_bytes(data)
        return Layer(f"sha256:{digest}", len(data), what, path, cached=False)

    def busybox(self) -> Layer:
        """Make the layer that the others stand on: a shell, a few commands, a user's folders."""
        binary = unpack_packages("bookworm", "busybox-static") / "bin/busybox"
        files: dict[str, bytes | str] = {"bin/busybox": binary.read_bytes()}
        files |= {f"bin/{name}": "busybox" for name in _COMMANDS}
        files |= {"tmp/.keep": b"", "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}
        return self.make("busybox", files)

    def verify(self, layers: Iterable[Layer]) -> None:
        """Find every layer in order: nobody touches this folder."""

    def read(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer, as the layer cache does."""
        self.sent.append(layer.what)
        with layer.path.open("rb") as stream:
            while data := stream.read(1 << 20):
                yield data


def make_tar(files: Mapping[str, bytes | str]) -> bytes:
    """Return a small tar with fixed times and owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.mode = EPOCH, 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def make_image(layers: Layers, *more: Layer) -> Image:
    """Make an image with a shell."""
    env = [("PATH", "/bin"), ("LANG", 'C.UTF-8"<&>é')]
    return assemble_image([layers.busybox(), *more], env=env, command=["/bin/sh", "-c", "echo default"])


def run_shell(engine: Engine, image: str, script: str, **settings: object) -> tuple[int, bytes, bytes]:
    """Run a script to its end; return exit code, stdout and stderr."""
    output: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    spec = ContainerSpec(image, argv=("/bin/sh", "-c", script), **settings)  # type: ignore[arg-type]
    result = engine.run_container(spec, lambda stream, data: output[stream].append(data))
    return result.exit_code, b"".join(output["stdout"]), b"".join(output["stderr"])
