"""Everything that a report is made of, as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from reprobox.contributions.model import Contributions
from reprobox.plan import Plan
from reprobox.records import RunRecord
from reprobox.report.declared import DeclaredFile
from reprobox.report.extra_model import VerificationFacts
from reprobox.report.model import Git
from reprobox.report.values import Trace
from reprobox.spec.model import Spec
from reprobox.sweep import SweepRecord


@dataclass(frozen=True)
class Evidence:
    """A file that facts come from."""

    file: str
    """Relative to the spec's folder."""
    sha256: str

    def trace(self, *keys: str) -> tuple[Trace, ...]:
        """Return where its keys can be looked up."""
        return tuple(Trace(self.file, key, self.sha256) for key in keys or ("",))


def is_in_image(record: RunRecord) -> bool:
    """Whether a run took place in an image: without a container its digest is none."""
    return record.image_digest.startswith("sha256:")


@dataclass(frozen=True)
class Sources:
    """Spec, lock and source as they are now; what a run of them left; what a person says."""

    spec: Spec
    spec_file: Evidence
    lock_file: Evidence
    plan: Plan
    record: RunRecord
    run_file: Evidence
    declared: DeclaredFile = field(default_factory=DeclaredFile)
    git: Git | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    """Input -> the rows of the table that it is; of those that the run read."""
    dockerfile_sha256: str | None = None
    """Of the Dockerfile of spec and lock as they are now."""
    repredicted: RunRecord | None = None
    """A run of the stage ``predict`` alone, on what the run left."""
    repredicted_file: Evidence | None = None
    verification: VerificationFacts | None = None
    sweep: SweepRecord | None = None
    sweep_file: Evidence | None = None
    contributions: Contributions | None = None
    contributions_file: Evidence | None = None

    @property
    def in_image(self) -> bool:
        """Whether the run took place in an image, so that what the lock pins is what it had."""
        return is_in_image(self.record)

    @property
    def has_lock(self) -> bool:
        """Whether the lock that is there is that of the image: after another one nobody knows what it held."""
        return self.in_image and self.record.lock_digest == self.plan.lock_digest

    @property
    def has_spec(self) -> bool:
        """Whether the spec that is there is that of the run."""
        return self.record.spec_digest == self.plan.spec_digest

    @property
    def spec_name(self) -> str:
        """How commands name the spec; empty where it is the one they take by default."""
        name = os.path.basename(self.spec_file.file)  # noqa: PTH119 — a text, and no path of this machine
        return "" if name == "spec.yaml" else name
