"""Scores of predictions, and how far predictions move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reprobox.contributions.numbers import parse_number
from reprobox.errors import UsageError

_LARGEST = 1e140
"""Squares of it can be added up by the million; whoever predicts it wants an overflow."""
_SMALLEST = 1e-15
"""What a probability is held away from 0 and 1, as scikit-learn before 1.3 did."""

_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Metric:
    """A score of predictions against labels."""

    name: str
    larger_is_better: bool
    compute: Callable[[Sequence[str], Sequence[str]], float]
    """Takes the labels and the predictions, as text."""

    @property
    def change(self) -> str:
        """What a contribution in it means."""
        return f"{'decrease' if self.larger_is_better else 'increase'} in {self.name}"

    def lose(self, before: float, after: float) -> float:
        """Return how much worse it became."""
        return before - after if self.larger_is_better else after - before


def measure_shift(before: Sequence[str], after: Sequence[str]) -> float:
    """Return the mean distance of two lists of predictions; for labels the share of them that changed."""
    pairs = list(zip(before, after, strict=True))
    if are_numbers(before) and are_numbers(after):
        return math.fsum(abs(one - other) for one, other in _pair(before, after, "prediction")) / len(pairs)
    return sum(normalize(one) != normalize(other) for one, other in pairs) / len(pairs)


def name_shift(predictions: Sequence[str]) -> str:
    """Say what :func:`measure_shift` returns for these."""
    return "mean prediction shift" if are_numbers(predictions) else "share of predictions changed"


def are_numbers(values: Sequence[str]) -> bool:
    """Whether every value is a finite number."""
    return all(parse_number(value.strip()) is not None for value in values)


def normalize(value: str) -> float | str:
    """Return a label such that "1" and "1.0" are the same one."""
    number = parse_number(value.strip())
    return value.strip() if number is None else number


def choose_metric(labels: Sequence[str], predictions: Sequence[str]) -> Metric:
    """Return accuracy where every prediction is one of a few whole or wordy labels, else the error of numbers."""
    known = {normalize(label) for label in labels}
    classes = len(known) <= _MOST_CLASSES and all(isinstance(one, str) or one.is_integer() for one in known)
    if classes and all(normalize(one) in known for one in predictions):
        return METRICS["accuracy"]
    if are_numbers(labels) and are_numbers(predictions):
        return METRICS["rmse"]
    raise UsageError("the predictions are neither labels of the file nor numbers", hint="name the columns, or a metric")


def _accuracy(labels: Sequence[str], predictions: Sequence[str]) -> float:
    return sum(normalize(one) == normalize(other) for one, other in zip(labels, predictions, strict=True)) / len(labels)


def _rmse(labels: Sequence[str], predictions: Sequence[str]) -> float:
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in _pair(labels, predictions)) / len(labels))


def _mae(labels: Sequence[str], predictions: Sequence[str]) -> float:
    return math.fsum(abs(a - b) for a, b in _pair(labels, predictions)) / len(labels)


def _r2(labels: Sequence[str], predictions: Sequence[str]) -> float:
    pairs = _pair(labels, predictions)
    mean = math.fsum(label for label, _ in pairs) / len(pairs)
    total = math.fsum((label - mean) ** 2 for label, _ in pairs)
    if not total:
        raise UsageError("r2 is not defined: all labels are the same", hint="take another metric")
    return 1 - math.fsum((a - b) ** 2 for a, b in pairs) / total


def _logloss(labels: Sequence[str], predictions: Sequence[str]) -> float:
    positive = _find_positive(labels, "logloss")
    losses = []
    for label, probability in zip(labels, _to_numbers(predictions, "prediction"), strict=True):
        if not 0 <= probability <= 1:
            raise UsageError(f"logloss takes probabilities, and a prediction is {probability!r}", hint="take auc")
        right = probability if normalize(label) == positive else 1 - probability
        losses.append(-math.log(min(max(right, _SMALLEST), 1 - _SMALLEST)))
    return math.fsum(losses) / len(losses)


def _auc(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """The probability that a positive's prediction is larger than a negative's, a tie counting half."""
    positive = _find_positive(labels, "auc")
    found = sorted(zip(_to_numbers(predictions, "prediction"), labels, strict=True), key=lambda pair: pair[0])
    wins, below, start = 0.0, 0, 0
    while start < len(found):
        end = next((at for at in range(start, len(found)) if found[at][0] != found[start][0]), len(found))
        positives = sum(normalize(label) == positive for _, label in found[start:end])
        negatives = end - start - positives
        wins += positives * (below + negatives / 2)
        below += negatives
        start = end
    return wins / (below * (len(found) - below))


def _find_positive(labels: Sequence[str], name: str) -> float | str:
    """Return the larger one of exactly two labels, as numbers or by their letters."""
    classes = {normalize(label) for label in labels}
    if len(classes) != 2:
        raise UsageError(f"{name} is for two classes, and the labels have {len(classes)}", hint="take another metric")
    one, other = classes
    if isinstance(one, float) and isinstance(other, float):
        return max(one, other)
    return max((one, other), key=str)


def _pair(labels: Sequence[str], predictions: Sequence[str], what: str = "label") -> list[tuple[float, float]]:
    return list(zip(_to_numbers(labels, what), _to_numbers(predictions, "prediction"), strict=True))


def _to_numbers(values: Sequence[str], what: str) -> list[float]:
    found = []
    for row, value in enumerate(values, start=1):
        number = parse_number(value.strip())
        if number is None:
            raise UsageError(f"the {what} in row {row} is no finite number: {value[:40]!a}", hint="name another column")
        if abs(number) > _LARGEST:
            raise UsageError(f"the {what} in row {row} is too large to be scored: {value[:40]!a}")
        found.append(number)
    return found


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, _accuracy),
        Metric("auc", True, _auc),
        Metric("logloss", False, _logloss),
        Metric("mae", False, _mae),
        Metric("r2", True, _r2),
        Metric("rmse", False, _rmse),
    )
}
