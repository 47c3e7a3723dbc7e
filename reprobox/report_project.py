"""The command `report`, top to bottom: find the run, say what is so, write the folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reprobox.context import format_dockerfile
from reprobox.errors import BuildError, UsageError
from reprobox.files import write_atomic
from reprobox.languages import Language
from reprobox.plan import Plan, make_plan
from reprobox.project import Project, list_project_source, load_lock
from reprobox.record_text import RECORD_FILE
from reprobox.records import RunRecord
from reprobox.report.declared_load import read_declared
from reprobox.report.files import PrintPdf, check_folder, list_files, write_folder
from reprobox.report.find import choose_run, find_evidence, find_repredicted, find_sweep, find_verification
from reprobox.report.find_contributions import find_contributions
from reprobox.report.git import read_git
from reprobox.report.input_rows import count_rows
from reprobox.report.make import make_report
from reprobox.report.model import Report
from reprobox.report.pdf import NO_BROWSER, find_browser, print_pdf
from reprobox.report.sources import Sources
from reprobox.report.values import Answer
from reprobox.settings import Settings
from reprobox.source import DECLARED_FILE, REPORT_FOLDER
from reprobox.spec.load import load_spec
from reprobox.spec.model import Spec
from reprobox.templating import read_template


@dataclass(frozen=True)
class ReportOptions:
    """What was asked for."""

    out: Path | None
    """``None``: ``reprobox-report`` beside the spec."""
    run: str
    """An id, a folder or a record; empty: the newest complete run."""
    languages: tuple[Language, ...]
    formats: tuple[str, ...]


@dataclass(frozen=True)
class ReportOutcome:
    """What was written."""

    folder: Path
    report: Report
    files: dict[str, str]
    """Name -> sha256."""

    def count(self, answer: Answer) -> int:
        """Return how many items of the checklist have an answer."""
        return sum(item.answer is answer for item in self.report.checklist)

    def to_json(self) -> dict[str, object]:
        """Return what ``report --json`` prints."""
        return {
            "folder": str(self.folder),
            "run": self.report.run.id,
            "image_digest": self.report.run.image_digest,
            "checklist": {answer.value: self.count(answer) for answer in Answer},
            "missing": [item.item for item in self.report.checklist if item.answer is Answer.NO],
            "files": self.files,
        }


def report_project(project: Project, settings: Settings, options: ReportOptions) -> ReportOutcome:
    """Say of the project's newest run, or of a named one, what a contest asks, and write it in every format."""
    folder = options.out or project.folder / REPORT_FOLDER
    check_folder(folder)
    report = make_report(read_sources(project, options.run))
    printer = _choose_printer(settings, options.formats) if "pdf" in options.formats else None
    files = dict(list_files(report, options.languages, options.formats, printer))
    write_folder(folder, files)
    return ReportOutcome(folder, report, {name: hashlib.sha256(data).hexdigest() for name, data in files.items()})


def read_sources(project: Project, run: str) -> Sources:
    """Read spec, lock, source, records and what a person says."""
    spec = load_spec(project.spec_path)
    declared = read_declared(project.folder / DECLARED_FILE)
    plan = make_plan(spec, load_lock(project, spec), list_project_source(project, spec))
    folder, record = choose_run(run, plan, project.state / "runs")
    alone = find_repredicted(project.state / "runs", record)
    sweep = find_sweep(project.state, record, project.folder)
    contributions = find_contributions(folder, record, project.state, project.folder)
    return Sources(
        spec=spec,
        spec_file=find_evidence(project.spec_path, project.folder),
        lock_file=find_evidence(project.lock_path, project.folder),
        plan=plan,
        record=record,
        run_file=find_evidence(folder / RECORD_FILE, project.folder),
        declared=declared,
        git=read_git(project.folder, _list_committed(project, plan)),
        rows=_count_rows(project, spec, record),
        dockerfile_sha256=_hash_dockerfile(plan),
        repredicted=alone[1] if alone else None,
        repredicted_file=find_evidence(alone[0] / RECORD_FILE, project.folder) if alone else None,
        verification=find_verification(project.state, record, project.folder),
        sweep=sweep[0] if sweep else None,
        sweep_file=sweep[1] if sweep else None,
        contributions=contributions[0] if contributions else None,
        contributions_file=contributions[1] if contributions else None,
    )


def _count_rows(project: Project, spec: Spec, record: RunRecord) -> dict[str, int]:
    """Return the rows of each input that is a table, and still the one that the run read."""
    known = {name: sha256 for name, sha256 in record.inputs.items() if name in spec.inputs}
    found = {name: count_rows(project.folder / spec.inputs[name].path, sha256) for name, sha256 in known.items()}
    return {name: rows for name, rows in found.items() if rows is not None}


def _hash_dockerfile(plan: Plan) -> str | None:
    try:
        return hashlib.sha256(format_dockerfile(plan).encode()).hexdigest()
    except BuildError:  # an old lock, of which no Dockerfile can be made
        return None


def _list_committed(project: Project, plan: Plan) -> list[str]:
    """Return what a commit must hold for the same image: spec, lock and source."""
    return [project.spec_path.name, project.lock_path.name, *(one.path for one in plan.source)]


def init_declared(project: Project, *, force: bool) -> Path:
    """Write a commented ``report.yaml`` beside the spec."""
    path = project.folder / DECLARED_FILE
    if not project.folder.is_dir():
        raise UsageError(f"{project.folder} is not a folder", hint="name the project's folder")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="say --force to replace it")
    write_atomic(path, read_template("report/report.yaml"))
    return path


def _choose_printer(settings: Settings, formats: tuple[str, ...]) -> PrintPdf | None:
    browser = find_browser(settings.environ)
    if browser:
        return partial(print_pdf, browser)
    if formats == ("pdf",):
        raise UsageError(NO_BROWSER, hint="install one, or print report.<language>.html from another browser")
    settings.reporter.note(NO_BROWSER)
    return None
