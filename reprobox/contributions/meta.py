"""``contributions.meta.json``: whether there are contributions, why not, and what is true of all of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from reprobox.contributions.mistakes import quote
from reprobox.contributions.model import Status
from reprobox.spec.values import suggest

META_SCHEMA = 1
SIGNS = ("absolute", "signed", "difference")
"""No number is negative; the sign is a direction, and the size counts; a number below zero is less than nothing."""
TEXTS = ("method", "importance_type", "data_split", "metric")
INTEGERS = ("n_repeats",)
_KEYS = ("schema_version", "status", "reason", "sum_to_one", "sign", "library", "weights", *TEXTS, *INTEGERS, "seed")
_MOST_UNKNOWN = 20
"""Keys that are told: a suggestion takes its time."""
_LONGEST = 10_000
"""Characters of a text."""

Report = Callable[[str, str], None]
"""Takes what is wrong, and a hint."""


@dataclass(frozen=True)
class Meta:
    """What the file says; without one, that they were computed."""

    status: Status = Status.COMPUTED
    reason: str = ""
    sum_to_one: bool | None = None
    sign: str = ""
    library: str = ""
    weights: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Column -> what holds for rows that leave it empty."""
    integers: dict[str, int] = field(default_factory=dict)
    """The same."""
    seed: str = ""
    """The same: an integer, or why there is none."""


def parse_meta(text: str, report: Report) -> Meta:
    """Return what a JSON object says; report every key that is unknown or holds the wrong thing."""
    try:
        data = json.loads(text, object_pairs_hook=_refuse_twins, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        report(f"is no JSON: {str(exc) or 'nested too deep'}", "")
        return Meta()
    if not isinstance(data, dict):
        report("holds no object", 'write {"status": "computed", …}')
        return Meta()
    for key in [key for key in data if key not in _KEYS][:_MOST_UNKNOWN]:
        report(f"{quote(key)} is none of {', '.join(_KEYS)}", suggest(key[:40], _KEYS))
    return _Fields(data, report).build()


def _refuse_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON's")


class _Fields:
    """Takes one value after another, and reports those that are not what they should be."""

    def __init__(self, data: dict[str, object], report: Report) -> None:
        self._data = data
        self._report = report

    def build(self) -> Meta:
        """Return all that is right."""
        if self._data.get("schema_version", META_SCHEMA) != META_SCHEMA:
            self._report(f"schema_version: this reprobox reads {META_SCHEMA}", "")
        status = self._choose("status", tuple(Status), Status.COMPUTED)
        meta = Meta(
            status=Status(status),
            reason=self._text("reason").strip(),
            sum_to_one=self._flag("sum_to_one"),
            sign=self._choose("sign", SIGNS, ""),
            library=self._text("library").strip(),
            weights=self._weights(),
            texts={key: text for key in TEXTS if (text := self._text(key).strip())},
            integers={key: number for key in INTEGERS if (number := self._integer(key)) is not None},
            seed=self._seed(),
        )
        if meta.status is not Status.COMPUTED and not meta.reason:
            self._report(f"status is {meta.status}, and no reason says why", 'add "reason": "…"')
        return meta

    def _text(self, key: str) -> str:
        value = self._data.get(key)
        if isinstance(value, str) and len(value) <= _LONGEST and _is_text(value):
            return value
        if value is not None:
            self._report(f"{key}: is no text of at most {_LONGEST} characters", "")
        return ""

    def _choose(self, key: str, known: tuple[str, ...], default: str) -> str:
        value = self._data.get(key)
        if value is None or value in known:
            return default if value is None else str(value)
        hint = suggest(value[:40], known) if isinstance(value, str) else ""
        self._report(f"{key}: is none of {', '.join(known)}", hint)
        return default

    def _flag(self, key: str) -> bool | None:
        value = self._data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._report(f"{key}: is neither true nor false", "")
        return None

    def _integer(self, key: str) -> int | None:
        value = self._data.get(key)
        if value is None or (type(value) is int and abs(value) < 10**19):
            return value
        self._report(f"{key}: is no integer", "")
        return None

    def _seed(self) -> str:
        if isinstance(self._data.get("seed"), str):
            return self._text("seed").strip()
        number = self._integer("seed")
        return "" if number is None else str(number)

    def _weights(self) -> dict[str, float]:
        value = self._data.get("weights")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(_is_number(one) for one in value.values()):
            self._report("weights: is no object of model_id -> number", 'write {"weights": {"forest": 0.7, …}}')
            return {}
        return {str(key): float(one) for key, one in value.items()}


def _is_number(value: object) -> bool:
    # Larger integers have no float.
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e300:
        return False
    return math.isfinite(value)


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8, which JSON's half surrogates cannot, and holds no NUL."""
    return "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
