"""What a check of the checklist finds, and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.languages import Reason, make_reason
from reprobox.report.environment_model import EnvironmentSection, SeedSection
from reprobox.report.extra_model import Extra, VerificationFacts
from reprobox.report.model import ContributionSection, ProcedureSection
from reprobox.report.values import Answer, Origin, Statement, Trace
from reprobox.verdict import Verdict

Traces = tuple[Trace, ...]


@dataclass(frozen=True)
class Parts:
    """The sections of a report."""

    a: ProcedureSection
    i: ContributionSection
    u: EnvironmentSection
    e: SeedSection
    extra: Extra

    @property
    def repeated(self) -> VerificationFacts | None:
        """The runs that were repeated to the end: what was interrupted, or failed, proves nothing."""
        found = self.extra.verification
        return found if found and found.verdict != Verdict.NOT_RUN else None


@dataclass(frozen=True)
class Finding:
    """An answer with its reason, and where that comes from."""

    answer: Answer
    reason: Reason
    origin: Origin | None = None
    trace: Traces = ()


def say_yes(origin: Origin, trace: Traces, key: str, **values: str | int) -> Finding:
    """Return that it is there, and where it can be looked up."""
    return Finding(Answer.YES, make_reason(key, **values), origin, trace)


def say_no(key: str, **values: str | int) -> Finding:
    """Return that it is not there."""
    return Finding(Answer.NO, make_reason(key, **values))


def find_statements(key: str, *statements: Statement | None) -> Finding:
    """Return whether a person says everything that is asked."""
    said = [one for one in statements if one is not None]
    if len(said) < len(statements):
        return say_no(f"{key}_undeclared")
    trace = tuple(trace for one in said for trace in one.trace)
    return say_yes(Origin.DECLARED, trace, f"{key}_declared")
