"""Contributions of explanatory variables, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Whether there are contributions."""

    COMPUTED = "computed"
    NOT_APPLICABLE = "not_applicable"
    """The method has none: a valid answer, with its reason."""
    NOT_COMPUTED = "not_computed"
    """It could have some, and nobody computed them."""


@dataclass(frozen=True)
class Contribution:
    """One variable's, one line of ``contributions.csv``."""

    feature: str
    importance: float
    """In the units of ``importance_type``."""
    std: float | None
    """Over the repeats, in the same units."""
    rank: int
    """From 1, the largest importance first."""
    method: str
    """How it was computed: "permutation", "gain", "shap", "coefficient", …"""
    importance_type: str
    """What the number means: "total_gain", "mean(|shap value|)", "decrease in accuracy", …"""
    data_split: str
    """On which rows: "train", "validation", "test", …"""
    metric: str
    """The score that falls; "not applicable: …" with the reason where the method has none."""
    n_repeats: int | None
    seed: int | None
    model_id: str
    """Which of an ensemble's models; empty where there is one."""
    description: str
    no_seed: str = ""
    """Why there is no seed; empty where there is one."""


@dataclass(frozen=True)
class Contributions:
    """All of a run's, and what is true of them together."""

    status: Status
    reason: str
    """Why there are none; empty where they were computed."""
    rows: tuple[Contribution, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    """Model -> its weight in the ensemble."""
    sum_to_one: bool | None = None
    sign: str = ""
    """"absolute", "signed", …: what a negative number would mean."""
    library: str = ""
    """Name and version of what computed them."""
    sha256: str = ""
    """Of ``contributions.csv``; empty where there is none."""
