"""Bring locked files into the blob store: several at once, resumed, checked against their hashes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from reprobox.blobs import BlobStore
from reprobox.errors import FetchError
from reprobox.http import HttpConfig, open_session, read_credentials
from reprobox.lock import PythonTarget, Sdist, Wheel
from reprobox.transfer import Download, Fetcher, Progress, Vanished
from reprobox.uv import PythonConfig

__all__ = ["Download", "Progress", "Vanished", "fetch_files", "fetch_sdists", "fetch_url", "fetch_wheels"]

_WORKERS = 4


def fetch_url(
    urls: Sequence[str],
    sha256: str,
    size: int,
    store: BlobStore,
    *,
    name: str = "",
    http: HttpConfig | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the file with this hash, from the store or from the first of ``urls`` that has it.

    Raises Vanished when every URL says it is gone, FetchError for everything else.
    """
    name = name or urlsplit(urls[0]).path.rpartition("/")[2]
    return fetch_files([Download(name, tuple(urls), sha256, size)], store, http=http, progress=progress)[sha256]


def fetch_files(
    downloads: Sequence[Download],
    store: BlobStore,
    *,
    http: HttpConfig | None = None,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Return sha256 -> file for all of ``downloads``, at most four coming at a time.

    After the first failure the others stop where they are (and are resumed the next time).
    """
    found = {item.sha256: path for item in downloads if (path := store.find(item.sha256))}
    missing = {item.sha256: item for item in downloads if item.sha256 not in found}
    if not missing:
        return found
    store.check_space(_count_missing(store, missing.values()), f"{len(missing)} downloads")
    config = http or HttpConfig()
    stop = threading.Event()
    with open_session(config) as session:
        fetcher = Fetcher(store, session, config, _serialize(progress), stop)
        # The largest first: it would otherwise be the one everybody waits for.
        tasks = sorted(missing.values(), key=lambda item: (-item.size, item.name))
        found.update(_run_parallel(fetcher.fetch, tasks, stop))
    return found


def fetch_wheels(
    wheels: Sequence[Wheel],
    store: BlobStore,
    config: PythonConfig,
    python: PythonTarget,
    *,
    indexes: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Return sha256 -> file for all of ``wheels``; uv is asked where they are only when one is missing.

    ``indexes`` are the spec's own: the lock names them too, but without the credentials in them.
    Raises FetchError when one is nowhere or has changed.
    """
    found = {wheel.sha256: path for wheel in wheels if (path := store.find(wheel.sha256))}
    missing = [wheel for wheel in wheels if wheel.sha256 not in found]
    if not missing:
        return found
    # Late: most builds have every wheel already, and finding places costs uv's start.
    from reprobox.wheel_places import find_places

    known = (*read_credentials(indexes), *config.http.credentials)
    config = replace(config, http=replace(config.http, credentials=known))
    places = find_places(missing, config, python)
    gone = [wheel for wheel in missing if wheel.sha256 not in places]
    if gone:
        raise _explain_gone(gone)
    downloads = [Download(wheel.filename, places[wheel.sha256], wheel.sha256, wheel.size) for wheel in missing]
    return found | fetch_files(downloads, store, http=config.http, progress=progress)


def fetch_sdists(
    sdists: Sequence[Sdist], store: BlobStore, config: PythonConfig, *, progress: Progress | None = None
) -> dict[str, Path]:
    """Return sha256 -> file for all of ``sdists``. Raises FetchError when one is nowhere or has changed."""
    found = {sdist.sha256: path for sdist in sdists if (path := store.find(sdist.sha256))}
    missing = [sdist for sdist in sdists if sdist.sha256 not in found]
    if not missing:
        return found
    from reprobox.sdist_places import find_sdist_places  # late, as above

    places = find_sdist_places(missing, config)
    if gone := [sdist for sdist in missing if sdist.sha256 not in places]:
        raise _explain_gone(gone)
    downloads = [Download(sdist.filename, places[sdist.sha256], sdist.sha256, sdist.size) for sdist in missing]
    return found | fetch_files(downloads, store, http=config.http, progress=progress)


def _explain_gone(files: Sequence[Wheel | Sdist]) -> FetchError:
    lines = "".join(f"\n  - {file.name} {file.version}: {file.filename} (sha256 {file.sha256})" for file in files)
    return FetchError(
        f"no index or find-links folder of this machine has what the lock names:{lines}",
        hint="check pip's and uv's configuration and the network; if it was withdrawn, `reprobox lock --upgrade`"
        " chooses another",
    )


def _count_missing(store: BlobStore, downloads: Iterable[Download]) -> int:
    total = 0
    for item in downloads:
        part = store.part(item.sha256)
        total += max(0, item.size - (part.stat().st_size if part.exists() else 0))
    return total


def _serialize(progress: Progress | None) -> Progress:
    lock = threading.Lock()

    def report(name: str, done: int, total: int) -> None:
        if progress:
            with lock:
                progress(name, done, total)

    return report


def _run_parallel(
    work: Callable[[Download], Path], tasks: Sequence[Download], stop: threading.Event
) -> dict[str, Path]:
    """Run ``work`` over ``tasks`` in daemon threads, so that Ctrl-C never waits for a server that stalls."""
    todo: queue.SimpleQueue[Download] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Download, Path | BaseException]] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)

    def run() -> None:
        while not stop.is_set():
            try:
                task = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((task, work(task)))
            except BaseException as exc:
                done.put((task, exc))

    for _ in range(min(_WORKERS, len(tasks))):
        threading.Thread(target=run, daemon=True).start()
    results: dict[str, Path] = {}
    try:
        for _ in tasks:
            task, result = done.get()
            if isinstance(result, BaseException):
                raise result
            results[task.sha256] = result
    finally:
        stop.set()
    return results
