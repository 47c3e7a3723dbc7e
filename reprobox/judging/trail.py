"""What has been found out about an entry so far: filled rung by rung, closed by a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from reprobox.judging.judgement import Agreement, JudgedRun, Judgement, Outcome, Rung, Score
from reprobox.languages import Reason, Said
from reprobox.record_diff import Fact
from reprobox.records import RunRecord
from reprobox.verdict import RunComparison, Verdict

_MOST_OUTPUTS = 1000


class Trail:
    """The rungs of one entry in the order they are reached."""

    def __init__(self, start: Judgement, on_rung: Callable[[Rung], None]) -> None:
        self._start = start
        self._on_rung = on_rung
        self._rungs: list[Rung] = list(start.rungs)
        self._runs: list[JudgedRun] = []
        self._since = self._began = time.monotonic()
        self.parted: RunComparison | None = None
        self.circumstances: tuple[Fact, ...] = ()
        self.agreement: Agreement | None = None
        self.scores: tuple[Score, ...] = ()
        self.notes: list[Reason] = list(start.notes)

    def reach(self, number: int, question: str, outcome: Outcome, answer: Said) -> None:
        """Add a rung, with the time since the last."""
        now = time.monotonic()
        rung = Rung(number, question, outcome, answer, round(now - self._since, 3))
        self._since = now
        self._rungs.append(rung)
        self._on_rung(rung)

    @property
    def last_answer(self) -> Said:
        """What the last rung came to."""
        return self._rungs[-1].answer

    def add_run(self, record: RunRecord) -> None:
        """Add a run that the judge made."""
        peaks = [stage.peak_memory for stage in record.stages if stage.peak_memory]
        # All of them are in the run's own record; a program may leave a hundred thousand with names as long as pages.
        outputs = {file.path: file.sha256 for file in record.outputs[:_MOST_OUTPUTS]}
        self._runs.append(
            JudgedRun(
                record.id,
                record.seed,
                record.exit_code,
                record.seconds,
                max(peaks, default=None),
                record.metrics,
                outputs,
            )
        )

    def close(self, verdict: Verdict, reason: Said) -> Judgement:
        """Return the judgement."""
        return replace(
            self._start,
            verdict=verdict,
            reason=reason,
            rungs=tuple(self._rungs),
            runs=tuple(self._runs),
            parted=self.parted,
            circumstances=self.circumstances,
            agreement=self.agreement,
            scores=self.scores,
            notes=tuple(dict.fromkeys(self.notes)),
            seconds=round(time.monotonic() - self._began, 3),
        )
