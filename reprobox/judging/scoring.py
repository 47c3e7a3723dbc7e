"""The contest's score: computed from predictions and the judges' labels, else as programs say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reprobox.contributions.predictions import find_key, pair_values, read_values
from reprobox.contributions.scores import METRICS
from reprobox.errors import UsageError
from reprobox.judging.agreement import choose_predictions
from reprobox.judging.terms import Contest
from reprobox.outputs import find_output


def find_metrics(contest: Contest, run: Path, outputs: tuple[str, ...], said: Mapping[str, float]) -> dict[str, float]:
    """Return a run's metrics: the contest's own, computed, and nothing else where there are labels; else what it says.

    ``run`` is the folder that has the outputs below ``output``. Predictions that cannot be scored have no score.
    """
    if contest.labels is None or contest.metric is None:
        return dict(said)
    path = choose_predictions(contest.predictions, outputs)
    found = find_output(run, path) if path else None
    if found is None:
        return {}
    try:
        return {contest.metric.name: score_predictions(contest, found)}
    except UsageError:
        return {}


def score_predictions(contest: Contest, path: Path) -> float:
    """Return the contest's metric of a file of predictions; raise ``UsageError`` where it has none."""
    assert contest.labels is not None
    assert contest.metric is not None
    labels = read_values(contest.labels, contest.labels_column)
    predictions = read_values(path, contest.predictions_column)
    known, predicted = pair_values(labels, predictions, find_key(labels, predictions))
    return METRICS[contest.metric.name].compute(known, predicted)
