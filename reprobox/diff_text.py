"""Say in words where two runs part, and what else was not the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from reprobox.contributions.agreement import describe_comparison
from reprobox.record_diff import Fact
from reprobox.records import Suspect
from reprobox.reporting import format_count
from reprobox.run_diff import MetricDiff, ProcessDiff, RunDiff
from reprobox.streams import escape_unprintable
from reprobox.trace_diff import Cause, Divergence, Place, RandomDifference, join_names
from reprobox.trace_numbers import Distance

_MOST_LINES = 12
"""Of each kind."""
_LONGEST = 60
_CAUSES = {
    Cause.RANDOM_NUMBERS: "other random numbers were drawn: look at what drew from that generator, and how often",
    Cause.DATA: "the data differed, and no seeded generator did: look for the order of files, workers or results, and"
    " for generators of the program's own",
    Cause.START: "the parameters differed from the start, and no seeded generator did: look for generators of the"
    " program's own, and for what was loaded",
    Cause.KERNEL: "a kernel differed: the same batches and generators, and another result; look at threads, devices and"
    " non-deterministic operations",
    Cause.COMPUTATION: "no seeded generator differed: other data, a generator of the program's own, or a kernel; mark"
    " what goes in to tell them apart",
    Cause.FLOW: "the program did something else: look at what its branches and loops depend on",
}


def describe_diff(diff: RunDiff) -> str:
    """Return what differs, the first place first; short of that, that all is the same."""
    lines = [
        f"A        {diff.a.id}, seed {diff.a.seed}, level {diff.a.level}",
        f"B        {diff.b.id}, seed {diff.b.seed}, level {diff.b.level}",
        *_describe_traces(diff),
        *_cut(_describe_fact(fact) for fact in _shown_facts(diff)),
        *_describe_flags(diff),
        *_cut(f"output   {escape_unprintable(one.path)}: {escape_unprintable(one.what)}" for one in diff.outputs),
        *_cut(_describe_metric(metric) for metric in diff.metrics),
        *(f"note     {escape_unprintable(line)}" for line in _describe_contributions(diff)),
        *(_describe_suspects(diff) if not diff.same else ()),
        "verdict  " + _describe_verdict(diff),
    ]
    return "\n".join(lines)


def _describe_traces(diff: RunDiff) -> Iterator[str]:
    first = diff.first
    if not diff.traced:
        yield "trace    none in both runs: `verify --trace` writes them, and then the first step that differs is named"
    elif first is None:
        events = sum(process.comparison.events for process in diff.processes if process.comparison)
        yield f"trace    the same in {format_count(events, 'event')}, processes traced: {len(diff.processes)}"
        parted = next((one.comparison.random for one in diff.processes if one.comparison), None)
        yield from _describe_random(parted) if parted else ()
    else:
        yield from _describe_first(first)
        others = [process for process in diff.processes if not process.same and process is not first]
        yield from _cut(f"also     {_describe_other(process)}" for process in others)


def _describe_first(process: ProcessDiff) -> Iterator[str]:
    divergence = process.comparison.divergence if process.comparison else None
    if divergence is None:
        yield f"first    {_describe_other(process)}"
        return
    tensor = f", {divergence.tensor}" if divergence.tensor else ""
    yield f"first    {_name_process(process)}{describe_place(divergence.place)}{escape_unprintable(tensor)}"
    yield f"         {escape_unprintable(divergence.what)}{_describe_distance(divergence.distance)}"
    yield f"         {format_count(divergence.agreed, 'event')} before it the same"
    if divergence.random:
        yield from _describe_random(divergence.random)
    else:
        yield "random   every generator that was looked at had the same state there"
    yield "\n".join(wrap(f"cause    {_CAUSES[divergence.cause]}", 118, subsequent_indent=" " * 9))


def _describe_random(random: RandomDifference) -> Iterator[str]:
    names = escape_unprintable(join_names(random.generators))
    yield f"random   {names}: another state from {describe_place(random.place)} on"


def describe_place(place: Place) -> str:
    """Return an event's name for people."""
    source = escape_unprintable(place.source)
    match place.kind:
        case "init":
            return f"before the first step of {source}"
        case "mark":
            return f"step {place.step} of mark {source}"
        case kind:
            return f"{escape_unprintable(kind)} {place.step} of {source}"


def describe_first(diff: RunDiff) -> str:
    """Return the first difference of two traced runs in one line; "" where they were not traced or agree."""
    first = diff.first
    if first is None:
        return ""
    divergence = first.comparison.divergence if first.comparison else None
    if divergence is None:
        return _describe_other(first)
    return f"{_name_process(first)}{describe_place(divergence.place)}{_name_tensor(divergence)}: {divergence.cause}"


def _name_tensor(divergence: Divergence) -> str:
    return f", {escape_unprintable(divergence.tensor)}" if divergence.tensor else ""


def _name_process(process: ProcessDiff) -> str:
    parts = [part for part in (process.stage, process.process) if part]
    return f"{escape_unprintable(', '.join(parts))}, " if parts else ""


def _describe_other(process: ProcessDiff) -> str:
    name = _name_process(process)
    if process.comparison is None:
        return f"{name or 'main process, '}only {process.only_in} has this process"
    divergence = process.comparison.divergence
    return f"{name}{describe_place(divergence.place)}{_name_tensor(divergence)}" if divergence else name


def _describe_distance(distance: Distance | None) -> str:
    if distance is None:
        return ""
    sums = "" if distance.sums is None else f"; the sums are {distance.sums:.3g} apart"
    if distance.max_abs is None:
        return f": none of the {distance.compared} values kept of {distance.size} differs{sums}"
    parts = [f"at most {distance.max_abs:.3g}", f"relative {distance.max_rel:.3g}"]
    parts += [f"{distance.max_ulp} ulp"] if distance.max_ulp is not None else []
    whole = "" if distance.compared == distance.size else f" kept of {distance.size}"
    return f": {', '.join(parts)}, in {distance.differing} of the {distance.compared} values{whole}{sums}"


def _shown_facts(diff: RunDiff) -> list[Fact]:
    return [fact for fact in diff.circumstances if fact.name != "cpu flags"]


def _describe_fact(fact: Fact) -> str:
    a, b = (escape_unprintable(value)[:_LONGEST] or "nothing" for value in (fact.a, fact.b))
    return f"{fact.group[:8]:8} {escape_unprintable(fact.name)}: {a} in A, {b} in B"


def _describe_flags(diff: RunDiff) -> Iterator[str]:
    for name, flags in zip("AB", diff.cpu_flags, strict=True):
        if flags:
            more = f" and {len(flags) - _MOST_LINES} more" if len(flags) > _MOST_LINES else ""
            yield f"host     only {name}'s processor has {escape_unprintable(' '.join(flags[:_MOST_LINES]))}{more}"


def _describe_contributions(diff: RunDiff) -> Iterator[str]:
    return describe_comparison(diff.contributions) if diff.contributions else iter(())


def _describe_metric(metric: MetricDiff) -> str:
    a, b = ("nothing" if value is None else repr(value) for value in (metric.a, metric.b))
    return f"metric   {escape_unprintable(metric.name)}: {a} in A, {b} in B"


def _describe_suspects(diff: RunDiff) -> Iterator[str]:
    return _cut(escape_unprintable(_describe_suspect(one)) for one in diff.suspects)


def _describe_suspect(suspect: Suspect) -> str:
    where = suspect.where or "no line of the program"
    detail = f": {suspect.detail}" if suspect.detail else ""
    return f"suspect  {suspect.kind} at {where}, {format_count(suspect.count, 'time')}{detail}"


def _describe_verdict(diff: RunDiff) -> str:
    if diff.same:
        return "the same results" + ("" if not diff.circumstances else ", though not all else was the same")
    return "the results differ"


def _cut(lines: Iterable[str]) -> Iterator[str]:
    kept = list(lines)
    yield from kept[:_MOST_LINES]
    if len(kept) > _MOST_LINES:
        yield f"         … and {len(kept) - _MOST_LINES} more"
