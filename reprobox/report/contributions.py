"""イ: from what the training left, or what a person says, to the contributions of the explanatory variables."""

from __future__ import annotations

from reprobox.contributions.model import Contributions, Status
from reprobox.errors import SpecError
from reprobox.report.model import ContributionSection
from reprobox.report.sources import Sources
from reprobox.report.values import Origin, Trace

NOT_RECORDED = "not_recorded"
_KEY = "contributions.not_applicable"


def describe_contributions(sources: Sources) -> ContributionSection:
    """Return the section; raise ``SpecError`` where a person denies what the run left."""
    found, declared = sources.contributions, sources.declared
    reason = declared.declared.contributions
    if found is not None and found.status is Status.COMPUTED:
        if reason:
            message = "says that there are no contributions, and the run left some"
            raise SpecError((declared.problem(_KEY, message, "remove one of the two"),))
        return _describe_found(sources, found, Origin.MEASURED)
    if reason:
        return _describe_none(sources, Status.NOT_APPLICABLE.value, reason, Origin.DECLARED, declared.trace(_KEY))
    if found is not None:
        # That there are none is what whoever wrote the program says.
        return _describe_found(sources, found, Origin.DECLARED)
    return _describe_none(sources, NOT_RECORDED, "", None, ())


def _describe_found(sources: Sources, found: Contributions, origin: Origin) -> ContributionSection:
    file = sources.contributions_file
    return ContributionSection(
        origin=origin,
        trace=file.trace() if file else (),
        status=found.status.value,
        reason=found.reason,
        rows=found.rows,
        weights=dict(sorted(found.weights.items())),
        sum_to_one=found.sum_to_one,
        sign=found.sign,
        library=found.library,
        feature_selection=sources.declared.state("feature_selection"),
    )


def _describe_none(
    sources: Sources, status: str, reason: str, origin: Origin | None, trace: tuple[Trace, ...]
) -> ContributionSection:
    return ContributionSection(
        origin, trace, status, reason, (), {}, None, "", "", sources.declared.state("feature_selection")
    )
