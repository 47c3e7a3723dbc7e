"""The files that Kaggle's winners hand in, from the same report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from reprobox.report.json_text import format_json, show_plain
from reprobox.report.model import Report
from reprobox.report.tree import list_folders
from reprobox.report.values import Role
from reprobox.templating import fill_template


def list_kaggle_files(report: Report) -> Iterator[tuple[str, str]]:
    """Yield each file's name and text."""
    yield "SETTINGS.json", _format_settings(report)
    yield "directory_structure.txt", _format_folders(report)
    yield "requirements.txt", _format_requirements(report)
    procedure = report.a_procedure.procedure
    yield (
        "entry_points.md",
        fill_template(
            "report/entry_points.md.j2",
            build=procedure.build,
            single=procedure.single,
            stages=[(stage.name, stage.alone, shlex.join(stage.command)) for stage in procedure.stages],
        ),
    )


def _format_settings(report: Report) -> str:
    """Return the paths that a run has, which are the same for every project."""
    procedure, outputs = report.a_procedure.procedure, report.a_procedure.outputs
    inputs = {one.name: f"{procedure.input_folder}/{one.name}" for one in report.a_procedure.inputs.files}
    roles = {
        role: [f"{procedure.output_folder}/{one.path}" for one in outputs.files if one.role is role] for role in Role
    }
    return format_json(
        {
            "SOURCE_DIR": procedure.source_folder,
            "RAW_DATA_DIR": procedure.input_folder,
            "OUTPUT_DIR": procedure.output_folder,
            "INPUTS": inputs,
            "MODEL_PATHS": roles[Role.MODEL],
            "SUBMISSION_PATHS": roles[Role.PREDICTIONS],
        }
    )


def _format_folders(report: Report) -> str:
    folders = list_folders(one.path for one in report.a_procedure.source.files)
    return "".join(f"{show_plain(folder)}\n" for folder in folders)


def _format_requirements(report: Report) -> str:
    """Return exact pins; two files of one package are one line with two hashes."""
    hashes: dict[str, list[str]] = {}
    for one in report.u_environment.software.packages:
        hashes.setdefault(f"{one.name}=={one.version}", []).append(f"--hash=sha256:{one.sha256}")
    return "".join(f"{pin} {' '.join(found)}\n" for pin, found in hashes.items())
