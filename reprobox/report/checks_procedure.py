"""Checks of heading ア: source code and reproduction procedure."""

from __future__ import annotations

from reprobox.languages import make_reason
from reprobox.report.findings import Finding, Parts, find_statements, say_no, say_yes
from reprobox.report.model import Reprediction, SourceTree
from reprobox.report.values import Answer, Origin, Role


def check_source(parts: Parts) -> Finding:
    """1: the source tree, by its exact version."""
    source = parts.a.source
    if source.run_sha256 is None:
        return say_no("source_unrecorded")
    if source.run_sha256 != source.sha256:
        return say_no("source_changed", now=source.sha256[:12], run=source.run_sha256[:12])
    key, commit = _describe_git(source)
    return say_yes(
        Origin.MEASURED, source.trace, key, files=len(source.files), sha256=source.sha256[:12], commit=commit
    )


def _describe_git(source: SourceTree) -> tuple[str, str]:
    if source.git is None:
        return "source_without_git", ""
    return ("source_dirty" if source.git.dirty else "source_clean"), source.git.commit[:12]


def check_stages(parts: Parts) -> Finding:
    """2: commands for each stage on its own."""
    procedure = parts.a.procedure
    names = ", ".join(stage.name for stage in procedure.stages)
    if len(procedure.stages) < 2:
        return say_no("stages_single", names=names)
    return say_yes(procedure.origin, procedure.trace, "stages_separate", names=names)


def check_single(parts: Parts) -> Finding:
    """3: everything in one command."""
    procedure = parts.a.procedure
    return say_yes(procedure.origin, procedure.trace, "single_command", command=procedure.single)


def check_paths(parts: Parts) -> Finding:
    """4: paths in one place."""
    procedure = parts.a.procedure
    folders = ", ".join((procedure.source_folder, procedure.input_folder, procedure.output_folder))
    return say_yes(procedure.origin, procedure.trace, "paths_fixed", folders=folders)


def check_tree(parts: Parts) -> Finding:
    """5: the directory tree."""
    source = parts.a.source
    return say_yes(source.origin, source.trace, "tree_listed", files=len(source.files))


def check_side_effects(parts: Parts) -> Finding:
    """6: side effects and key assumptions."""
    return find_statements("side_effects", parts.a.side_effects, parts.a.assumptions)


def check_model(parts: Parts) -> Finding:
    """7: the trained model, and how to predict without training."""
    found = _check_role(parts, Role.MODEL)
    if found.answer is not Answer.YES:
        return found
    predict = any(stage.name == "predict" for stage in parts.a.procedure.stages)
    values = dict(found.reason.values)
    return Finding(
        Answer.YES,
        make_reason("model_with_predict" if predict else "model_without_predict", **values),
        found.origin,
        found.trace,
    )


def check_predictions(parts: Parts) -> Finding:
    """8: the predictions, and whether they come out again."""
    found = _check_role(parts, Role.PREDICTIONS)
    if found.answer is Answer.YES and parts.a.reprediction is not None:
        return _check_reprediction(parts, parts.a.reprediction, found)
    verification = parts.repeated
    if found.answer is not Answer.YES or verification is None:
        return found
    values = {
        **dict(found.reason.values),
        "agreeing": str(verification.agreeing),
        "runs": str(len(verification.runs)),
    }
    trace = (*found.trace, *verification.trace)
    return Finding(Answer.YES, make_reason("predictions_repeated", **values), found.origin, trace)


def _check_reprediction(parts: Parts, alone: Reprediction, found: Finding) -> Finding:
    predictions = {one.path for one in parts.a.outputs.files if one.role is Role.PREDICTIONS}
    if predictions & set(alone.different):
        return say_no("predictions_differ", run=alone.run)
    if not predictions <= set(alone.same):
        return found
    values = {**dict(found.reason.values), "run": alone.run}
    return Finding(
        Answer.YES, make_reason("predictions_from_model", **values), found.origin, (*found.trace, *alone.trace)
    )


def _check_role(parts: Parts, role: Role) -> Finding:
    outputs = parts.a.outputs
    files = [one for one in outputs.files if one.role is role]
    if files:
        more = f" (+{len(files) - 1})" if files[1:] else ""
        return say_yes(
            outputs.origin,
            outputs.trace,
            f"{role}_hashed",
            path=files[0].path + more,
            sha256=files[0].sha256[:12],
        )
    return say_no(f"{role}_undeclared")


def check_data(parts: Parts) -> Finding:
    """9: which data the run read, their rows and what they are for, and data from elsewhere."""
    inputs, external = parts.a.inputs, parts.a.external_data
    lacking = sum(one.rows is None or one.split is None for one in inputs.files)
    if lacking:
        return say_no("data_partly", inputs=len(inputs.files), lacking=lacking)
    trace = (*inputs.trace, *(external.trace if external else ()))
    more = "_external" if external else ""
    if inputs.files:
        return say_yes(Origin.MEASURED, trace, f"data_hashed{more}", inputs=len(inputs.files))
    if external:
        return say_yes(Origin.DECLARED, external.trace, "data_external_only")
    return Finding(Answer.NOT_APPLICABLE, make_reason("data_none"), Origin.MEASURED, inputs.trace)
