"""Why runs may differ: what the runtime noted and what the source tells, the most probable first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from reprobox.records import RunRecord, Suspect
from reprobox.static_suspects import find_clock_seeds, find_hash_orders, find_processor_counts, is_order_settled
from reprobox.static_threads import find_shared_sums

_UNSEEDED_LEVELS = ("off",)
_UNPINNED_LEVELS = ("off", "seeded")
_SOURCE_FOLDER = "/work/"
"""Of the image; a process that was started in another folder gives whole paths."""
_STREAMS_OF_OLD = ("random.", "tf.random.Generator from a state")
"""How details of older records begin of what was given a stream."""
_NOT_IN_EVERY_RUN = 12
"""Added where a suspect is not in every run, or not as often: the runs part there at the latest."""


@dataclass(frozen=True)
class Cause:
    """What a suspect of one sort means, from ``data/suspects.yaml``."""

    kind: str
    weight: int
    explanation: str
    advice: str


@dataclass(frozen=True)
class RankedSuspect:
    """One suspect with what a person needs to act on it."""

    kind: str
    where: str
    """``file:line`` of the user's code; "" for the run as a whole."""
    count: int
    """In all runs together; 0 where nothing was seen to happen, and the level or the source tells."""
    detail: str
    weight: int
    """How likely it is the reason, 0 to 100."""
    explanation: str
    """One sentence."""
    advice: str
    """What to do about it."""


def rank_suspects(records: Sequence[RunRecord], sources: Mapping[str, str] | None = None) -> tuple[RankedSuspect, ...]:
    """Return what may have made these runs differ, the most probable first.

    ``sources`` maps the paths of the program's files to their text (``static_suspects.read_sources``): with it,
    listings that the program sorts are left out, and the places where a set's order gets out are named.
    """
    sources = sources or {}
    static = tuple(_list_static(records, sources))
    found = (*_list_conditions(records), *_list_noted(records, sources), *static)
    best: dict[tuple[str, str], RankedSuspect] = {}
    for one in found:
        if one.kind == "hash-order" and not one.where and any(other.kind == "hash-order" for other in static):
            # The lines where it counts say more.
            continue
        known = best.get((one.kind, one.where))
        if known is None or (one.weight, one.count) > (known.weight, known.count):
            best[one.kind, one.where] = one
    return tuple(sorted(best.values(), key=lambda one: (-one.weight, one.kind, _split_place(one.where), -one.count)))


@cache
def load_causes() -> dict[str, Cause]:
    """Return what each sort of suspect means, by the name that ``data/suspects.yaml`` gives it."""
    text = files("reprobox").joinpath("data", "suspects.yaml").read_text("utf-8")
    return {name: Cause(**entry) for name, entry in yaml.safe_load(text).items()}


def _list_conditions(records: Sequence[RunRecord]) -> Iterator[RankedSuspect]:
    """Yield what the records say of the runs as a whole, whatever the program did."""
    if difference := _find_difference(records):
        yield _explain("environment", Suspect("environment", "", 0, difference))
    if any(record.level in _UNSEEDED_LEVELS for record in records):
        yield _explain("level-off", Suspect("unseeded-generator", "", 0, ""))
    if any(record.gpus and _is_unpinned(record, "deterministic_kernels") for record in records):
        yield _explain("kernels-not-set", Suspect("nondeterministic-kernel", "", 0, ""))
    if any(_is_unpinned(record, "threads") and "OMP_NUM_THREADS" not in record.environment for record in records):
        yield _explain("threads-not-set", Suspect("thread-count", "", 0, ""))


def _list_noted(records: Sequence[RunRecord], sources: Mapping[str, str]) -> Iterator[RankedSuspect]:
    """Yield what the runtime noted, less what is known to be harmless."""
    runs = [{(one.kind, one.where.removeprefix(_SOURCE_FOLDER)): one for one in record.suspects} for record in records]
    for key in dict.fromkeys(key for run in runs for key in run):
        seen = [run.get(key) for run in runs]
        present = [one for one in seen if one is not None]
        total = Suspect(*key, sum(one.count for one in present), present[0].detail)
        name = _choose_cause(total, [one.detail for one in present], records)
        if name is None or (name == "listing-order" and _is_settled(total.where, sources)):
            continue
        differs = len({one.count if one else 0 for one in seen}) > 1
        yield _explain(name, total, _NOT_IN_EVERY_RUN if differs else 0)


def _list_static(records: Sequence[RunRecord], sources: Mapping[str, str]) -> Iterator[RankedSuspect]:
    """Yield what the source tells, as far as it can matter in these runs."""
    for one in find_clock_seeds(sources):
        yield _explain("clock-seed", Suspect(one.kind, one.where, 0, one.detail))
    for one in find_shared_sums(sources):
        yield _explain("shared-sum", Suspect(one.kind, one.where, 0, one.detail))
    if len({record.host.cpus for record in records}) > 1:
        for one in find_processor_counts(sources):
            yield _explain("processor-count", Suspect(one.kind, one.where, 0, one.detail))
    if _are_hashes_random(records):
        for one in find_hash_orders(sources):
            name = "hash-number" if one.detail.startswith("hash()") else "set-order"
            yield _explain(name, Suspect(one.kind, one.where, 0, one.detail))


def _choose_cause(total: Suspect, details: Sequence[str], records: Sequence[RunRecord]) -> str | None:
    """Return the name of what explains a suspect; None where the records show that it is harmless."""
    match total.kind:
        case "reseeded":
            if len(set(details)) > 1:
                return "other-seed"
            return "reseeded" if len(records) == 1 else None
        case "unseeded-generator":
            if total.detail.endswith("draw the same"):
                # torch.Generator() has a constant for a seed.
                return None
            if any(record.level in _UNSEEDED_LEVELS for record in records):
                return total.kind
            if _is_given_a_stream(total.detail):
                return "given-a-stream"
            return "takes-entropy" if "operating system" in total.detail else total.kind
        case "switch-flipped" if "thread" in total.detail.lower():
            return "thread-count"
        case "completion-order" if total.detail.startswith("possible"):
            return "threads-at-once"
    return total.kind if total.kind in load_causes() else None


def _is_given_a_stream(detail: str) -> bool:
    """Whether the runtime has seeded what the program did not; it cannot do so for ``torch.seed()`` and its like."""
    return detail.endswith("without a seed") or detail.startswith(_STREAMS_OF_OLD)


def _explain(name: str, one: Suspect, more: int = 0) -> RankedSuspect:
    cause = load_causes()[name]
    weight = min(cause.weight + more, 100)
    return RankedSuspect(cause.kind, one.where, one.count, one.detail, weight, cause.explanation, cause.advice)


def _is_unpinned(record: RunRecord, switch: str) -> bool:
    return record.level in _UNPINNED_LEVELS and switch not in record.switches


def _are_hashes_random(records: Iterable[RunRecord]) -> bool:
    return any(
        (record.level in _UNSEEDED_LEVELS and "PYTHONHASHSEED" not in record.environment)
        or any(one.kind == "hash-order" for one in record.suspects)
        for record in records
    )


def _is_settled(where: str, sources: Mapping[str, str]) -> bool:
    path, line = _split_place(where)
    return line > 0 and path in sources and is_order_settled(sources[path], line)


def _find_difference(records: Sequence[RunRecord]) -> str:
    """Return in words what was not the same for all runs, or ""."""
    facts = {
        "image": {record.image_digest[:19] for record in records},
        "seed": {str(record.seed) for record in records},
        "level": {record.level for record in records},
        "processor": {record.host.cpu_model for record in records},
        "number of processors": {str(record.host.cpus) for record in records},
        "GPUs": {", ".join(gpu.name for gpu in record.gpus) or "none" for record in records},
        "inputs": {str(sorted(record.inputs.items())) for record in records},
    }
    different = [name for name, values in facts.items() if len(values) > 1]
    return "; ".join(
        f"{name}: other ones" if name == "inputs" else f"{name}: {' and '.join(sorted(facts[name]))}"
        for name in different
    )


def _split_place(where: str) -> tuple[str, int]:
    """Return file and line; the program that ran there is not trusted, and what is no line is 0 with the whole text."""
    path, _, line = where.rpartition(":")
    return (path, int(line)) if re.fullmatch("[0-9]{1,9}", line) else (where, 0)
