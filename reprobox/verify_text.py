"""Say in words what ``verify`` does and finds: a row a run, then the verdict, then why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reprobox.compare.model import Difference, FileComparison, Result
from reprobox.reporting import format_count
from reprobox.streams import escape_unprintable
from reprobox.suspects import RankedSuspect
from reprobox.verdict import GPU_PROMISE, Cost, RunComparison, Verdict, suggest_cheaper
from reprobox.verification import Row, Verification

_MOST_METRICS = 4
_MOST_FILES = 3
_MOST_DIFFERENCES = 4
"""Of each file."""
_MOST_SUSPECTS = 8
_HEX = 10


def describe_row(row: Row, wanted: int) -> str:
    """Return one run's line: its number and id, metrics, the digests of its outputs, the time it took."""
    title = "off" if row.off else f"{row.number}/{wanted}"
    parts = [f"run {title:>{2 * len(str(wanted)) + 1}}  {row.record.id}"]
    metrics = sorted(row.record.metrics.items())
    parts += [f"{escape_unprintable(name)}={value:.10g}" for name, value in metrics[:_MOST_METRICS]]
    parts += [f"… {len(metrics) - _MOST_METRICS} more"] if len(metrics) > _MOST_METRICS else []
    return "  ".join((*parts, *_describe_outputs(row), f"{row.record.seconds:.1f} s"))


def _describe_outputs(row: Row) -> Iterator[str]:
    if not row.outputs:
        yield "no outputs"
    elif len(row.outputs) <= _MOST_FILES:
        for path, digest in row.outputs:
            yield f"{escape_unprintable(path)} {digest[:_HEX]}"
    else:
        yield f"{len(row.outputs)} files {row.digest[:_HEX]}"


def describe_verification(found: Verification) -> str:
    """Return the verdict with what it rests on; where runs differ, what differs, where first, and what is suspect."""
    lines = [
        *_describe_comparisons(found),
        *(f"first    {stage}: the first stage whose outputs differ" for stage in (found.first_stage,) if stage),
        *(f"first    {escape_unprintable(step)}" for step in (found.first_step,) if step),
        *_describe_suspects(found.suspects),
        *(f"note     {escape_unprintable(note)}" for note in found.notes),
        *(_describe_cost(found.cost, found) if found.cost else ()),
        *_describe_promises(found),
        f"verdict  {found.judgement.verdict} — {escape_unprintable(found.judgement.reason)}",
        *_describe_next(found),
        f"record   {found.path}",
    ]
    return "\n".join(lines)


def _describe_comparisons(found: Verification) -> Iterator[str]:
    """One run against the reference stands for all that differ in the same way; the record has them all."""
    shown: set[tuple[object, ...]] = set()
    for one in found.comparisons:
        key = (one.missing, one.added, tuple((path, result.result) for path, result in one.files))
        if key in shown or not (one.missing or one.added or one.files):
            continue
        shown.add(key)
        yield from describe_comparison(one, found.against or (found.rows[0].record.id if found.rows else ""))


def describe_comparison(one: RunComparison, reference: str) -> Iterator[str]:
    """Yield what differs between a run and the reference, file by file."""
    yield f"compare  {one.run} with {reference}"
    for path in one.missing:
        yield f"         {escape_unprintable(path)}: only {reference} has it"
    for path in one.added:
        yield f"         {escape_unprintable(path)}: only {one.run} has it"
    for path, found in one.files:
        yield f"         {escape_unprintable(path)}: {_describe_file(found)}"
        shown = found.differences[:_MOST_DIFFERENCES]
        yield from (f"           {escape_unprintable(_describe_difference(item))}" for item in shown)
        if found.differing_parts > len(shown) > 0:
            yield f"           … and {found.differing_parts - len(shown)} more"


def _describe_file(found: FileComparison) -> str:
    note = f" ({escape_unprintable(found.note)})" if found.note else ""
    match found.result:
        case Result.SAME_CONTENT:
            return f"other bytes, the same content, read as {found.format}{note}"
        case Result.NOT_COMPARABLE:
            return f"not comparable: {escape_unprintable(found.note)}"
        case _:
            inside = "within the tolerance" if found.tolerable and found.differences else "different"
            parts = f"{found.differing_parts} of {format_count(found.parts, 'part')}"
            return f"{inside}, read as {found.format}: {parts}{note}" if found.differences else f"{inside}{note}"


def _describe_difference(one: Difference) -> str:
    return f"{one.part}: {one.what}" if one.part else one.what


def _describe_suspects(suspects: Iterable[RankedSuspect]) -> Iterator[str]:
    suspects = tuple(suspects)
    for one in suspects[:_MOST_SUSPECTS]:
        where = f" {one.where}" if one.where else ""
        detail = f" ({one.detail})" if one.detail else ""
        times = f", {one.count} times" if one.count > 1 else ""
        yield f"suspect  {one.kind}{escape_unprintable(f'{where}{detail}')}{times}: {one.explanation}"
        yield f"         → {one.advice}"
    if len(suspects) > _MOST_SUSPECTS:
        yield f"         … and {len(suspects) - _MOST_SUSPECTS} more, in the record"


def _describe_cost(cost: Cost, found: Verification) -> Iterator[str]:
    pairs = format_count(len(cost.ratios), "pair")
    spread = f"{min(cost.ratios):.2f} … {max(cost.ratios):.2f} in {pairs}"
    level = found.rows[0].record.level
    if cost.measurable:
        yield f"cost     {level} takes {cost.ratio:.2f} times the time of off ({spread})"
    else:
        yield f"cost     no more than noise: {level} takes {cost.ratio:.2f} times the time of off ({spread})"
    yield f"         at off, {len(cost.ratios)} runs left {format_count(cost.distinct_off, 'different result')}"
    for way in suggest_cheaper(cost, found.rows[0].record):
        yield f"         → cheaper, perhaps: {way}"


def _describe_promises(found: Verification) -> Iterator[str]:
    """Say what of it holds on another processor or GPU, which no run on these shows."""
    if found.promises:
        yield f"promise  on other processors that can run {found.cpu}, with the same image:"
    width = max((len(one.holds) for one in found.promises), default=0)
    yield from (f"         {one.holds:{width}}  {one.what.replace('`', '')}" for one in found.promises)
    if found.gpus:
        yield f"promise  {GPU_PROMISE}: {found.gpus}"


def _describe_next(found: Verification) -> Iterator[str]:
    if found.judgement.verdict is Verdict.DIFFERENT:
        parted = next((one for one in found.comparisons if not one.identical), None)
        reference = found.against or found.rows[0].record.id
        if parted:
            how = "has more of it" if found.first_step else "sets them side by side; after --trace it names the step"
            yield f"         → `reprobox diff {reference} {parted.run}` {how}"
    elif found.judgement.verdict is Verdict.NOT_RUN and found.rows:
        yield f"         → {found.rows[-1].folder / 'log.txt'} has what it printed"
