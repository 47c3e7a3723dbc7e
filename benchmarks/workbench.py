"""Where everything is measured: one private engine for both sides, the downloads, the specs, a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from measuring import time_process
from new_file_system import mount_new

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "engine"))

from engine_daemons import Daemon  # noqa: E402
from engine_packages import CACHE, why_not  # noqa: E402

GRAPH_DRIVER, CONTAINERD = "docker-26.1-graph", "docker-26.1-containerd"
"""One engine with either image store; fresh installations have had the second since Docker 29."""
_BIN = Path(sys.executable).parent

__all__ = ["CONTAINERD", "GRAPH_DRIVER", "Workbench", "why_not"]


class Workbench:
    """Downloads are kept from one benchmark to the next; everything else is made anew and removed at the end."""

    def __init__(self, engine: str) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=CACHE))
        self.downloads = Path(os.environ.get("REPROBOX_CACHE", CACHE / "reprobox"))
        self._kind = engine
        self._daemon = Daemon(engine)
        self.environ = self._make_environ(self._daemon)
        self.data_root = self._daemon.data / "root"

    def _make_environ(self, daemon: Daemon) -> dict[str, str]:
        environ = {**os.environ, **daemon.environ, "DOCKER_BUILDKIT": "1", "HOME": str(self.folder)}
        # The program starts as it does for everybody: with its own bytecode kept.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return environ

    def __enter__(self) -> Self:
        self.engine = self._daemon.start().info()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.stop()
        shutil.rmtree(self.folder)

    @property
    def program(self) -> Path:
        """The program that is measured."""
        return _BIN / "reprobox"

    @contextmanager
    def new_engine(self) -> Iterator[Path]:
        """Work with another engine of the same kind meanwhile: one that holds nothing, on a new file system.

        Gives the folder that it keeps its images in.
        """
        daemon, before = Daemon(self._kind), self.environ
        with ExitStack() as stack:
            stack.enter_context(mount_new(daemon.data))
            stack.callback(daemon.stop)
            daemon.start()
            self.environ = self._make_environ(daemon)
            try:
                yield daemon.data / "root"
            finally:
                self.environ = before

    def reprobox(self, *arguments: str | Path, cache: Path | None = None) -> tuple[float, str]:
        """Time one command of the program."""
        environ = {**self.environ, "REPROBOX_CACHE": str(cache or self.downloads)}
        return time_process([self.program, *arguments], environ)

    def docker(self, *arguments: str | Path) -> tuple[float, str]:
        """Time one command of the engine's own client."""
        return time_process([self._find_docker(), *arguments], self.environ)

    def copy_project(self, name: str, *, cache: Path | None = None) -> Path:
        """Return a copy of a spec with its lock; locked anew on the day the archive drops a package of it."""
        target = self.folder / "projects" / name
        shutil.copytree(REPOSITORY / "benchmarks" / "images" / name, target)
        try:
            self.reprobox("render", target, "-o", self.folder / "rendered" / name, cache=cache)
        except RuntimeError as error:
            if "lock --upgrade" not in str(error):
                raise
            self.reprobox("lock", "--upgrade", target, cache=cache)
            self.reprobox("render", target, "-o", self.folder / "rendered" / name, cache=cache)
        return target

    def make_context(self, name: str) -> Path:
        """Return BuildKit's side of a project: the same wheels, the lock as requirements, uv's program."""
        rendered, context = self.folder / "rendered" / name / "wheels", self.folder / "contexts" / name
        (context / "wheels").mkdir(parents=True)
        for wheel in rendered.glob("*.whl"):
            os.link(wheel, context / "wheels" / wheel.name)
        shutil.copy(rendered / "requirements.lock", context)
        shutil.copy(_BIN / "uv", context)
        return context

    def make_cache(self, name: str, source: Path, *parts: str) -> Path:
        """Return a new cache that starts with some parts of another one, as links."""
        target = self.folder / name
        for part in parts:
            if (source / part).is_dir():
                shutil.copytree(source / part, target / part, copy_function=os.link)
        return target

    def keep_last_cache(self, name: str) -> None:
        """Go on with the cache that the last full build made, and with the downloads."""
        (self.folder / "round").rename(self.folder / name)

    def _find_docker(self) -> str:
        found = shutil.which("docker", path=self.environ["PATH"])
        assert found is not None
        return found


def parse_json(output: str) -> Any:  # noqa: ANN401 — whatever the program printed
    """Return the JSON object among a program's lines."""
    return json.loads(next(line for line in output.splitlines() if line.startswith("{")))
