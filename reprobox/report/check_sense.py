"""What no schema can say: answers without evidence, items left out, numbers that cannot all be true."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from reprobox.contributions.absence import is_absence, read_absence
from reprobox.contributions.rows import may_follow, rank_value
from reprobox.report.check_answers import find_groundless
from reprobox.report.checklist import ITEMS

Found = Iterator[tuple[str, str]]
"""JSON path and message."""
Report = dict[str, Any]


def find_contradictions(report: Report) -> Found:
    """Yield what is wrong with a report that has the right form."""
    yield from _check_items(report)
    yield from find_groundless(report)
    yield from _check_groups(report)
    yield from _check_contributions(report)
    yield from _check_verification(report)
    yield from _check_sweep(report)
    yield from _check_sources(report)


def _check_items(report: Report) -> Found:
    items = report["checklist"]
    wanted = [(number, name, heading.value) for number, (name, heading, _) in enumerate(ITEMS, 1)]
    given = [(item["number"], item["item"], item["heading"]) for item in items]
    for one in wanted:
        if given.count(one) != 1:
            yield "$.checklist", f"item {one[0]} ({one[1]}, under {one[2]}) is there {given.count(one)} times"
    for index, item in enumerate(items):
        path = f"$.checklist[{index}]"
        if given[index] not in wanted:
            yield path, f"there is no item {item['number']} ({item['item']}) under {item['heading']}"
        if item["answer"] == "yes" and not (item["origin"] and item["trace"]):
            yield path, "yes without evidence: it has no origin or no trace"
        if item["answer"] == "yes" and _is_unproved(item):
            yield path, "yes, measured, and no trace has a sha256"


def _is_unproved(item: Report) -> bool:
    return item["origin"] == "measured" and not any(trace["sha256"] for trace in item["trace"])


def _check_groups(report: Report) -> Found:
    """Look at every group of facts, wherever it stands."""
    waiting: list[tuple[str, Any]] = [("$", report)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            if value.get("origin") and "trace" in value and not value["trace"]:
                yield path, f"{value['origin']}, and nothing says where"
            waiting.extend((f"{path}.{name}", one) for name, one in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", one) for index, one in enumerate(value))


def _check_contributions(report: Report) -> Found:
    section, path = report["i_contributions"], "$.i_contributions"
    status, rows = section["status"], section["rows"]
    if status not in ("computed", "not_applicable", "not_computed", "not_recorded"):
        yield f"{path}.status", "expected computed, not_applicable, not_computed or not_recorded"
    if status == "not_applicable" and not re.search(r"\S", section["reason"]):
        yield f"{path}.reason", "not_applicable without a reason"
    if (status == "computed") != bool(rows):
        yield f"{path}.rows", f"{status}, and there are {len(rows)} rows"
    answer = {item["item"]: item["answer"] for item in report["checklist"]}.get("contributions")
    wanted = {"computed": "yes", "not_applicable": "n/a"}.get(status, "no")
    if answer != wanted:
        yield path, f"{status}, and the checklist says {answer}"
    yield from _check_stated(rows, f"{path}.rows")
    yield from _check_ranks(rows, section["sign"], f"{path}.rows")


def _check_stated(rows: list[Report], path: str) -> Found:
    """What a number means nothing without stands in every row, or why the method has none."""
    for index, row in enumerate(rows):
        for name in ("method", "importance_type", "data_split", "metric"):
            text = row[name]
            if not text.strip() or (name == "metric" and is_absence(text) and not read_absence(text)):
                yield f"{path}[{index}].{name}", "is not stated"
        if row["seed"] is None and not row["no_seed"].strip():
            yield f"{path}[{index}].seed", "is not stated, and nothing says why there is none"


def _check_ranks(rows: list[Report], sign: str, path: str) -> Found:
    """Ranks count from 1 within a model."""
    models: dict[str, list[Report]] = {}
    for row in rows:
        models.setdefault(row["model_id"], []).append(row)
    for model, found in models.items():
        name = model or "the variables"
        if wrong := _find_wrong_rank(found, sign):
            yield path, f"the ranks of {name} {wrong}"
        twice = [feature for feature, count in Counter(row["feature"] for row in found).items() if count > 1]
        if twice:
            yield path, f"{name} has {twice[0]!r} more than once"
        if any(row["std"] is not None and row["std"] < 0 for row in found):
            yield path, f"{name} has a negative standard deviation"


def _find_wrong_rank(rows: list[Report], sign: str) -> str:
    """Say what is wrong with them, if anything: as strictly as a run's own are read."""
    rank, last = 0, math.inf
    for place, row in enumerate(sorted(rows, key=lambda row: row["rank"]), 1):
        value = rank_value(row["importance"], sign)
        if not may_follow(row["rank"], rank, place, equal=value == last):
            return f"are not 1 to {len(rows)}"
        if value > last:
            return "contradict the importances"
        rank, last = row["rank"], value
    return ""


def _check_verification(report: Report) -> Found:
    found, path = report["extra"]["verification"], "$.extra.verification"
    if found is None:
        return
    runs = len(found["runs"])
    if found["agreeing"] > runs:
        yield f"{path}.agreeing", f"{found['agreeing']} runs agree, of {runs}"
    if runs > found["wanted"]:
        yield f"{path}.runs", f"{runs} runs, and {found['wanted']} were wanted"
    names = [run["run"] for run in found["runs"]]
    if len(set(names)) < len(names):
        yield f"{path}.runs", "a run is there more than once"
    if found["verdict"] == "IDENTICAL" and found["agreeing"] < runs:
        yield f"{path}.verdict", f"IDENTICAL, and {found['agreeing']} of {runs} runs agree"
    if found["bound"] is not None and found["agreeing"] and found["agreeing"] == runs:
        largest = 1 - 0.05 ** (1 / runs)
        if found["bound"] < largest - 1e-9:
            yield f"{path}.bound", f"{runs} runs prove a rate of at most {largest:.3f}, not {found['bound']:.3f}"


def _check_sweep(report: Report) -> Found:
    sweep, path = report["extra"]["sweep"], "$.extra.sweep"
    for index, metric in enumerate(sweep["metrics"] if sweep else ()):
        place = f"{path}.metrics[{index}]"
        values = [one["value"] for one in metric["values"]]
        if len(values) != metric["n"] or metric["n"] > sweep["seeds"]:
            yield f"{place}.n", f"{metric['n']} seeds said, {len(values)} values, {sweep['seeds']} seeds run"
        elif (min(values), max(values)) != (metric["minimum"], metric["maximum"]):
            yield place, "minimum and maximum are not those of the values"
        if None not in (metric["mean_low"], metric["mean_high"]) and not _is_within(
            metric["mean"], metric["mean_low"], metric["mean_high"]
        ):
            yield f"{place}.mean_low", "the mean lies outside of its own interval"
        for name in ("median", "mean"):
            if not _is_within(metric[name], metric["minimum"], metric["maximum"]):
                yield f"{place}.{name}", f"the {name} lies outside minimum and maximum"
        if metric["sd"] is not None and metric["sd"] < 0:
            yield f"{place}.sd", "a standard deviation is not negative"
        if len({one["seed"] for one in metric["values"]}) < len(values):
            yield f"{place}.values", "a seed is there more than once"


def _is_within(value: float, low: float, high: float) -> bool:
    """Whether it lies between the two, but for what the mean of equal numbers is rounded by."""
    return low - abs(low) * 1e-9 <= value <= high + abs(high) * 1e-9


def _check_sources(report: Report) -> Found:
    """One file has one hash, and the report speaks of one image."""
    hashes: dict[str, set[str]] = {}
    waiting: list[Any] = [report]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if set(value) == {"file", "key", "sha256"} and value["sha256"]:
                hashes.setdefault(value["file"], set()).add(value["sha256"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    for name, found in sorted(hashes.items()):
        if len(found) > 1:
            yield "$", f"{name} has {len(found)} different sha256"
    named, digest = report["run"]["image_digest"], report["u_environment"]["image"]["digest"]
    if digest != (named if named.startswith("sha256:") else None):
        yield "$.u_environment.image.digest", "is not the run's image"
