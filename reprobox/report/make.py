"""Plan, records and what a person says -> the report."""

from __future__ import annotations

from collections.abc import Iterator

from reprobox import __version__
from reprobox.languages import Reason, make_reason
from reprobox.outputs import select_outputs
from reprobox.report.checklist import check_items
from reprobox.report.contributions import describe_contributions
from reprobox.report.environment import describe_environment
from reprobox.report.extras import describe_extras
from reprobox.report.findings import Parts
from reprobox.report.model import REPORT_SCHEMA, Report, RunIdentity
from reprobox.report.procedure import describe_procedure
from reprobox.report.seeds import describe_seeds
from reprobox.report.sources import Sources


def make_report(sources: Sources) -> Report:
    """Return the report; raise ``SpecError`` where a person denies what was measured."""
    record = sources.record
    parts = Parts(
        a=describe_procedure(sources),
        i=describe_contributions(sources),
        u=describe_environment(sources),
        e=describe_seeds(sources),
        extra=describe_extras(sources),
    )
    return Report(
        schema_version=REPORT_SCHEMA,
        reprobox=__version__,
        name=record.name,
        title=sources.declared.state("title"),
        author=sources.declared.state("author"),
        run=RunIdentity(record.id, record.started, sources.run_file.trace(), record.image_digest, record.reprobox),
        a_procedure=parts.a,
        i_contributions=parts.i,
        u_environment=parts.u,
        e_seed=parts.e,
        extra=parts.extra,
        checklist=check_items(parts),
        notes=tuple(_list_notes(sources)),
    )


def _list_notes(sources: Sources) -> Iterator[Reason]:
    record, plan = sources.record, sources.plan
    changed = [
        name
        for name, one, other in (
            ("spec", record.spec_digest, plan.spec_digest),
            ("lock", record.lock_digest, plan.lock_digest),
        )
        if one != other
    ]
    if changed:
        yield make_reason("note_changed", what=", ".join(changed))
    if record.seed != plan.seed:
        yield make_reason("note_seed", seed=record.seed, spec=plan.seed)
    if record.engine.isolation != "container":
        yield make_reason("note_isolation", isolation=record.engine.isolation)
    if record.earlier is not None:
        yield make_reason("note_earlier", run=record.earlier.run)
    for name in sources.declared.declared.inputs:
        if name not in sources.record.inputs:
            yield make_reason("note_no_input", name=name)
    for role, globs in sources.declared.declared.outputs.items():
        if not select_outputs(globs, record.outputs):
            yield make_reason(f"note_no_{role}", globs=", ".join(globs))
