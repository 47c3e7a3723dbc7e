"""What judging an entry came to, as data: printed for people, kept as ``judgement.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

from reprobox.json_values import JsonObject, name_non_finite
from reprobox.judging.words import tell_english
from reprobox.languages import Said
from reprobox.record_diff import Fact
from reprobox.records import EngineRecord, Host
from reprobox.verdict import RunComparison, Verdict
from reprobox.verify_text import describe_comparison

JUDGEMENT_SCHEMA = 1
_MOST_LINES = 40


class Outcome(StrEnum):
    """What became of one rung."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It cannot be climbed here; the text says why."""


@dataclass(frozen=True)
class Rung:
    """One step of the ladder that was reached."""

    number: int
    question: str
    outcome: Outcome
    answer: Said
    seconds: float = 0.0


@dataclass(frozen=True)
class JudgedRun:
    """One run that the judge made."""

    run: str
    seed: int
    exit_code: int
    seconds: float
    peak_memory: int | None
    metrics: dict[str, float]
    outputs: dict[str, str]
    """Path -> sha256."""


@dataclass(frozen=True)
class Agreement:
    """How far predictions agree, row by row: with the claim, and between seeds of this very entry."""

    path: str
    with_claim: float
    between_seeds: float | None
    """The mean over the fresh seeds, each against the judge's own training, or the first of them; ``None`` without."""


@dataclass(frozen=True)
class Score:
    """The claimed score, the judge's, and where other seeds put it."""

    metric: str
    computed: bool
    """Whether the judge computed it from predictions and labels; else it is what programs say of themselves."""
    claimed: float
    judged: float | None
    band: tuple[float, float] | None
    """Holds one more seed's score with 95 %, by the fresh seeds."""
    seeds: int
    inside: bool | None
    rank_claimed: int | None
    rank_judged: int | None
    median: float | None = None
    """Of the fresh seeds."""
    sd: float | None = None
    """The same."""
    seed_sensitive: bool | None = None
    """Whether the claim is better than the band, as that of a picked seed is; on either side of it where nobody says
    which is better. ``None`` without a band."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with the whole trail that led to it."""

    entry: str
    bundle: str
    """Its digest."""
    signer: str
    image_digest: str
    seed: int
    contest: str
    terms: str
    """Digest of what holds for every entry: the contest's file and the judge's options."""
    verdict: Verdict
    reason: Said
    rungs: tuple[Rung, ...]
    runs: tuple[JudgedRun, ...] = ()
    claim: str = ""
    """The run whose outputs are claimed."""
    claimed_outputs: dict[str, str] = field(default_factory=dict)
    parted: RunComparison | None = None
    """The judge's first run that is not the claim, against it."""
    circumstances: tuple[Fact, ...] = ()
    """What was not the same around the two."""
    agreement: Agreement | None = None
    scores: tuple[Score, ...] = ()
    notes: Said = ()
    file: dict[str, int] = field(default_factory=dict)
    """What the bundle's file was like, which every byte was read from: one that has changed since is another."""
    sandbox: dict[str, object] = field(default_factory=dict)
    host: Host | None = None
    engine: EngineRecord | None = None
    started: str = ""
    seconds: float = 0.0
    reprobox: str = ""

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs between the claim and the judge's run, a line each."""
        if self.parted is None:
            return ()
        lines = (line.strip() for line in describe_comparison(self.parted, "the claim"))
        return tuple(islice(lines, _MOST_LINES))

    def to_json(self) -> JsonObject:
        """Return what is kept, and what ``judge --json`` prints; numbers that JSON lacks are texts.

        What is said is there in English; beside each reason are its keys, for programs.
        """
        values = {
            "schema_version": JUDGEMENT_SCHEMA,
            **asdict(self),
            "reason": tell_english(self.reason),
            "reason_keys": [one.key for one in self.reason],
            "rungs": [
                asdict(rung) | {"answer": tell_english(rung.answer), "answer_keys": [one.key for one in rung.answer]}
                for rung in self.rungs
            ],
            "notes": [tell_english((note,)) for note in self.notes],
            "differences": self.differences,
            "parted": self.parted.to_json() if self.parted else None,
        }
        return name_non_finite(values)


def describe_file(path: Path) -> dict[str, int]:
    """Return what changes with a file's content: its size in bytes, and the nanosecond of its last change.

    Nothing of one that is not there: whoever opens it says so.
    """
    try:
        status = path.stat()
    except OSError:
        return {}
    return {"size": status.st_size, "modified_ns": status.st_mtime_ns}


def format_judgement(judgement: Judgement) -> bytes:
    """Return ``judgement.json``."""
    text = json.dumps(judgement.to_json(), indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")
