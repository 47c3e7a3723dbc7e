"""ア: from what a run was of to how it is made again."""

from __future__ import annotations

import shlex

from reprobox.errors import SpecError
from reprobox.outputs import select_outputs
from reprobox.plan import source_digest
from reprobox.report.declared import InputSaid
from reprobox.report.model import (
    InputData,
    Inputs,
    OutputData,
    Outputs,
    Procedure,
    ProcedureSection,
    Reprediction,
    SourceEntry,
    SourceTree,
    StageCommand,
)
from reprobox.report.sources import Sources
from reprobox.report.values import Origin, Trace

PREDICT = "predict"
"""The stage that contests run alone, on the trained model that was handed in."""


def describe_procedure(sources: Sources) -> ProcedureSection:
    """Return the section."""
    declared = sources.declared
    return ProcedureSection(
        source=_describe_source(sources),
        procedure=_describe_commands(sources),
        inputs=_describe_inputs(sources),
        outputs=_describe_outputs(sources),
        reprediction=_describe_reprediction(sources),
        external_data=declared.state("external_data"),
        side_effects=declared.state("side_effects"),
        assumptions=declared.state("assumptions"),
    )


def _describe_source(sources: Sources) -> SourceTree:
    entries = [SourceEntry(one.path, one.size, None if one.link else one.sha256) for one in sources.plan.source]
    git = (Trace("git", "HEAD", None),) if sources.git else ()
    return SourceTree(
        origin=Origin.MEASURED,
        trace=(*sources.run_file.trace("source_sha256", "image_digest"), *git),
        files=tuple(entries),
        sha256=source_digest(sources.plan.source),
        run_sha256=sources.record.source_sha256 or None,
        git=sources.git,
    )


def _describe_commands(sources: Sources) -> Procedure:
    spec = [sources.spec_name] if sources.spec_name else []
    stages = tuple(
        StageCommand(
            name=stage.name,
            command=stage.command,
            alone=shlex.join(["reprobox", "run", *spec, "--stage", stage.name]),
            outputs=stage.outputs,
        )
        for stage in sources.plan.stages
    )
    return Procedure(
        origin=Origin.MEASURED,
        trace=(*sources.spec_file.trace("stages"), *sources.run_file.trace("stages")),
        single=shlex.join(["reprobox", "run", *spec]),
        build=shlex.join(["reprobox", "build", *spec]),
        stages=stages,
        source_folder="/work",
        input_folder="/input",
        output_folder="/output",
    )


def _describe_inputs(sources: Sources) -> Inputs:
    names = [name for name in sorted(sources.record.inputs) if name in sources.spec.inputs]
    files = tuple(_describe_input(name, sources) for name in names)
    said = sources.declared.trace("inputs") if sources.declared.declared.inputs else ()
    return Inputs(Origin.MEASURED, (*sources.run_file.trace("inputs"), *said), files)


def _describe_input(name: str, sources: Sources) -> InputData:
    said = sources.declared.declared.inputs.get(name, InputSaid())
    counted = sources.rows.get(name)
    rows = said.rows if counted is None else counted
    if said.rows is not None and said.rows != rows:
        message = f"says {said.rows:,} rows, and the table that the run read has {rows:,} below its first line"
        raise SpecError((sources.declared.problem(f"inputs.{name}.rows", message, "correct it, or remove the line"),))
    origin = None if rows is None else Origin.DECLARED if counted is None else Origin.MEASURED
    spec = sources.spec.inputs[name]
    return InputData(name, spec.path, sources.record.inputs[name], rows, origin, said.split)


def _describe_outputs(sources: Sources) -> Outputs:
    declared, present = sources.declared, sources.record.outputs
    roles = {
        one.path: role for role, globs in declared.declared.outputs.items() for one in select_outputs(globs, present)
    }
    said = declared.trace("outputs") if declared.declared.outputs else ()
    files = tuple(OutputData(one.path, one.size, one.sha256, roles.get(one.path)) for one in present)
    return Outputs(Origin.MEASURED, (*sources.run_file.trace("outputs"), *said), files)


def _describe_reprediction(sources: Sources) -> Reprediction | None:
    """Compare what the stage ``predict`` left on its own with what it left in the run."""
    alone, file = sources.repredicted, sources.repredicted_file
    globs = next((stage.outputs for stage in sources.plan.stages if stage.name == PREDICT), ())
    if alone is None or file is None or not globs:
        return None
    now = {one.path: one.sha256 for one in alone.outputs}
    before = select_outputs(globs, sources.record.outputs)
    same = tuple(one.path for one in before if now.get(one.path) == one.sha256)
    different = tuple(one.path for one in before if one.path not in same)
    return Reprediction(Origin.MEASURED, file.trace("earlier", "outputs"), alone.id, same, different)
