"""One short function per command of handing over and judging."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reprobox.bundle.read import read_heading
from reprobox.engines.base import Engine
from reprobox.engines.docker import connect
from reprobox.errors import BundleError, EngineError, UsageError
from reprobox.export import Exported, ExportOptions, ExportRequest, export_plan
from reprobox.files import write_atomic
from reprobox.gpus.driver import read_driver
from reprobox.host import read_host
from reprobox.judging.judge import Bench, JudgeOptions, judge_bundle
from reprobox.judging.judgement import Judgement, Rung
from reprobox.judging.receive import tag_image
from reprobox.project import Project, list_beside_source
from reprobox.report.pdf import NO_BROWSER, find_browser, print_pdf
from reprobox.settings import Settings
from reprobox.workflow import plan_project


def export_project(project: Project, settings: Settings, options: ExportOptions) -> Exported:
    """Bring the image up to date and pack everything into one file."""
    planned = plan_project(project, settings)
    request = ExportRequest(
        plan=planned.plan,
        spec=planned.loaded.spec,
        project=project.folder,
        spec_path=project.spec_path,
        lock_path=project.lock_path,
        state=project.state,
        beside=list_beside_source(project, planned.loaded.spec),
        options=options,
    )
    return export_plan(request, connect(settings.environ), settings)


@dataclass(frozen=True)
class Aftermath:
    """What is done once an entry has been judged, and changes nothing about it."""

    pdf: bool
    """Print the pages."""
    remove_image: bool
    """Leave no image of the entry's in the engine."""


def judge_file(
    path: Path,
    folder: Path,
    options: JudgeOptions,
    after: Aftermath,
    settings: Settings,
    on_rung: Callable[[Rung], None],
    at_once: int = 1,
) -> Judgement:
    """Judge one bundle on this machine's engine, which ``at_once`` entries share."""
    browser = find_printer(settings) if after.pdf else ""
    driver, engine = read_driver(), connect(settings.environ)
    bench = Bench((engine,), read_host(driver.gpus, folder), driver, settings, at_once)
    with _using_image(path, engine, settings, remove=after.remove_image):
        judgement = judge_bundle(path, folder, options, bench, on_rung)
    if browser:
        print_pages(folder, browser, settings)
    return judgement


def print_pages(folder: Path, browser: str, settings: Settings) -> None:
    """Print what is a page of a judgement and has not been; an entry has been judged, whatever becomes of that."""
    try:
        for page in sorted(folder.glob("judgement.*.html")):
            if not (printed := page.with_suffix(".pdf")).exists():
                write_atomic(printed, print_pdf(browser, page.read_text("utf-8")))
    except UsageError as exc:
        settings.reporter.warn(exc.message)
    except OSError as exc:
        settings.reporter.warn(f"{folder}: the pages were not printed: {exc.strerror or exc}")


def find_printer(settings: Settings) -> str:
    """Return the browser that prints; raise ``UsageError`` where there is none."""
    browser = find_browser(settings.environ)
    if browser is None:
        raise UsageError(
            NO_BROWSER,
            hint="install one, or leave --pdf out and print judgement.<language>.html from another browser",
        )
    return browser


@contextmanager
def _using_image(path: Path, engine: Engine, settings: Settings, *, remove: bool) -> Iterator[None]:
    """Hold a bundle's image; ``remove`` it at the end, unless another process judges with the very same."""
    try:
        tag = tag_image(read_heading(path).manifest)
    except (BundleError, UsageError):  # said by whoever judges it; nothing of it is loaded
        yield
        return
    folder = settings.cache / "judging"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{tag.replace('/', '-')}.lock").open("w") as held:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(held, fcntl.LOCK_SH)
        try:
            yield
        finally:
            if remove:
                with suppress(OSError, EngineError):
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    engine.remove_image(tag)
