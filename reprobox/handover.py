"""One short function per command of handing over and judging."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reprobox.engines.docker import connect
from reprobox.export import Exported, ExportOptions, ExportRequest, export_plan
from reprobox.gpus.driver import read_driver
from reprobox.host import read_host
from reprobox.judging.judge import Bench, JudgeOptions, judge_bundle
from reprobox.judging.judgement import Judgement, Rung
from reprobox.project import Project
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
        options=options,
    )
    return export_plan(request, connect(settings.environ), settings)


def judge_file(
    path: Path, folder: Path, options: JudgeOptions, settings: Settings, on_rung: Callable[[Rung], None]
) -> Judgement:
    """Judge one bundle on this machine's engine."""
    driver = read_driver()
    bench = Bench((connect(settings.environ),), read_host(driver.gpus), driver, settings)
    return judge_bundle(path, folder, options, bench, on_rung)
