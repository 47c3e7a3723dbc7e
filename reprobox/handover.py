"""One short function per command of handing over and judging."""

from __future__ import annotations

from reprobox.engines.docker import connect
from reprobox.export import Exported, ExportOptions, ExportRequest, export_plan
from reprobox.settings import Settings
from reprobox.workflow import Project, plan_project


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
