"""Contributions from outside: shuffle a column of an input, run ``predict`` again, see how much worse it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Protocol

from reprobox import __version__
from reprobox.contributions.absence import write_absence
from reprobox.contributions.mistakes import quote
from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.contributions.predictions import Values, find_key, pair_values, read_values
from reprobox.contributions.rows import rank_values
from reprobox.contributions.scores import Metric, are_numbers, choose_metric, measure_shift, name_shift, normalize
from reprobox.contributions.sheet import Sheet, shuffle_rows, write_shuffled
from reprobox.engines.base import Mount, Runner
from reprobox.errors import RunError, UsageError
from reprobox.fleet import Ran, run_fleet
from reprobox.outputs import find_output
from reprobox.permutation_progress import Progress
from reprobox.run import RunRequest
from reprobox.streams import escape_unprintable

_NO_METRIC = write_absence("without labels there is no score, and predictions are set against predictions")
_CONTROLS = 2
"""Runs on the input as it is: the second shows whether the same input gives the same predictions."""
_LOG_LINES = 5
_LOG_BYTES = 4096


@dataclass(frozen=True)
class Permutation:
    """What to shuffle, what to run on it, and how to score what comes out."""

    run: RunRequest
    """``predict`` alone, on what the stages before it left; its ``runs`` is a folder that may be emptied."""
    sheet: Sheet
    target: str
    """Where the file is in the container."""
    columns: tuple[int, ...]
    named: bool
    """Whether the user named the columns; else a key is left out."""
    repeats: int
    predictions: str
    """The output that has them; "" where it is the only table that predict leaves."""
    column: str
    """Of that file; "" leaves the choice to its name."""
    labels: Values | None
    metric: Metric | None
    """``None``: the one that fits the labels."""
    split: str
    now: Callable[[], datetime]
    progress: Path
    """A file for what has been found out, from which the next one goes on where this one ends early."""


@dataclass(frozen=True)
class Estimate:
    """What it will cost, known once predict has run on the input as it is."""

    columns: int
    repeats: int
    seconds: float
    """Of one run of predict, with everything around it."""
    jobs: int
    metric: str
    baseline: float | None
    """The score on the input as it is; ``None`` without labels."""
    key: str
    """The column that ties predictions to labels, where it is left out."""
    known: int
    """How many of the runs were made before, by one that ended early."""

    @property
    def total(self) -> float:
        """Seconds, for every column and repeat that is not known, and the one run in which all columns are shuffled."""
        return (self.columns * self.repeats - self.known + 1) * self.seconds / self.jobs


class Watch(Protocol):
    """Learns how far it is."""

    def estimate(self, found: Estimate) -> None:
        """Before the first shuffled run."""

    def score(self, column: str, importances: list[float]) -> None:
        """After a column's last one."""


@dataclass(frozen=True)
class Permuted:
    """What came of it."""

    contributions: Contributions
    baseline: float | None
    seconds: float
    predictions: str
    """The output that was scored."""
    column: str
    values: dict[str, list[float]]
    """Column -> the importance in each repeat."""
    warnings: tuple[str, ...]


def permute(wanted: Permutation, engines: Sequence[Runner], watch: Watch) -> Permuted:
    """Run predict twice as it is, once with every column shuffled, then for each column and repeat.

    As many runs at once as there are connections to the engine. Raises ``UsageError`` where no shuffled column changes
    anything, ``RunError`` where predict fails.
    """
    session = _Session(wanted, engines)
    estimate = session.measure_baseline()
    progress = Progress(wanted.progress, session.describe_question())
    work = [_Work((column,), repeat) for column in session.columns for repeat in range(wanted.repeats)]
    known = [progress.find(wanted.sheet.columns[one.columns[0]], one.repeat) for one in work]
    missing = [one for one, importance in zip(work, known, strict=True) if importance is None]
    watch.estimate(replace(estimate, known=len(work) - len(missing)))
    session.probe()
    for start in range(0, len(missing), len(engines)):
        batch = missing[start : start + len(engines)]
        for one, found in zip(batch, session.predict(batch), strict=True):
            column = wanted.sheet.columns[one.columns[0]]
            progress.keep(column, one.repeat, session.compare(found))
            importances = _list_importances(progress, column, wanted.repeats)
            if len(importances) == wanted.repeats:
                watch.score(column, importances)
    names = [wanted.sheet.columns[column] for column in session.columns]
    values = {name: _list_importances(progress, name, wanted.repeats) for name in names}
    return session.conclude(values, estimate)


def _list_importances(progress: Progress, column: str, repeats: int) -> list[float]:
    found = [progress.find(column, repeat) for repeat in range(repeats)]
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class _Work:
    """One run: which columns are shuffled, and for which time."""

    columns: tuple[int, ...] = ()
    repeat: int = 0


class _Session:
    """What is known after the runs without a shuffled column."""

    def __init__(self, wanted: Permutation, engines: Sequence[Runner]) -> None:
        self._wanted = wanted
        self._engines = engines
        self._file = wanted.predictions
        self._metric = wanted.metric
        self._baseline: float | None = None
        self._before: Values
        self._repeats_itself = True
        self._key = ""
        self.columns = wanted.columns

    def measure_baseline(self) -> Estimate:
        """Predict on the input as it is, more than once."""
        wanted, started = self._wanted, self._wanted.now()
        first, *others = self.predict([_Work()] * _CONTROLS)
        seconds = (wanted.now() - started).total_seconds() * min(len(self._engines), _CONTROLS) / _CONTROLS
        self._before = first
        self._repeats_itself = not any(_differ(first, other) for other in others)
        if wanted.labels:
            self._key = find_key(wanted.labels, first)
            labels, predictions = pair_values(wanted.labels, first, self._key)
            self._metric = self._metric or choose_metric(labels, predictions)
            self._baseline = self._metric.compute(labels, predictions)
        name = self._metric.name if self._metric else ""
        key = self._leave_key_out()
        return Estimate(len(self.columns), wanted.repeats, seconds, len(self._engines), name, self._baseline, key, 0)

    def describe_question(self) -> object:
        """Return what importances depend on: of the same answers to it they are the same."""
        wanted, labels = self._wanted, self._wanted.labels
        run = wanted.run
        return {
            "image": run.image_digest,
            "seed": run.plan.seed,
            "from_run": [run.earlier.run, run.earlier.image_digest] if run.earlier else None,
            "inputs": {name: entry.sha256 for name, entry in sorted(run.spec.inputs.items())},
            "shuffled": wanted.target,
            "predictions": [self._file, self._before.column, self._before.values, self._key],
            "labels": [labels.column, labels.values, labels.others] if labels else None,
            "metric": self._metric.name if self._metric else None,
            "reprobox": __version__,
        }

    def _leave_key_out(self) -> str:
        """Shuffling what ties predictions to labels scores them against other rows' labels, whatever predict does."""
        names = self._wanted.sheet.columns
        if self._wanted.named or self._key not in [names[column] for column in self.columns]:
            return ""
        self.columns = tuple(column for column in self.columns if names[column] != self._key)
        if not self.columns:
            raise UsageError(
                f"column {quote(self._key)} ties predictions to labels, and there is no other to shuffle",
                hint="name the input that has the variables: --input NAME",
            )
        return self._key

    def probe(self) -> None:
        """Shuffle all columns at once: where that changes nothing, no single one would."""
        (found,) = self.predict([_Work(self.columns)])
        if not _differ(self._before, found):
            file = self._wanted.target
            raise UsageError(
                f"predict gives the same predictions with every one of these columns of {file} shuffled: it does not"
                " read them there, or reads features that an earlier stage made of them",
                hint="name the input that predict reads, or let it make its features itself",
            )

    def predict(self, batch: Sequence[_Work]) -> list[Values]:
        """Run predict for each, and return the predictions; nothing else is kept."""
        found: dict[int, Values] = {}
        shuffled = self._wanted.run.runs / "shuffled"
        shuffled.mkdir(parents=True)

        def take(number: int, ran: Ran) -> bool:
            found[number] = self._read_predictions(ran, batch[number])
            shutil.rmtree(ran[0])
            return True

        requests = [self._prepare(one, shuffled / str(number)) for number, one in enumerate(batch)]
        run_fleet(requests, self._engines[: len(requests)], self._wanted.now, take)
        shutil.rmtree(shuffled)
        return [found[number] for number in range(len(batch))]

    def compare(self, found: Values) -> float:
        """Return how much worse predictions are than those on the input as it is; without labels, how far they are."""
        labels, metric = self._wanted.labels, self._metric
        if labels and metric and self._baseline is not None:
            return metric.lose(self._baseline, metric.compute(*pair_values(labels, found, self._key)))
        if len(found.values) != len(self._before.values):
            raise RunError(f"predict left {len(found.values)} predictions, and {len(self._before.values)} before")
        if are_numbers(self._before.values) and not are_numbers(found.values):
            raise RunError("predict left a prediction that is no finite number, and only finite ones before")
        return measure_shift(self._before.values, found.values)

    def conclude(self, values: dict[str, list[float]], estimate: Estimate) -> Permuted:
        """Average over the repeats, and rank."""
        means = {column: fmean(found) for column, found in values.items()}
        ranks = dict(zip(means, rank_values(tuple(means.values())), strict=True))
        rows = [self._make_row(column, values[column], ranks[column]) for column in values]
        contributions = Contributions(
            status=Status.COMPUTED,
            reason="",
            rows=tuple(sorted(rows, key=lambda row: row.rank)),
            sign="difference" if self._metric else "absolute",
            library=f"reprobox {__version__}",
        )
        return Permuted(
            contributions=contributions,
            baseline=self._baseline,
            seconds=estimate.seconds,
            predictions=self._file,
            column=self._before.column,
            values=values,
            warnings=() if self._repeats_itself else (_NOT_REPEATABLE,),
        )

    def _make_row(self, column: str, values: list[float], rank: int) -> Contribution:
        wanted = self._wanted
        return Contribution(
            feature=column,
            importance=fmean(values),
            std=stdev(values) if len(values) > 1 else None,
            rank=rank,
            method="permutation",
            importance_type=self._metric.change if self._metric else name_shift(self._before.values),
            data_split=wanted.split,
            metric=self._metric.name if self._metric else _NO_METRIC,
            n_repeats=wanted.repeats,
            seed=wanted.run.plan.seed,
            model_id="",
            description="",
        )

    def _prepare(self, work: _Work, path: Path) -> RunRequest:
        run, sheet = self._wanted.run, self._wanted.sheet
        if not work.columns:
            return run
        orders = {
            column: shuffle_rows(sheet.rows, run.plan.seed, sheet.columns[column], work.repeat)
            for column in work.columns
        }
        with path.open("xb") as stream:
            write_shuffled(sheet, orders, stream)
        shutil.copymode(sheet.path, path)
        return replace(run, mounts=(*run.mounts, Mount(path, self._wanted.target)))

    def _read_predictions(self, ran: Ran, work: _Work) -> Values:
        folder, record = ran
        if record.exit_code:
            raise RunError(
                f"predict failed with exit code {record.exit_code}{self._name_columns(work)}{_read_log_end(folder)}",
                hint="leave a column out that predict checks: --columns names those to shuffle",
            )
        self._file = self._file or _find_predictions(ran)
        path = find_output(folder, self._file)
        if path is None:
            raise UsageError(f"{self._file} leads out of /output")
        try:
            return read_values(path, self._wanted.column)
        except UsageError as exc:
            message = exc.message.replace(str(path), f"/output/{self._file}")
            raise RunError(f"{message}{self._name_columns(work)}", hint=exc.hint) from exc

    def _name_columns(self, work: _Work) -> str:
        names = ", ".join(escape_unprintable(self._wanted.sheet.columns[column]) for column in work.columns[:5])
        more = ", …" if len(work.columns) > 5 else ""
        return f", with {names}{more} shuffled" if names else ", on the input as it is"


_NOT_REPEATABLE = (
    "predict gives other predictions for the same input, so a part of every number is noise;"
    " `reprobox verify` says where that comes from"
)


def _differ(one: Values, other: Values) -> bool:
    return [normalize(value) for value in one.values] != [normalize(value) for value in other.values]


def _find_predictions(ran: Ran) -> str:
    """Return the one table that predict left."""
    _, record = ran
    earlier = {file.path for file in record.earlier.outputs} if record.earlier else set()
    left = tuple(file for file in record.outputs if file.path not in earlier)
    return _choose_table([file.path for file in left])


def _choose_table(paths: Sequence[str]) -> str:
    tables = [path for path in paths if path.lower().endswith((".csv", ".tsv")) and path != "contributions.csv"]
    if len(tables) == 1:
        return tables[0]
    found = f"these tables: {', '.join(map(escape_unprintable, tables))}" if tables else "no CSV or TSV"
    raise UsageError(f"predict left {found}", hint="name the one with the predictions: --predictions FILE[:COLUMN]")


def _read_log_end(folder: Path) -> str:
    with (folder / "log.txt").open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - _LOG_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    return "".join(f"\n  {escape_unprintable(line)}" for line in lines)
