"""A report as data; the names of the fields are the keys of ``report.json``, in this order.

``None`` is what is not known: not recorded, or not declared.
"""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.contributions.model import Contribution
from reprobox.languages import Reason
from reprobox.report.environment_model import EnvironmentSection, SeedSection
from reprobox.report.extra_model import Extra
from reprobox.report.values import (
    Answer,
    Commit,
    Count,
    Heading,
    Origin,
    Positive,
    Role,
    Sha256,
    Statement,
    Text,
    Trace,
)

REPORT_SCHEMA = 1


@dataclass(frozen=True)
class Git:
    """The version control's view of the source."""

    commit: Commit
    dirty: bool
    """Whether something in the spec's folder differs from the commit."""


@dataclass(frozen=True)
class SourceTree:
    """The project files that enter the image."""

    origin: Origin
    trace: tuple[Trace, ...]
    files: tuple[SourceEntry, ...]
    sha256: Sha256
    """Of them all: as an input folder's."""
    run_sha256: Sha256 | None
    """Of those that the run had."""
    git: Git | None


@dataclass(frozen=True)
class SourceEntry:
    """One of them."""

    path: Text
    size: Count
    sha256: Sha256 | None
    """A link has none."""


@dataclass(frozen=True)
class StageCommand:
    """One stage, and how to run it alone."""

    name: Text
    command: tuple[str, ...]
    alone: Text
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Procedure:
    """How the result is made again."""

    origin: Origin
    trace: tuple[Trace, ...]
    single: Text
    """Everything, in one command."""
    build: Text
    stages: tuple[StageCommand, ...]
    source_folder: Text
    input_folder: Text
    output_folder: Text


@dataclass(frozen=True)
class InputData:
    """A file or folder that a run reads."""

    name: Text
    path: Text
    sha256: Sha256
    rows: Count | None
    """Of a table below its first line, counted; or as a person says."""
    rows_origin: Origin | None
    split: Text | None
    """What it is for, as a person says: "train", "test", …"""


@dataclass(frozen=True)
class Inputs:
    """All of them; the run could only read them."""

    origin: Origin
    trace: tuple[Trace, ...]
    files: tuple[InputData, ...]


@dataclass(frozen=True)
class OutputData:
    """A file that the run left."""

    path: Text
    size: Count
    sha256: Sha256
    role: Role | None
    """As a person says: the hash is measured, the role declared."""


@dataclass(frozen=True)
class Outputs:
    """All of them."""

    origin: Origin
    trace: tuple[Trace, ...]
    files: tuple[OutputData, ...]


@dataclass(frozen=True)
class Reprediction:
    """A run of the stage ``predict`` alone, on what the run had left: no training."""

    origin: Origin
    trace: tuple[Trace, ...]
    run: Text
    same: tuple[str, ...]
    """The outputs of the stage that are the run's, byte for byte."""
    different: tuple[str, ...]


@dataclass(frozen=True)
class ProcedureSection:
    """ア: source code and reproduction procedure."""

    source: SourceTree
    procedure: Procedure
    inputs: Inputs
    outputs: Outputs
    reprediction: Reprediction | None
    external_data: Statement | None
    side_effects: Statement | None
    assumptions: Statement | None


@dataclass(frozen=True)
class ContributionSection:
    """イ: the contribution of each explanatory variable."""

    origin: Origin | None
    trace: tuple[Trace, ...]
    status: Text
    """"computed", "not_applicable", "not_computed" or "not_recorded"."""
    reason: str
    """Why there are none; empty where they were computed."""
    rows: tuple[Contribution, ...]
    weights: dict[str, float]
    sum_to_one: bool | None
    sign: str
    library: str
    feature_selection: Statement | None


@dataclass(frozen=True)
class Item:
    """One item of the checklist."""

    number: Positive
    item: Text
    heading: Heading
    answer: Answer
    origin: Origin | None
    """``None``: nothing is known, so it comes from nowhere."""
    reason: Reason
    trace: tuple[Trace, ...]


@dataclass(frozen=True)
class RunIdentity:
    """The run that the report is about."""

    id: Text
    started: Text
    trace: tuple[Trace, ...]
    image_digest: Text
    """"local:…" where it was in no image."""
    reprobox: Text
    """The version that ran it."""


@dataclass(frozen=True)
class Report:
    """All of it."""

    schema_version: Positive
    reprobox: Text
    """The version that wrote the report."""
    name: Text
    title: Statement | None
    author: Statement | None
    run: RunIdentity
    a_procedure: ProcedureSection
    i_contributions: ContributionSection
    u_environment: EnvironmentSection
    e_seed: SeedSection
    extra: Extra
    checklist: tuple[Item, ...]
    notes: tuple[Reason, ...]
    """What a reader should know of how the facts go together."""
