"""Where a locked wheel can be had today: asked anew each time, as the lock holds no URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from packaging.utils import parse_wheel_filename

from reprobox.errors import FetchError
from reprobox.http import add_credentials, open_session
from reprobox.lock import PythonTarget, Wheel
from reprobox.simple_index import is_links, read_offers
from reprobox.uv import PythonConfig, Question, Resolved, UvRefused, WheelFile, compile_requirements, list_indexes
from reprobox.wheel_tags import name_uv_platform

Places = dict[str, tuple[str, ...]]
"""sha256 -> URLs."""


def find_places(wheels: Sequence[Wheel], config: PythonConfig, python: PythonTarget) -> Places:
    """Ask uv where ``wheels`` are under this machine's configuration; what uv does not find is looked for by hand."""
    own = tuple(add_credentials(url, config.http) for url in sorted({wheel.index for wheel in wheels if wheel.index}))
    config = replace(
        config,
        indexes=(*(url for url in own if not is_links(url)), *config.indexes),
        links=(*(url for url in own if is_links(url)), *config.links),
        best_match=True,  # versions are exact and hashes are checked, so any index may serve them
    )
    question = Question(
        requirements=tuple(f"{wheel.name}=={wheel.version}" for wheel in wheels),
        python_version=python.short,
        platform=name_uv_platform(python, _name_architecture(wheels)),
        deps=False,
    )
    places = _match(wheels, _ask(question, config))
    if missing := [wheel for wheel in wheels if wheel.sha256 not in places]:
        places |= _search_pages(missing, config)
    for backend, builds in _group_builds(wheel for wheel in wheels if wheel.sha256 not in places).items():
        lines = tuple(f"{wheel.name}=={wheel.version}" for wheel in builds)
        places |= _match(builds, _ask(replace(question, requirements=lines, torch_backend=backend), config))
    return places


def _group_builds(wheels: Iterable[Wheel]) -> dict[str, list[Wheel]]:
    """Group the wheels that PyTorch's own index may have, by the build their version names."""
    groups: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        local = wheel.version.partition("+")[2]
        if re.fullmatch(r"cpu|xpu|cu\d+|rocm[\d.]+", local):
            groups.setdefault(local, []).append(wheel)
    return groups


def _ask(question: Question, config: PythonConfig) -> Iterable[WheelFile]:
    try:
        return _list_files(compile_requirements(question, config))
    except UvRefused:
        return ()


def _list_files(packages: Iterable[Resolved]) -> tuple[WheelFile, ...]:
    return tuple(file for package in packages for file in package.wheels)


def _match(wheels: Sequence[Wheel], files: Iterable[WheelFile]) -> Places:
    wanted = {(wheel.filename, wheel.sha256) for wheel in wheels}
    by_name = {wheel.filename: wheel.sha256 for wheel in wheels}
    found: Places = {}
    for file in files:
        sha256 = file.sha256 or by_name.get(file.filename, "")
        if (file.filename, sha256) in wanted:
            found[sha256] = (*found.get(sha256, ()), file.url)
    return found


def _search_pages(wheels: Sequence[Wheel], config: PythonConfig) -> Places:
    """Read the indexes' own pages: uv shows one file a version, and gives up as a whole when one is missing."""
    found: Places = {}
    with open_session(config.http) as session:
        for url in (*config.links, *list_indexes(config)):
            left = [wheel for wheel in wheels if wheel.sha256 not in found]
            for wheel in left:
                try:
                    found |= _match([wheel], read_offers(session, url, wheel.name, config.http))
                except FetchError:
                    break  # this index does not answer
    return found


def _name_architecture(wheels: Iterable[Wheel]) -> str:
    """Tell the image's architecture from the wheels' own tags."""
    platforms = {tag.platform for wheel in wheels for tag in parse_wheel_filename(wheel.filename)[3]}
    return "aarch64" if any(platform.endswith("_aarch64") for platform in platforms) else "x86_64"
